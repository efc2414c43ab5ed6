// Live documents of vehicles, for as long as a page about them is open: a stream of its own, so that the
// other pages don't carry them.

import { readEventStream } from '$lib/api/event-stream.ts'
import { clock } from '$lib/clock.svelte.ts'
import type { Vehicle } from './types.ts'

const URL = '/api/v1/live?views=vehicles'
const RETRY_MS = 2_000
/** How often a hidden tab, which draws no frames, applies what has come. */
const HIDDEN_APPLY_MS = 1_000

export class VehicleFeed {
  /** Not reactive itself: read `tick` to follow it. */
  vehicles: Map<string, Vehicle> = new Map()
  tick = $state(0)
  /** True once a snapshot is complete: until then an empty list means "not known yet". */
  hasSnapshot = $state(false)
  lastMessageMs = $state(0)
  #pending = new Map<string, Vehicle | null>()
  #snapshot: Map<string, Vehicle> | undefined
  #applyIsDue = false

  /** Follows until the function that it returns is called. */
  start(): () => void {
    const stop = new AbortController()
    void this.#follow(stop.signal)
    return () => stop.abort()
  }

  async #follow(signal: AbortSignal): Promise<void> {
    let lastEventId: string | null = null
    while (!signal.aborted) {
      await readEventStream({
        url: URL,
        lastEventId,
        signal,
        onOpen: () => {},
        onBytes: () => {},
        onEvent: ({ event, data }) => this.#receive(event, data),
        onId: (id) => {
          lastEventId = id
        },
      }).catch(() => {
        // The frame of the page shows that the server does not answer; here it is asked again.
      })
      if (signal.aborted) return
      await new Promise((resolve) => setTimeout(resolve, RETRY_MS))
    }
  }

  #receive(event: string, data: string): void {
    this.lastMessageMs = clock.readMs()
    if (event === 'reset') this.#snapshot = new Map()
    if (event === 'entity') this.#receiveEntity(JSON.parse(data))
    if (event === 'ready') {
      if (this.#snapshot !== undefined) {
        this.vehicles = this.#snapshot
        this.#snapshot = undefined
        this.#pending.clear()
        this.tick += 1
      }
      this.hasSnapshot = true
    }
  }

  #receiveEntity(message: { view: string; key: string; doc: Vehicle | null }): void {
    if (message.view !== 'vehicles') return
    if (this.#snapshot !== undefined) {
      if (message.doc !== null) this.#snapshot.set(message.key, message.doc)
      return
    }
    this.#pending.set(message.key, message.doc)
    if (this.#applyIsDue) return
    this.#applyIsDue = true
    if (document.hidden) setTimeout(() => this.#apply(), HIDDEN_APPLY_MS)
    else requestAnimationFrame(() => this.#apply())
  }

  #apply(): void {
    this.#applyIsDue = false
    for (const [key, doc] of this.#pending) {
      if (doc === null) this.vehicles.delete(key)
      else this.vehicles.set(key, doc)
    }
    this.#pending.clear()
    this.tick += 1
  }
}
