// One client of the live feed: what has changed since it was told, one bit a key, and how much of that its socket
// takes now.

import type { ServerResponse } from 'node:http'
import { type EpochMs, toIso } from '../kernel/time.ts'
import type { Clock } from '../ports/clock.ts'
import { ALERTS_VIEW, type Change, type FeedContents } from './feed-contents.ts'
import { DirtySlots, type Message, type SlotTable } from './feed-slots.ts'
import { serverSentEvent } from './server-sent-event.ts'

/** A stream whose socket took nothing for this long is cut off. */
const MAX_STALL_MS = 30_000
/** What a socket may hold unsent. Further changes wait as one bit a key until it takes more. */
const MAX_UNSENT_BYTES = 1024 * 1024
/** Entities of one stream go out at most this often. */
export const ENTITY_INTERVAL_MS = 100
/** Entities sent to one stream in one interval; the others wait their turn. */
const MAX_ENTITY_BYTES_PER_INTERVAL = 512 * 1024
/** Written to a socket in one piece. */
const SLICE_BYTES = 64 * 1024

/** What a client wants, and may be told. */
export interface StreamScope {
  /** `alerts` for alerts, any other name for the entities of that view. */
  readonly views: readonly string[]
  readonly tenantId: string
  /** Set: only what names this merchant. */
  readonly merchantId: string | null
}

export interface FeedStreamOptions {
  readonly response: ServerResponse
  readonly scope: StreamScope
  readonly contents: FeedContents
  readonly clock: Clock
  /** The client does not read: it is to be given up. */
  readonly onStalled: () => void
}

