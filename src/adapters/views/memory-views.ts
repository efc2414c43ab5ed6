// Live views in this process's memory. Nothing here is the truth: after a restart the tasks fill it again.

import type { FeedListener, FeedMessage, Views } from '../../ports/views.ts'
import { ViewState } from './view-state.ts'

export interface MemoryViews extends Views {
  /** Puts of new keys that were refused because a view was full. */
  readonly refusedKeys: number
}

/** `feed` names this run: what it numbers means nothing in another one. */
export function createMemoryViews(feed: string): MemoryViews {
  const state = new ViewState()
  const listeners = new Set<FeedListener>()
  let sequence = 0

  const tell = (messages: readonly FeedMessage[]): void => {
    if (messages.length === 0) return
    sequence += 1
    for (const listener of listeners) listener(messages, { feed, sequence })
  }

  return {
    get refusedKeys() {
      return state.refusedKeys
    },
    async put(entries) {
      const applied: FeedMessage[] = []
      for (const entry of entries) {
        if (state.apply(entry)) applied.push({ type: 'entity', entry })
      }
      tell(applied)
    },
    async publishAlerts(alerts) {
      const applied: FeedMessage[] = []
      for (const alert of alerts) {
        if (state.applyAlert(alert)) applied.push({ type: 'alert', alert })
      }
      tell(applied)
    },
    publishHandling: async (alert) => tell([{ type: 'handled', alert }]),
    get: async (view, key, tenantId) => state.get(view, key, tenantId),
    list: async (view, tenantId) => state.list(view, tenantId),
    openAlerts: async (tenantId) => state.openAlerts(tenantId),
    position: () => ({ feed, sequence }),
    subscribe(listener) {
      listeners.add(listener)
      return () => listeners.delete(listener)
    },
    problem: () => null,
    async close() {
      listeners.clear()
      state.clear()
    },
  }
}
