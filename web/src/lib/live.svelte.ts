// The live feed as the screens see it: the newest state of every truck and open alert.
//
// Messages are merged per entity as they come and applied once a frame, so that a burst of ten
// thousand updates costs one redraw. A snapshot is gathered aside and swapped in whole: a reconnect
// never empties the screen.

import { readEventStream, StreamRefused } from './api/event-stream.ts'
import type { Alert, Metric, Truck } from './api/types.ts'
import { clock } from './clock.svelte.ts'
import { session } from './session.svelte.ts'

/** The server sends a metric every 2 s: three missed ones make the picture stale. */
const STALE_AFTER_MS = 7_000
/** A connection without a byte for so long is given up and made anew. */
const DEAD_AFTER_MS = 20_000
const RETRY_FIRST_MS = 500
const RETRY_LAST_MS = 10_000
/** How often a hidden tab, which draws no frames, applies what has come. */
const HIDDEN_APPLY_MS = 1_000
/** Resolved alerts that are kept, newest last, so that open lists can show how they ended. */
const RESOLVED_KEPT = 500
/** Samples of the counts for the trend lines: one every 5 s, for half an hour. */
export const TREND_STEP_MS = 5_000
export const TREND_SPAN_MS = 30 * 60_000
/** Where a reload of the page finds them again. */
const TREND_KEY = 'outrider.trend'

export type LiveStatus = 'connecting' | 'live' | 'reconnecting' | 'stale'

export interface TrendSample {
  readonly atMs: number
  readonly inRange: number
  readonly excursion: number
  readonly silent: number
  readonly openAlerts: number
  readonly eventsPerSecond: number | null
}

class LiveFeed {
  /** Newest documents. Not reactive themselves: read `truckTick` or `alertTick` to follow them. */
  trucks: Map<string, Truck> = new Map()
  alerts: Map<string, Alert> = new Map()
  /** Grow by one with every frame that changed something. */
  truckTick = $state(0)
  alertTick = $state(0)
  metric: Metric | undefined = $state.raw()
  trend: readonly TrendSample[] = $state.raw(storedTrend())
  /** True once a snapshot is complete: until then an empty list means "not known yet". */
  hasSnapshot = $state(false)

  #open = $state(false)
  #everOpen = $state(false)
  #lastMessageMs = $state(0)
  #lastByteMs = 0
  #lastEventId: string | null = null
  #retryMs = RETRY_FIRST_MS
  #connection: AbortController | undefined
  #snapshot: { trucks: Map<string, Truck>; alerts: Map<string, Alert> } | undefined
  #pendingTrucks = new Map<string, Truck | null>()
  #pendingAlerts = new Map<string, Alert>()
  #applyIsDue = false
  #alertListeners = new Set<(alerts: readonly Alert[]) => void>()

  get status(): LiveStatus {
    if (!this.#open) return this.#everOpen ? 'reconnecting' : 'connecting'
    if (!this.hasSnapshot) return 'connecting'
    return clock.nowMs - this.#lastMessageMs > STALE_AFTER_MS ? 'stale' : 'live'
  }

  /** When the server was last heard, in epoch milliseconds; 0 before the first time. */
  get lastMessageMs(): number {
    return this.#lastMessageMs
  }

  start(): void {
    if (this.#connection !== undefined) return
    this.#connection = new AbortController()
    this.#lastByteMs = clock.readMs()
    void this.#keepConnected(this.#connection)
    const watch = setInterval(() => this.#watch(), 1_000)
    const sample = setInterval(() => this.#sample(), TREND_STEP_MS)
    this.#connection.signal.addEventListener('abort', () => {
      clearInterval(watch)
      clearInterval(sample)
    })
  }

  stop(): void {
    this.#connection?.abort()
    this.#connection = undefined
    this.#open = false
  }

  /** Calls back with alerts that are new or changed since the snapshot; returns what ends it. */
  onAlerts(listener: (alerts: readonly Alert[]) => void): () => void {
    this.#alertListeners.add(listener)
    return () => this.#alertListeners.delete(listener)
  }

  /** Takes the answer of a change that was made here, before the feed repeats it. */
  learn(alert: Alert): void {
    this.#pendingAlerts.set(alert.id, alert)
    this.#applySoon()
  }

  async #keepConnected(connection: AbortController): Promise<void> {
    while (!connection.signal.aborted) {
      const attempt = new AbortController()
      const stop = () => attempt.abort()
      connection.signal.addEventListener('abort', stop)
      this.#attempt = attempt
      let waitMs: number | null = null
      try {
        await readEventStream({
          url: '/api/v1/live?views=alerts,trucks',
          lastEventId: this.#lastEventId,
          signal: attempt.signal,
          onOpen: () => this.#opened(),
          onBytes: () => {
            this.#lastByteMs = clock.readMs()
          },
          onEvent: (event) => this.#receive(event.event, event.data),
          onId: (id) => {
            this.#lastEventId = id
          },
        })
      } catch (error) {
        if (error instanceof StreamRefused) {
          waitMs = error.retryAfterMs
          if (error.status === 401) void session.ask()
        }
      }
      connection.signal.removeEventListener('abort', stop)
      this.#open = false
      if (connection.signal.aborted) return
      await new Promise((resolve) => setTimeout(resolve, waitMs ?? this.#nextRetryMs()))
    }
  }

  #attempt: AbortController | undefined

  #opened(): void {
    this.#open = true
    this.#everOpen = true
    this.#lastByteMs = clock.readMs()
    this.#lastMessageMs = clock.readMs()
  }

  /** Doubles, with a random half, so that a restarted server is not met by everybody at once. */
  #nextRetryMs(): number {
    const waitMs = this.#retryMs / 2 + (this.#retryMs / 2) * Math.random()
    this.#retryMs = Math.min(RETRY_LAST_MS, this.#retryMs * 2)
    return waitMs
  }

  #watch(): void {
    if (this.#open && clock.readMs() - this.#lastByteMs > DEAD_AFTER_MS) this.#attempt?.abort()
  }

  #receive(event: string, data: string): void {
    this.#lastMessageMs = clock.readMs()
    switch (event) {
      case 'reset':
        this.#snapshot = { trucks: new Map(), alerts: new Map() }
        return
      case 'entity':
        this.#receiveEntity(JSON.parse(data))
        return
      case 'alert':
        this.#receiveAlert(JSON.parse(data))
        return
      case 'ready':
        this.#retryMs = RETRY_FIRST_MS
        this.#completeSnapshot()
        return
      case 'metric':
        this.metric = JSON.parse(data)
        return
      default:
        return
    }
  }

