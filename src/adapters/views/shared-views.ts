// Live views in a store that any number of processes share: one end puts, the other follows.

import type { Views } from '../../ports/views.ts'
import type { FeedFollower } from './feed-follower.ts'
import type { QueuedPublisher } from './queued-publisher.ts'

export interface SharedViews extends Views {
  /** Resolves once everything put here is in the store and came back through the feed. */
  settle(): Promise<void>
}

export function sharedViews(publisher: QueuedPublisher, follower: FeedFollower): SharedViews {
  const { state } = follower
  return {
    put: publisher.put,
    publishAlerts: publisher.publishAlerts,
    publishHandling: publisher.publishHandling,
    get: async (view, key, tenantId) => state.get(view, key, tenantId),
    list: async (view, tenantId) => state.list(view, tenantId),
    openAlerts: async (tenantId) => state.openAlerts(tenantId),
    position: () => follower.position,
    subscribe: (listener) => follower.subscribe(listener),
    problem: () => follower.problem() ?? publisher.problem(),
    async settle() {
      await publisher.flush()
      await follower.reached(publisher.sequence)
    },
    async close() {
      await publisher.close()
      await follower.close()
    },
  }
}