export class FeedStream {
  readonly merchantId: string | null
  readonly #tenantId: string
  readonly #views: ReadonlySet<string>
  readonly #response: ServerResponse
  readonly #contents: FeedContents
  readonly #clock: Clock
  readonly #onStalled: () => void
  readonly #alerts = new DirtySlots()
  readonly #entities = new DirtySlots()
  /** False until it is known what the stream starts with; nothing is sent before. */
  #opened = false
  #resetDue = false
  /** Entity slots to go through before `ready` is said; null afterwards. */
  #untilReady: {
    readonly slots: number
    readonly rounds: number
    readonly resumed: boolean
  } | null = null
  /** Bytes of entities that may still go out in this interval. */
  #entityBudget = 0
  #entitiesSentMs = Number.NEGATIVE_INFINITY
  #blockedSinceMs: number | null = null

  constructor({ response, scope, contents, clock, onStalled }: FeedStreamOptions) {
    this.merchantId = scope.merchantId
    this.#tenantId = scope.tenantId
    this.#views = new Set(scope.views)
    this.#response = response
    this.#contents = contents
    this.#clock = clock
    this.#onStalled = onStalled
  }

  get views(): ReadonlySet<string> {
    return this.#views
  }

  /** Entities changed that it was not told yet. */
  get hasEntities(): boolean {
    return this.#entities.count > 0
  }

  /** It may be told entities now. */
  get isDue(): boolean {
    return this.hasEntities && this.#sinceEntitiesMs >= ENTITY_INTERVAL_MS
  }

  /** It was not told yet what this slot holds. */
  awaits(table: 'alerts' | 'entities', slot: number): boolean {
    return (table === 'alerts' ? this.#alerts : this.#entities).has(slot)
  }

  /** Begins to send: what came after the sequence that the client has, or everything. */
  open(since: number | undefined): void {
    const { alerts, entities } = this.#contents
    this.#mark(alerts, this.#alerts, since)
    this.#mark(entities, this.#entities, since)
    this.#resetDue = since === undefined
    this.#untilReady = {
      slots: entities.size,
      rounds: this.#entities.rounds,
      resumed: since !== undefined,
    }
    this.#opened = true
    this.pump()
  }

  /** Takes note of what changed, and sends alerts at once. */
  note(changes: readonly Change[]): void {
    let wanted = false
    let view: string | undefined
    for (const { message, slot } of changes) {
      if (message.view !== view) {
        view = message.view
        wanted = this.#views.has(view)
      }
      if (!wanted || !this.#isOfCaller(message)) continue
      if (view === ALERTS_VIEW) this.#alerts.add(slot)
      else this.#entities.add(slot)
    }
    if (this.#alerts.count > 0 || this.isDue) this.pump()
  }

  /** Sends as much of what changed as the socket takes. */
  pump(): void {
    if (this.#sinceEntitiesMs >= ENTITY_INTERVAL_MS) {
      this.#entitiesSentMs = this.#clock.monotonicMs()
      this.#entityBudget = MAX_ENTITY_BYTES_PER_INTERVAL
    }
    while (this.#opened && this.#blockedSinceMs === null && !this.#response.destroyed) {
      const slice = this.#nextSlice()
      if (slice === '') return
      this.#write(slice)
    }
  }

  /** Sends what is no change of anything, if there is room for it. */
  beat(chunk: string): void {
    if (!this.#opened || this.#response.destroyed) return
    if (this.#blockedSinceMs === null) {
      this.#write(this.#isComplete ? this.#numbered(chunk) : chunk)
    } else if (this.#clock.monotonicMs() - this.#blockedSinceMs > MAX_STALL_MS) {
      this.#onStalled()
    }
  }

  end(): void {
    this.#response.end()
  }

  destroy(): void {
    this.#response.destroy()
  }

  get #sinceEntitiesMs(): number {
    return this.#clock.monotonicMs() - this.#entitiesSentMs
  }

  get #isComplete(): boolean {
    return (
      !this.#resetDue &&
      this.#untilReady === null &&
      this.#alerts.count === 0 &&
      this.#entities.count === 0
    )
  }

  #mark(table: SlotTable, dirty: DirtySlots, since: number | undefined): void {
    for (let slot = 0; slot < table.size; slot++) {
      const message = table.at(slot)
      if (message === undefined || !this.#concerns(message)) continue
      if (since === undefined ? !message.gone : message.sequence > since) dirty.add(slot)
    }
  }

  #nextSlice(): string {
    const pieces: string[] = []
    let bytes = 0
    while (bytes < SLICE_BYTES) {
      const piece = this.#nextPiece()
      if (piece === undefined) break
      pieces.push(piece)
      bytes += piece.length
    }
    const last = pieces.pop()
    if (last === undefined) return ''
    return pieces.join('') + (this.#isComplete ? this.#numbered(last) : last)
  }

  /** Everything up to here was sent, so that a client may go on from this number. */
  #numbered(chunk: string): string {
    const { feed, sequence } = this.#contents.position
    return `id: ${feed}-${sequence}\n${chunk}`
  }

  /** In the order of their urgency. What is taken is sent. */
  #nextPiece(): string | undefined {
    return (
      this.#resetPiece() ??
      this.#nextChange(this.#contents.alerts, this.#alerts) ??
      this.#nextEntity() ??
      this.#readyPiece()
    )
  }

  #resetPiece(): string | undefined {
    if (!this.#resetDue) return undefined
    this.#resetDue = false
    return serverSentEvent('reset', JSON.stringify({ views: [...this.#views] }))
  }

  #nextEntity(): string | undefined {
    if (this.#untilReady === null && this.#entityBudget <= 0) return undefined
    const piece = this.#nextChange(this.#contents.entities, this.#entities)
    this.#entityBudget -= piece?.length ?? 0
    return piece
  }

  #nextChange(table: SlotTable, dirty: DirtySlots): string | undefined {
    for (;;) {
      const slot = dirty.take()
      if (slot === undefined) return undefined
      const message = table.at(slot)
      // A slot may serve another key, of another tenant, than when it was marked.
      if (message !== undefined && this.#concerns(message)) return message.chunk()
    }
  }

  #readyPiece(): string | undefined {
    if (this.#untilReady === null) return undefined
    const { slots, rounds, resumed } = this.#untilReady
    const dirty = this.#entities
    const passed = dirty.rounds > rounds || dirty.position >= slots
    if (dirty.count > 0 && !passed) return undefined
    this.#untilReady = null
    const at: EpochMs = this.#clock.nowMs()
    return serverSentEvent('ready', JSON.stringify({ resumed, at: toIso(at) }))
  }

  #write(text: string): void {
    const taken = this.#response.write(text)
    if (this.#response.writableLength > MAX_UNSENT_BYTES) this.#onStalled()
    else if (!taken) {
      this.#blockedSinceMs = this.#clock.monotonicMs()
      this.#response.once('drain', () => {
        this.#blockedSinceMs = null
        this.pump()
      })
    }
  }

  #concerns(message: Message): boolean {
    return this.#isOfCaller(message) && this.#views.has(message.view)
  }

  /** What names no merchant is for none. */
  #isOfCaller(message: Message): boolean {
    if (message.tenantId !== this.#tenantId) return false
    return this.merchantId === null || message.merchantId() === this.merchantId
  }
}