  #receiveEntity(message: { view: string; key: string; doc: Truck | null }): void {
    if (message.view !== 'trucks') return
    if (this.#snapshot !== undefined) {
      if (message.doc !== null) this.#snapshot.trucks.set(message.key, message.doc)
      return
    }
    this.#pendingTrucks.set(message.key, message.doc)
    this.#applySoon()
  }

  #receiveAlert(alert: Alert): void {
    if (this.#snapshot !== undefined) {
      this.#snapshot.alerts.set(alert.id, alert)
      return
    }
    this.#pendingAlerts.set(alert.id, alert)
    this.#applySoon()
  }

  #completeSnapshot(): void {
    if (this.#snapshot !== undefined) {
      this.trucks = this.#snapshot.trucks
      this.alerts = this.#snapshot.alerts
      this.#snapshot = undefined
      this.#pendingTrucks.clear()
      this.#pendingAlerts.clear()
      this.truckTick += 1
      this.alertTick += 1
    }
    const first = !this.hasSnapshot
    this.hasSnapshot = true
    if (first) this.#sample()
  }

  #applySoon(): void {
    if (this.#applyIsDue) return
    this.#applyIsDue = true
    if (document.hidden) setTimeout(() => this.#apply(), HIDDEN_APPLY_MS)
    else requestAnimationFrame(() => this.#apply())
  }

  #apply(): void {
    this.#applyIsDue = false
    if (this.#pendingTrucks.size > 0) {
      for (const [key, doc] of this.#pendingTrucks) {
        if (doc === null) this.trucks.delete(key)
        else this.trucks.set(key, doc)
      }
      this.#pendingTrucks.clear()
      this.truckTick += 1
    }
    if (this.#pendingAlerts.size > 0) this.#applyAlerts()
  }

  #applyAlerts(): void {
    const changed: Alert[] = []
    for (const [id, alert] of this.#pendingAlerts) {
      const held = this.alerts.get(id)
      // An answer of the API may be older than the feed in what the stream said, and newer in the rest.
      const isOlder =
        held !== undefined &&
        held.revision >= alert.revision &&
        held.handlingRevision >= alert.handlingRevision
      if (
        isOlder &&
        held.revision + held.handlingRevision > alert.revision + alert.handlingRevision
      )
        continue
      // Put back at the end: the map then ends with what changed last.
      this.alerts.delete(id)
      this.alerts.set(id, alert)
      changed.push(alert)
    }
    this.#pendingAlerts.clear()
    this.#forgetOldResolved()
    this.alertTick += 1
    for (const listener of this.#alertListeners) listener(changed)
  }

  #forgetOldResolved(): void {
    let surplus = -RESOLVED_KEPT
    for (const alert of this.alerts.values()) if (alert.status === 'resolved') surplus += 1
    for (const [id, alert] of this.alerts) {
      if (surplus <= 0) return
      if (alert.status !== 'resolved') continue
      this.alerts.delete(id)
      surplus -= 1
    }
  }

  #sample(): void {
    if (this.status !== 'live') return
    const counts = { inRange: 0, excursion: 0, silent: 0 }
    for (const truck of this.trucks.values()) {
      if (truck.condition === 'in-range') counts.inRange += 1
      else if (truck.condition === 'excursion') counts.excursion += 1
      else if (truck.condition === 'silent') counts.silent += 1
    }
    let openAlerts = 0
    for (const alert of this.alerts.values()) if (alert.status !== 'resolved') openAlerts += 1
    const sample: TrendSample = {
      atMs: clock.readMs(),
      ...counts,
      openAlerts,
      eventsPerSecond: this.metric?.eventsPerSecond ?? null,
    }
    const firstMs = sample.atMs - TREND_SPAN_MS
    this.trend = [...this.trend.filter((each) => each.atMs >= firstMs), sample]
    try {
      sessionStorage.setItem(TREND_KEY, JSON.stringify(this.trend))
    } catch {
      // Storage is blocked or full: the lines begin anew with the next visit.
    }
  }
}

export const live = new LiveFeed()

function storedTrend(): TrendSample[] {
  try {
    const found: unknown = JSON.parse(sessionStorage.getItem(TREND_KEY) ?? '[]')
    return Array.isArray(found) ? found.filter((each) => typeof each?.atMs === 'number') : []
  } catch {
    return []
  }
}
