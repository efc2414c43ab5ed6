// A task: one partition of one pipeline. It owns the partition's keyed state, timers and watermark in
// memory and turns batches of records into outputs. Pure: no clock, no I/O; the runner around it reads,
// publishes and commits.

import { assert } from '../kernel/errors.ts'
import { derivedId } from '../kernel/ids.ts'
import type { Result } from '../kernel/result.ts'
import type { DurationMs, EpochMs } from '../kernel/time.ts'
import type { Alert } from '../ports/alert.ts'
import type { ArchivedEvent, ArchiveEncoder, EventFlag } from '../ports/archive.ts'
import type {
  DeadLetter,
  JournalEntry,
  OutboxEntry,
  SnapshotEntry,
  WindowResult,
} from '../ports/checkpoint-store.ts'
import type { LogRecord } from '../ports/log.ts'
import { type RowChange, rowId } from '../ports/row-table.ts'
import type { ViewEntry } from '../ports/views.ts'
import { type BatchInputs, type BatchOutput, noCounts } from './batch.ts'
import { type DecodeProblem, decodeRecord } from './decode.ts'
import { amendRows, openRows, type RowsById } from './durable-rows.ts'
import {
  type Cause,
  type Episode,
  episodeId,
  type PublishedEpisode,
  reconcile,
  splitEpisodeId,
  toAlert,
} from './episode.ts'
import { EventTail, type TailEvent } from './event-tail.ts'
import {
  advanceBase,
  DISORDER_ALLOWANCE_MS,
  type Frame,
  firstFrame,
  type KeySlot,
  MAX_TAIL_EVENTS,
  NO_EPISODES,
  NO_PUBLISHED,
  settle,
  settleInPlace,
  shortenTail,
  UNCOMPUTED,
} from './key-slot.ts'
import { openWindowEntries } from './open-windows.ts'
import type { BroadcastDefinition, PendingRule, Pipeline, Silence } from './pipeline.ts'
import { Prefetcher } from './prefetch.ts'
import { RecentIds } from './recent-ids.ts'
import { SilenceQueue } from './silence-queue.ts'
import { SnapshotWriter } from './snapshot-writer.ts'
import { SubjectIndex } from './subject-index.ts'
import { openerOf, type Rebuilt, TaskContext } from './task-context.ts'
import {
  decodePartition,
  decodeSlot,
  encodePartition,
  encodeSlot,
  PARTITION_KEY,
  type PartitionState,
} from './task-snapshot.ts'
import type { StreamEvent } from './topic.ts'
import { WindowEras } from './window-eras.ts'

/** A device clock further ahead of the arrival than this is not believed. */
export const FUTURE_TOLERANCE_MS: DurationMs = 5 * 60_000
/**
 * Where a whole partition was quiet for so many times the shortest silence, it is we who did not hear: the
 * silences of its keys begin anew with the first record.
 */
export const OUTAGE_SILENCES = 2
export const DEFAULT_TENANT = 'default'

const NO_TIME = Number.NEGATIVE_INFINITY
const DUPLICATE: readonly EventFlag[] = ['duplicate']
const LATE: readonly EventFlag[] = ['late']
const FUTURE: readonly EventFlag[] = ['future']
const FUTURE_DUPLICATE: readonly EventFlag[] = ['future', 'duplicate']
const NO_ROWS: readonly RowChange[] = []

/** Why a key changes without an event of its own. */
interface Occasion {
  /** The same in every run. */
  readonly name: string
  readonly atMs: EpochMs
  readonly receivedAtMs: EpochMs
}

export interface TaskOptions<E extends StreamEvent, S> {
  readonly pipeline: Pipeline<E, S>
  /** Topic as the log calls it. */
  readonly topic: string
  readonly partition: number
  readonly encoder: ArchiveEncoder<E>
  /** Reads a record's event; where absent, its bytes are JSON of the topic. */
  readonly decode?: (record: LogRecord) => Result<E, DecodeProblem>
}

export class Task<E extends StreamEvent, S> {
  readonly pipeline: Pipeline<E, S>
  readonly topic: string
  readonly partition: number
  readonly #encoder: ArchiveEncoder<E>
  readonly #decode: (record: LogRecord) => Result<E, DecodeProblem>
  readonly #slots = new Map<string, KeySlot<E, S>>()
  readonly #windows: WindowEras<E>
  readonly #references = new Map<string, unknown>()
  readonly #referenceVersions: Record<string, number> = {}
  readonly #broadcasts = new Map<string, unknown>()
  readonly #broadcastOffsets: Record<string, number> = {}
  readonly #silences = new SilenceQueue()
  /** Of the broadcast topics whose records concern keys. */
  readonly #subjects = new Map<string, SubjectIndex<string>>()
  /** Silences that are watched for now, the shortest first. */
  #watched: readonly Silence<S>[]
  readonly #context: TaskContext<E, S>
  readonly #copy: (frame: Frame<S>, spare?: Frame<S>) => Frame<S>
  readonly #ahead = new Prefetcher<LogRecord>(({ tenantId, key }) =>
    this.#prefetch(scopedKey(tenantId, key)),
  )
  #unsaved: KeySlot<E, S>[] = []
  #savedKeys = 0
  /** The one that is being taken. */
  #snapshot: SnapshotWriter<E, S> | null = null
  #forgotten: string[] = []
  #unseen: KeySlot<E, S>[] = []
  #nextOffset = 0
  /** Wall time as far as records and ticks tell. */
  #arrivalClockMs: EpochMs = NO_TIME
  /** Arrival of the newest record. */
  #lastArrivalMs: EpochMs = NO_TIME
  #tickMs: EpochMs = 0
  #sweptAtMs: EpochMs = NO_TIME
  #entry: { readonly offset: number; readonly step: number } | null = null
  /** Outputs are thrown away: they are committed already. */
  #restoring = false

  #slot: KeySlot<E, S> | null = null
  #cause: Cause = { offset: 0, receivedAtMs: 0, tenantId: DEFAULT_TENANT }
  #alerts: Alert[] = []
  #deadLetters: DeadLetter[] = []
  #outbox: OutboxEntry[] = []
  #rows: RowsById = new Map()
  #counts = noCounts()

  constructor(options: TaskOptions<E, S>) {
    this.pipeline = options.pipeline
    this.topic = options.topic
    this.partition = options.partition
    this.#encoder = options.encoder
    const { topic } = options.pipeline
    this.#decode = options.decode ?? ((record) => decodeRecord(record, topic))
    const { pipeline } = options
    this.#watched = silencesOf(pipeline, undefined)
    for (const { afterMs } of this.#watched) {
      assert(afterMs < pipeline.forgetAfterMs, `${pipeline.name}: a key is forgotten while silent.`)
    }
    this.#copy = ({ state, timers }, spare) => {
      if (spare === undefined) return { state: pipeline.copyState(state), timers }
      spare.state = pipeline.copyState(state, spare.state)
      spare.timers = timers
      return spare
    }
    for (const broadcast of pipeline.broadcasts) {
      this.#broadcasts.set(broadcast.topic, broadcast.empty())
      this.#broadcastOffsets[broadcast.topic] = 0
      if (broadcast.listeners) this.#subjects.set(broadcast.topic, new SubjectIndex())
    }
    this.#context = new TaskContext(
      options,
      { references: this.#references, broadcasts: this.#broadcasts },
      {
        publish: (episode) => this.#publish(episode),
        effect: (entry, offset) => this.#askFor(entry, offset),
        row: (change) => this.#putRow(change),
      },
    )
    this.#windows = new WindowEras(pipeline.windows, this.#context)
  }

  get nextOffset(): number {
    return this.#nextOffset
  }

  get keys(): number {
    return this.#slots.size
  }

  /** Wall time as far as records and ticks have told; −∞ before the first. */
  get arrivalClockMs(): EpochMs {
    return this.#arrivalClockMs
  }

  /** Version of a reference table that events see now; undefined before the first. */
  referenceVersion(name: string): number | undefined {
    return this.#referenceVersions[name]
  }

  /** Quiet of the whole partition that counts as an outage of ours; infinite where no silence is watched for. */
  get outageMs(): DurationMs {
    return OUTAGE_SILENCES * (this.#watched[0]?.afterMs ?? Number.POSITIVE_INFINITY)
  }

  /** The state has seen an entry of the journal at this offset. */
  hasEntryAt(offset: number): boolean {
    return this.#entry?.offset === offset
  }

  /** Journal entries at an offset are told apart by their step: that of the last one, 0 where there is none. */
  journalStepAt(offset: number): number {
    return this.#entry?.offset === offset ? this.#entry.step : 0
  }

  /** Next record to apply from a broadcast topic. */
  broadcastOffset(topic: string): number {
    return this.#broadcastOffsets[topic] ?? 0
  }

  /** Some keys changed since their view was taken. */
  get hasUnseen(): boolean {
    return this.#unseen.length > 0
  }

  /** Everything before this event time is taken to have arrived. */
  get watermarkMs(): EpochMs {
    return this.#windows.watermarkMs
  }

  /** True where applying this tick would decide something; other ticks need not be kept. */
  tickMatters(tickMs: EpochMs): boolean {
    return this.#nextSilenceBy(tickMs) !== undefined || this.#windows.wouldFinish(tickMs)
  }

  /**
   * Applies the inputs, then the records, which must go on where the task stands. Records below that
   * are repeats from the log and are dropped. `nextOffset` may lie beyond the last record.
   */
  process(records: readonly LogRecord[], nextOffset: number, inputs: BatchInputs): BatchOutput {
    const fromOffset = this.#nextOffset
    const journal = this.#applyInputs(inputs)
    const inputWindows = this.#windows.take()
    const causedByTick =
      journal.length > 0 && this.#alerts.length + inputWindows.length + this.#outbox.length > 0
    // Counted by hand: pairs of `entries()` cost more than fetching ahead gains.
    let index = 0
    for (const record of records) {
      this.#ahead.before(index++, records)
      if (record.offset < this.#nextOffset) continue
      this.#handle(record)
      this.#nextOffset = record.offset + 1
    }
    this.#nextOffset = Math.max(this.#nextOffset, nextOffset)
    const windows = [...inputWindows, ...this.#windows.take()]
    return this.#take(fromOffset, { journal, causedByTick, windows })
  }

  /** Applies events of the archive, which are counted and judged as they were when they came, and archived no more. */
  processArchived(events: readonly ArchivedEvent<E>[]): BatchOutput {
    const fromOffset = this.#nextOffset
    for (const archived of events) {
      this.#accept(archived.event, archived)
      this.#nextOffset = archived.offset + 1
    }
    return this.#take(fromOffset, {
      journal: [],
      causedByTick: false,
      windows: this.#windows.take(),
    })
  }

  /** Live views of keys that changed, at most `limit`; the rest stays for the next call. */
  takeViews(limit: number): readonly ViewEntry[] {
    const { view } = this.pipeline
    const taken = this.#unseen.splice(0, limit)
    const entries: ViewEntry[] = []
    for (const slot of taken) {
      slot.unseen = false
      const open = [...this.pipeline.openEpisodes(slot.head.state), ...slot.silenceEpisodes]
      const document = view?.document(slot.head.state, slot.key, {
        receivedAtMs: slot.lastReceivedAtMs,
        open,
        newest: () => slot.tail.before(slot.tail.length)?.event ?? null,
      })
      if (view === undefined || document === undefined) continue
      const pending = this.#pendingOf(slot)
      entries.push({
        view: view.name,
        key: slot.key,
        tenantId: slot.tenantId,
        version: {
          partition: this.partition,
          offset: slot.lastOffset,
          clockMs: Math.max(0, this.#arrivalClockMs),
        },
        json: JSON.stringify(pending.length === 0 ? document : { ...document, pending }),
      })
    }
    return entries
  }

  #pendingOf({ head }: KeySlot<E, S>): readonly PendingRule[] {
    const { rules } = this.pipeline
    if (rules === undefined) return []
    return rules.pending(head.state, this.#references.get(rules.table ?? ''))
  }

  /** Marks keys as unseen whose views did not get where they should. */
  showAgain(entries: readonly Pick<ViewEntry, 'tenantId' | 'key'>[]): void {
    for (const { tenantId, key } of entries) {
      const slot = this.#slots.get(scopedKey(tenantId, key))
      if (slot !== undefined) this.#markUnseen(slot)
    }
  }

  /** Marks every key as unseen, so that a view store that lost everything is filled again. */
  showAll(): void {
    for (const slot of this.#slots.values()) this.#markUnseen(slot)
  }

  /** Windows that are not final yet, and the newest that are, as far as this partition knows. */
  openWindows(): readonly WindowResult[] {
    return this.#windows.open()
  }

  /** The same as entries of the live view. */
  openWindowEntries(): readonly ViewEntry[] {
    const version = {
      partition: this.partition,
      offset: this.#nextOffset,
      clockMs: Math.max(0, this.#arrivalClockMs),
    }
    return openWindowEntries(this.pipeline.name, version, this.openWindows())
  }

  /**
   * Begins a snapshot: the state of all keys changed since the last one, as it is after every event below `nextOffset`.
   * It is then taken bit by bit; one at a time.
   */
  beginSnapshot(): void {
    assert(this.#snapshot === null, 'A snapshot was begun before the last one was whole.')
    this.#sweep()
    const whole = this.pipeline.broadcasts.length > 0
    const first = [
      ...this.#forgotten.map((key) => ({ key, state: null })),
      { key: PARTITION_KEY, state: this.#encodePartition() },
    ]
    this.#snapshot = new SnapshotWriter(this.#unsaved, first, (slot) => {
      this.#savedKeys++
      return {
        key: scopedKey(slot.tenantId, slot.key),
        state: encodeSlot(slot, this.pipeline, { whole }),
      }
    })
    for (const slot of this.#unsaved) slot.unsaved = false
    this.#forgotten = []
    this.#unsaved = []
  }

  /** Keys written to snapshots so far, also those that were written because an event was about to change them. */
  get savedKeys(): number {
    return this.#savedKeys
  }

  /** Writes up to so many more keys to the snapshot that was begun; its entries once it is whole. */
  snapshotSome(keys: number): readonly SnapshotEntry[] | null {
    const snapshot = this.#snapshot
    if (snapshot === null || !snapshot.saveSome(keys)) return null
    this.#snapshot = null
    return snapshot.entries
  }

  /** Starts from a snapshot: `entries` in the order they were saved, `offset` what they stand for. */
  loadSnapshotEntries(entries: readonly SnapshotEntry[]): void {
    for (const { key, state } of entries) {
      if (key === PARTITION_KEY) {
        if (state !== null) this.#decodePartition(state)
      } else if (state === null) this.#slots.delete(key)
      else this.#slots.set(key, decodeSlot(state, this.pipeline))
    }
  }

  /** Ends the loading; from here on records from `offset` on can be processed. */
  beginAt(offset: number, references: BatchInputs['references']): void {
    this.#nextOffset = offset
    for (const reference of references) this.#setReference(reference)
    for (const slot of this.#slots.values()) {
      if (slot.head === UNCOMPUTED) this.#rebuild(slot, nothingAsked())
      this.#queueSilence(slot)
      this.#follow(slot)
    }
  }

  /** Runs what was committed already once more, outputs thrown away, so that state catches up. */
  rerun(records: readonly LogRecord[], nextOffset: number, inputs: BatchInputs): void {
    this.#restoring = true
    try {
      this.process(records, nextOffset, inputs)
    } finally {
      this.#restoring = false
    }
  }

  #applyInputs(inputs: BatchInputs): readonly JournalEntry[] {
    if (inputs.references.length > 0 || inputs.broadcasts.length > 0) this.#willChangeAll()
    let changed = false
    let newTables = false
    for (const reference of inputs.references) {
      if (this.#referenceVersions[reference.name] === reference.version) continue
      this.#setReference(reference)
      if (reference.name === this.pipeline.rules?.table) this.#rulesChanged()
      for (const slot of this.#slots.values()) {
        settle(slot, this.#copy)
        this.#markUnsaved(slot)
      }
      newTables = true
    }
    changed = newTables
    for (const progress of inputs.broadcasts) {
      if (progress.nextOffset <= (this.#broadcastOffsets[progress.topic] ?? 0)) continue
      this.#applyBroadcast(progress)
      changed = true
    }
    if (inputs.tickMs !== null && inputs.tickMs > this.#tickMs && this.tickMatters(inputs.tickMs)) {
      this.#applyTick(inputs.tickMs)
      changed = true
    }
    return changed ? [this.#journalEntry(newTables)] : []
  }

  #setReference(reference: BatchInputs['references'][number]): void {
    this.#references.set(reference.name, reference.content)
    this.#referenceVersions[reference.name] = reference.version
    const { pipeline } = this
    if (reference.name === pipeline.rules?.table) {
      this.#watched = silencesOf(pipeline, reference.content)
    }
  }

  /** Ends what rules had opened that are gone; silences are judged anew by those that are there. */
  #rulesChanged(): void {
    const watched = new Set(this.#watched.map(({ rule }) => rule))
    for (const slot of this.#slots.values()) {
      const atMs = Math.max(0, slot.headTimeMs)
      this.#slot = slot
      this.#cause = {
        offset: slot.lastOffset,
        receivedAtMs: slot.lastReceivedAtMs,
        tenantId: slot.tenantId,
      }
      this.#context.enter(slot, slot.head)
      this.#context.eventTimeMs = atMs
      this.#context.offset = slot.lastOffset
      const before = this.#alerts.length
      this.pipeline.rules?.changed(slot.head.state, this.#context)
      for (const episode of slot.silenceEpisodes) {
        if (watched.has(episode.rule)) continue
        episode.status = 'resolved'
        episode.endsAtMs = Math.max(episode.startsAtMs, this.#arrivalClockMs)
        episode.updatedAtMs = episode.endsAtMs
        episode.closedBy = slot.lastOffset
        this.#publish(episode)
      }
      slot.silenceEpisodes = slot.silenceEpisodes.filter(({ status }) => status !== 'resolved')
      slot.silencesPassed = 0
      this.#queueSilence(slot)
      if (this.#alerts.length > before) this.#markUnseen(slot)
    }
  }

  #applyBroadcast(progress: BatchInputs['broadcasts'][number]): void {
    const definition = this.pipeline.broadcasts.find((each) => each.topic === progress.topic)
    if (definition === undefined) return
    const reached = this.#broadcastOffsets[progress.topic] ?? 0
    let table = this.#broadcasts.get(progress.topic)
    for (const record of progress.records) {
      if (record.offset < reached || record.offset >= progress.nextOffset) continue
      table = definition.apply(table, record)
      this.#broadcasts.set(progress.topic, table)
      this.#tellListeners(definition, record)
    }
    this.#broadcastOffsets[progress.topic] = progress.nextOffset
  }

  /** One record after the other, so that it changes nothing how many of them come at once. */
  #tellListeners(
    { topic, listeners }: BroadcastDefinition<S>,
    record: BatchInputs['broadcasts'][number]['records'][number],
  ): void {
    if (listeners === undefined) return
    const told = this.#subjects.get(topic)?.listenersOf(record.key) ?? []
    for (const scoped of told.toSorted()) {
      const slot = this.#slots.get(scoped)
      const foreign = record.tenantId !== DEFAULT_TENANT && record.tenantId !== slot?.tenantId
      if (slot === undefined || foreign) continue
      const occasion = {
        name: `${topic}/${record.offset}`,
        atMs: Math.max(slot.headTimeMs, record.receivedAtMs),
        receivedAtMs: record.receivedAtMs,
      }
      this.#outsideEvents(slot, occasion, () =>
        listeners.onRecord(slot.head.state, record, this.#context),
      )
    }
  }

  /** Lets something other than an event change a key: what comes out of order from before is late. */
  #outsideEvents(
    slot: KeySlot<E, S>,
    { name, atMs, receivedAtMs }: Occasion,
    change: () => void,
  ): void {
    this.#slot = slot
    this.#cause = { offset: slot.lastOffset, receivedAtMs, tenantId: slot.tenantId }
    this.#context.enterOccasion(slot, name)
    this.#context.eventTimeMs = Math.max(0, atMs)
    this.#context.offset = slot.lastOffset
    change()
    settle(slot, this.#copy)
    this.#follow(slot)
    this.#markUnsaved(slot)
    this.#markUnseen(slot)
  }

  /** Takes note of what the key listens to now, and when it is to be looked at again. */
  #follow(slot: KeySlot<E, S>): void {
    for (const { topic, listeners } of this.pipeline.broadcasts) {
      if (listeners === undefined) continue
      const subjects = listeners.subjects(slot.head.state, slot.key)
      this.#subjects.get(topic)?.listen(scopedKey(slot.tenantId, slot.key), subjects)
    }
    if (this.pipeline.deadline !== undefined) this.#queueSilence(slot)
  }

  #applyTick(tickMs: EpochMs): void {
    this.#tickMs = tickMs
    this.#advanceArrival(tickMs)
    this.#windows.passTime(tickMs)
  }

  /**
   * What new tables see is kept apart from what was seen before them, where no event lies between. Where keys
   * themselves hear of broadcasts and of time, everything is: the order is a part of what they know.
   */
  #journalEntry(newTables: boolean): JournalEntry {
    const offset = this.#nextOffset
    const last = this.#entry?.offset === offset ? this.#entry : undefined
    const apart = newTables || this.#subjects.size > 0
    const step = last === undefined ? 0 : last.step + (apart ? 1 : 0)
    this.#entry = { offset, step }
    return {
      offset,
      step,
      broadcasts: { ...this.#broadcastOffsets },
      references: { ...this.#referenceVersions },
      tickMs: this.#tickMs,
    }
  }

  #handle(record: LogRecord): void {
    if (this.pipeline.readDeadLetter !== undefined) {
      if (!this.#restoring) this.#deadLetters.push(this.pipeline.readDeadLetter(record, this))
      return
    }
    const decoded = this.#decode(record)
    if (!decoded.ok) {
      this.#counts.rejected++
      this.#deadLetters.push({
        id: derivedId('dead-letter', this.topic, this.partition, record.offset),
        topic: this.topic,
        receivedAtMs: record.receivedAtMs,
        tenantId: record.tenantId,
        door: 'log',
        ...decoded.error,
        position: { topic: this.topic, partition: this.partition, offset: record.offset },
      })
      return
    }
    const event = decoded.value
    const flags = this.#accept(event, record)
    if (this.#restoring) return
    this.#encoder.add(
      {
        partition: this.partition,
        offset: record.offset,
        receivedAtMs: record.receivedAtMs,
        tenantId: record.tenantId,
        eventId: event.eventId,
        flags,
      },
      event,
      this.pipeline.topic.keyOf(event),
    )
  }

  #accept(event: E, record: Arrival): readonly EventFlag[] | null {
    this.#counts.events++
    // Only what is archived moves time: history must run from the archive as it ran from the log.
    this.#forgiveOutage(record.receivedAtMs)
    this.#advanceArrival(record.receivedAtMs)
    this.#windows.passTimeAtEvent(record.receivedAtMs)
    this.#lastArrivalMs = Math.max(this.#lastArrivalMs, record.receivedAtMs)
    return this.#judge(event, record)
  }

  /** Gives the event to its key and returns what is noted about it. */
  #judge(event: E, record: Arrival): readonly EventFlag[] | null {
    const slot = this.#slotOf(this.pipeline.topic.keyOf(event), record)
    this.#willChange(slot)
    this.#slot = slot
    this.#cause = record
    const future = event.recordedAtMs > record.receivedAtMs + FUTURE_TOLERANCE_MS
    const eventTimeMs = future ? record.receivedAtMs : event.recordedAtMs
    if (event.eventId !== null && isKnown(slot, event.eventId)) {
      this.#counts.duplicates++
      return future ? FUTURE_DUPLICATE : DUPLICATE
    }
    this.#heard(slot, record, eventTimeMs)
    const { offset, receivedAtMs } = record
    const entry = { event, eventTimeMs, offset, receivedAtMs }
    const late =
      this.pipeline.takesLateEvents === true
        ? this.#applyAtHead(slot, entry)
        : !this.#place(slot, entry)
    this.#follow(slot)
    if (event.eventId !== null) rememberId(slot, event.eventId, late)
    if (future) {
      this.#counts.future++
      return FUTURE
    }
    this.#counts.unwindowed += this.#windows.add(entry, slot)
    if (!late) return null
    this.#counts.late++
    return LATE
  }

  /** Reads a little of all that the next event of a key changes; some sum of it. */
  #prefetch(scoped: string): number {
    const slot = this.#slots.get(scoped)
    if (slot === undefined) return 0
    const { lastOffset, tail, recentIds, head } = slot
    const ids = recentIds === null ? 0 : recentIds.prefetch()
    return lastOffset + tail.prefetch() + ids + (this.pipeline.prefetch?.(head.state) ?? 0)
  }

  #slotOf(key: string, record: Arrival): KeySlot<E, S> {
    const scoped = scopedKey(record.tenantId, key)
    const known = this.#slots.get(scoped)
    if (known !== undefined && !this.#isForgettable(known)) return known
    const slot: KeySlot<E, S> = {
      key,
      tenantId: record.tenantId,
      base: null,
      baseTimeMs: NO_TIME,
      mid: null,
      head: firstFrame({ key }, this.pipeline),
      headTimeMs: NO_TIME,
      tail: new EventTail(this.pipeline.topic.archive),
      published: NO_PUBLISHED,
      aliases: null,
      effects: null,
      rows: null,
      recentIds: null,
      lateIds: null,
      lastReceivedAtMs: record.receivedAtMs,
      lastOffset: record.offset,
      silentSinceMs: Number.NaN,
      silencesPassed: 0,
      silenceEpisodes: NO_EPISODES,
      queuedAtMs: known?.queuedAtMs ?? null,
      toSave: false,
      unsaved: false,
      unseen: false,
    }
    if (known !== undefined) this.#unsaved = this.#unsaved.filter((each) => each !== known)
    this.#slots.set(scoped, slot)
    return slot
  }

  /** Notes that the key spoke, and ends what its silence had opened. */
  #heard(slot: KeySlot<E, S>, record: Arrival, eventTimeMs: EpochMs): void {
    slot.lastReceivedAtMs = record.receivedAtMs
    slot.lastOffset = record.offset
    slot.silencesPassed = 0
    const shortest = this.#watched[0]
    const inTime = shortest !== undefined && record.receivedAtMs - eventTimeMs < shortest.afterMs
    slot.silentSinceMs = inTime ? record.receivedAtMs : Number.NaN
    if (inTime) this.#queueSilence(slot)
    for (const episode of slot.silenceEpisodes) {
      episode.status = 'resolved'
      episode.endsAtMs = Math.max(episode.startsAtMs, record.receivedAtMs)
      episode.updatedAtMs = episode.endsAtMs
      episode.closedBy = record.offset
      this.#publish(episode)
      slot.published = slot.published.filter((known) => known.episode.id !== episode.id)
    }
    if (slot.silenceEpisodes.length > 0) slot.silenceEpisodes = NO_EPISODES
    this.#markUnsaved(slot)
    this.#markUnseen(slot)
  }

  /** Applies the event in order, or where it belongs; false where it is too old for that. */
  #place(slot: KeySlot<E, S>, entry: TailEvent<E>): boolean {
    if (entry.eventTimeMs >= slot.headTimeMs) {
      advanceBase(slot, this.#copy)
      this.#makeRoom(slot)
      slot.tail.push(entry)
      slot.headTimeMs = entry.eventTimeMs
      this.#context.enter(slot, slot.head)
      this.#apply(slot.head, entry, slot.tail.length - 1)
      return true
    }
    this.#makeRoom(slot)
    if (entry.eventTimeMs < slot.baseTimeMs) return false
    this.#counts.reordered++
    const index = slot.tail.indexFor(entry.eventTimeMs)
    slot.tail.insert(index, entry)
    if (slot.mid !== null && index < slot.mid.index) {
      slot.mid = { ...slot.mid, index: slot.mid.index + 1 }
    }
    const closed: Episode[] = []
    const rows: RowsById = new Map()
    this.#rebuild(slot, { closed, rows })
    for (const change of amendRows(slot, this.pipeline, rows)) this.#rows.set(rowId(change), change)
    this.#amend(slot, [...closed, ...this.pipeline.openEpisodes(slot.head.state)])
    return true
  }

  /** For states that order their events themselves: nothing is kept to go back to. True where it came too late. */
  #applyAtHead(slot: KeySlot<E, S>, entry: TailEvent<E>): boolean {
    const late = entry.eventTimeMs < slot.headTimeMs - DISORDER_ALLOWANCE_MS
    const eventTimeMs = Math.max(entry.eventTimeMs, slot.headTimeMs)
    this.#context.enter(slot, slot.head)
    this.#apply(slot.head, { ...entry, eventTimeMs }, 0)
    slot.headTimeMs = eventTimeMs
    settleInPlace(slot)
    return late
  }

  #makeRoom(slot: KeySlot<E, S>): void {
    if (slot.tail.length < MAX_TAIL_EVENTS) return
    slot.base ??= firstFrame(slot, this.pipeline)
    const { base } = slot
    this.#context.enterRebuild(slot, base, nothingAsked())
    shortenTail(slot, base, (frame, entry, index) => this.#apply(frame, entry, index))
  }

  #apply(frame: Frame<S>, entry: TailEvent<E>, tailIndex: number): void {
    if (frame.timers.length > 0) this.#fireTimers(frame, entry)
    this.#context.eventTimeMs = entry.eventTimeMs
    this.#context.offset = entry.offset
    this.#context.tailIndex = tailIndex
    this.pipeline.onEvent(frame.state, entry.event, this.#context)
  }

  /** Timers due at or before the event, in order of time, then name. */
  #fireTimers(frame: Frame<S>, entry: TailEvent<E>): void {
    this.#context.offset = entry.offset
    for (;;) {
      const due = frame.timers
        .filter((timer) => timer.atMs <= entry.eventTimeMs)
        .sort((a, b) => a.atMs - b.atMs || (a.name < b.name ? -1 : 1))[0]
      if (due === undefined) return
      frame.timers = frame.timers.filter((timer) => timer !== due)
      this.#context.eventTimeMs = due.atMs
      this.pipeline.onTimer(frame.state, due.name, this.#context)
    }
  }

  /** Computes head and mid from base and tail; what comes out on the way is put into `rebuilt`. */
  #rebuild(slot: KeySlot<E, S>, rebuilt: Rebuilt): void {
    this.#slot = slot
    slot.head = slot.base === null ? firstFrame(slot, this.pipeline) : this.#copy(slot.base)
    this.#context.enterRebuild(slot, slot.head, rebuilt)
    for (let index = 0; index <= slot.tail.length; index++) {
      if (slot.mid?.index === index) slot.mid = { ...slot.mid, frame: this.#copy(slot.head) }
      if (index < slot.tail.length) this.#apply(slot.head, slot.tail.at(index), index)
    }
    slot.headTimeMs = slot.tail.timeAt(slot.tail.length - 1) ?? slot.headTimeMs
  }

  #amend(slot: KeySlot<E, S>, recomputed: readonly Episode[]): void {
    const cause = this.#cause.offset
    const { amended, opened, withdrawn, renamed } = reconcile(
      slot.published,
      recomputed,
      (episode) => splitEpisodeId(this, episode, cause),
    )
    const changes = [...amended, ...opened]
    for (const episode of changes.sort((a, b) => a.startsAtMs - b.startsAtMs)) {
      this.#publish(episode)
    }
    for (const known of withdrawn) this.#withdraw(slot, known)
    if (!renamed) return
    for (const episode of recomputed) {
      if (episode.id === episodeId(this, episode)) slot.aliases?.delete(openerOf(episode))
      else {
        slot.aliases ??= new Map()
        slot.aliases.set(openerOf(episode), episode.id)
      }
    }
    // Once more, so that the mid holds the ids that were published too.
    this.#rebuild(slot, nothingAsked())
  }

  #withdraw(slot: KeySlot<E, S>, known: PublishedEpisode): void {
    const episode: Episode = {
      ...known.episode,
      status: 'resolved',
      endsAtMs: known.episode.startsAtMs,
      updatedAtMs: slot.headTimeMs,
      closedBy: this.#cause.offset,
    }
    const withdrawn = { episode, revision: known.revision + 1, withdrawn: true }
    slot.published = slot.published.map((each) => (each === known ? withdrawn : each))
    this.#emit(withdrawn)
  }

  #publish(episode: Episode): void {
    const slot = this.#slot
    assert(slot !== null, 'An episode was published outside of an event.')
    const index = slot.published.findIndex((known) => known.episode.id === episode.id)
    const revision = (slot.published[index]?.revision ?? 0) + 1
    const published = { episode: { ...episode }, revision, withdrawn: false }
    slot.published =
      index === -1 ? [...slot.published, published] : slot.published.with(index, published)
    this.#emit(published)
  }

  #emit(published: PublishedEpisode): void {
    this.#alerts.push(toAlert(this, published, this.#cause))
  }

  #askFor(entry: OutboxEntry, offset: number): void {
    const slot = this.#slot
    assert(slot !== null, 'An effect was asked for outside of an event.')
    slot.effects ??= new Map()
    if (slot.effects.has(entry.id)) return
    slot.effects.set(entry.id, offset)
    this.#outbox.push(entry)
  }

  #putRow(change: RowChange): void {
    const id = rowId(change)
    const slot = this.#slot
    // Where nothing is computed again, no row is found to have been put in error.
    if (slot !== null && this.pipeline.takesLateEvents !== true) {
      slot.rows ??= new Map()
      slot.rows.set(id, change.offset)
    }
    this.#rows.set(id, change)
  }

  #forgiveOutage(nowMs: EpochMs): void {
    if (nowMs - this.#arrivalClockMs < this.outageMs || this.#arrivalClockMs === NO_TIME) return
    for (const slot of this.#slots.values()) {
      if (Number.isNaN(slot.silentSinceMs) || slot.silencesPassed > 0) continue
      this.#willChange(slot)
      slot.silentSinceMs = nowMs
      this.#markUnsaved(slot)
    }
  }

  /** Moves the arrival clock and lets keys fall silent whose time is up, in the order of their time. */
  #advanceArrival(nowMs: EpochMs): void {
    if (nowMs <= this.#arrivalClockMs) return
    this.#arrivalClockMs = nowMs
    for (;;) {
      const slot = this.#nextSilenceBy(nowMs)
      if (slot === undefined) return
      this.#silences.pop()
      slot.queuedAtMs = null
      const deadlineMs = this.#deadlineMs(slot)
      if (deadlineMs <= this.#silenceDueMs(slot)) this.#passDeadline(slot, deadlineMs)
      else this.#fallSilent(slot)
      this.#queueSilence(slot)
    }
  }

  /** The key that falls silent, or whose deadline passes, first, at or before the time given; entries out of date are put right on the way. */
  #nextSilenceBy(nowMs: EpochMs): KeySlot<E, S> | undefined {
    for (;;) {
      const atMs = this.#silences.nextAtMs
      if (atMs > nowMs) return undefined
      const slot = this.#slots.get(this.#silences.nextKey)
      const current = slot?.queuedAtMs === atMs ? slot : undefined
      if (current !== undefined && this.#dueMs(current) <= atMs) return current
      this.#silences.pop()
      if (current === undefined) continue
      current.queuedAtMs = null
      this.#queueSilence(current)
    }
  }

  #silenceDueMs(slot: KeySlot<E, S>): EpochMs {
    const silence = this.#watched[slot.silencesPassed]
    return silence === undefined || Number.isNaN(slot.silentSinceMs)
      ? Number.POSITIVE_INFINITY
      : slot.silentSinceMs + silence.afterMs
  }

  #deadlineMs(slot: KeySlot<E, S>): EpochMs {
    return this.pipeline.deadline?.atMs(slot.head.state) ?? Number.POSITIVE_INFINITY
  }

  #dueMs(slot: KeySlot<E, S>): EpochMs {
    return Math.min(this.#silenceDueMs(slot), this.#deadlineMs(slot))
  }

  #passDeadline(slot: KeySlot<E, S>, atMs: EpochMs): void {
    this.#willChange(slot)
    this.#markUnsaved(slot)
    this.#markUnseen(slot)
    settle(slot, this.#copy)
    this.#slot = slot
    this.#cause = { offset: slot.lastOffset, receivedAtMs: atMs, tenantId: slot.tenantId }
    this.#context.enterOccasion(slot, `deadline/${atMs}`)
    this.#context.eventTimeMs = Math.max(atMs, slot.headTimeMs)
    this.#context.offset = slot.lastOffset
    this.pipeline.deadline?.onPassed(slot.head.state, this.#context)
    settle(slot, this.#copy)
    this.#follow(slot)
    assert(this.#deadlineMs(slot) > atMs, `${this.pipeline.name}: a deadline passed and stays.`)
  }

  #queueSilence(slot: KeySlot<E, S>): void {
    const dueMs = this.#dueMs(slot)
    if (dueMs >= (slot.queuedAtMs ?? Number.POSITIVE_INFINITY)) return
    slot.queuedAtMs = dueMs
    this.#silences.push(dueMs, scopedKey(slot.tenantId, slot.key))
  }

  #fallSilent(slot: KeySlot<E, S>): void {
    const silence = this.#watched[slot.silencesPassed]
    if (silence === undefined) return
    const startsAtMs = this.#silenceDueMs(slot)
    this.#willChange(slot)
    slot.silencesPassed++
    this.#markUnsaved(slot)
    this.#markUnseen(slot)
    this.#putOpenRows(slot)
    const episode = silence.describe(slot.head.state, {
      key: slot.key,
      startsAtMs,
      offset: slot.lastOffset,
    })
    if (episode === undefined) return
    if (slot.silenceEpisodes.some(({ rule }) => rule === episode.rule)) return
    this.#slot = slot
    this.#cause = { offset: slot.lastOffset, receivedAtMs: startsAtMs, tenantId: slot.tenantId }
    this.#context.enter(slot, slot.head)
    this.#context.offset = slot.lastOffset
    this.#context.openEpisode(episode)
    slot.silenceEpisodes = [...slot.silenceEpisodes, episode]
  }

  /** Nobody knows when the key speaks again: what it had begun is written as far as it got. */
  #putOpenRows(slot: KeySlot<E, S>): void {
    if (this.pipeline.rows === undefined) return
    const { key, tenantId, lastOffset: offset } = slot
    const open = openRows(this.pipeline, { key, tenantId, state: slot.head.state, offset })
    const { newestOffset } = slot.tail
    for (const [id, change] of open) {
      if (newestOffset !== undefined) {
        slot.rows ??= new Map()
        slot.rows.set(id, newestOffset)
      }
      this.#rows.set(id, change)
    }
  }

  #take(
    fromOffset: number,
    about: Pick<BatchOutput, 'journal' | 'causedByTick' | 'windows'>,
  ): BatchOutput {
    const output: BatchOutput = {
      fromOffset,
      toOffset: this.#nextOffset,
      watermarkMs: this.watermarkMs,
      archive: this.#encoder.pendingBytes > 0 ? [this.#encoder.take()] : [],
      alerts: this.#alerts,
      deadLetters: this.#deadLetters,
      outbox: this.#outbox,
      rows: this.#rows.size === 0 ? NO_ROWS : [...this.#rows.values()],
      counts: this.#counts,
      ...about,
    }
    this.#alerts = []
    this.#deadLetters = []
    this.#outbox = []
    if (this.#rows.size > 0) this.#rows = new Map()
    this.#counts = noCounts()
    return output
  }

  #isForgettable(slot: KeySlot<E, S>): boolean {
    return (
      this.#arrivalClockMs - slot.lastReceivedAtMs > this.pipeline.forgetAfterMs &&
      slot.silenceEpisodes.length === 0 &&
      this.#deadlineMs(slot) === Number.POSITIVE_INFINITY &&
      this.pipeline.openEpisodes(slot.head.state).length === 0
    )
  }

  /** Frees keys that an event would find forgotten anyway. */
  #sweep(): void {
    const nowMs = this.#arrivalClockMs
    if (nowMs - this.#sweptAtMs < this.pipeline.forgetAfterMs / 10) return
    this.#sweptAtMs = nowMs
    for (const [key, slot] of this.#slots) {
      if (!this.#isForgettable(slot)) continue
      this.#slots.delete(key)
      for (const index of this.#subjects.values()) index.forget(key)
      this.#forgotten.push(key)
    }
    this.#unsaved = this.#unsaved.filter(
      (slot) => this.#slots.get(scopedKey(slot.tenantId, slot.key)) === slot,
    )
  }

  #encodePartition(): string {
    const state: PartitionState = {
      arrivalClockMs: this.#arrivalClockMs,
      lastArrivalMs: this.#lastArrivalMs,
      tickMs: this.#tickMs,
      newestEventMs: this.#windows.newestMs,
      ...(this.#entry === null ? {} : { entry: this.#entry }),
      windows: this.#windows.encode(),
      broadcasts: this.pipeline.broadcasts.map(({ topic }) => [
        topic,
        this.#broadcasts.get(topic),
        this.#broadcastOffsets[topic] ?? 0,
      ]),
    }
    return encodePartition(state, this.pipeline)
  }

  #decodePartition(text: string): void {
    const state = decodePartition(text, this.pipeline)
    this.#arrivalClockMs = state.arrivalClockMs
    this.#lastArrivalMs = state.lastArrivalMs
    this.#tickMs = state.tickMs
    this.#entry = state.entry ?? null
    this.#windows.restore(state.windows, state.newestEventMs)
    for (const [topic, table, offset] of state.broadcasts) {
      this.#broadcasts.set(topic, table)
      this.#broadcastOffsets[topic] = offset
    }
  }

  /** To be called before anything of a key changes that snapshots hold. */
  #willChange(slot: KeySlot<E, S>): void {
    if (slot.toSave) this.#snapshot?.save(slot)
  }

  #willChangeAll(): void {
    this.#snapshot?.saveSome(Number.POSITIVE_INFINITY)
  }

  #markUnsaved(slot: KeySlot<E, S>): void {
    if (slot.unsaved) return
    slot.unsaved = true
    this.#unsaved.push(slot)
  }

  #markUnseen(slot: KeySlot<E, S>): void {
    if (slot.unseen || this.pipeline.view === undefined) return
    slot.unseen = true
    this.#unseen.push(slot)
  }
}

function isKnown(slot: Pick<KeySlot<never, never>, 'recentIds' | 'lateIds'>, id: string): boolean {
  return slot.recentIds?.has(id) === true || slot.lateIds?.has(id) === true
}

/** Late ones are kept apart: a history that is sent again must not push out the ids of what is recent. */
function rememberId(
  slot: Pick<KeySlot<never, never>, 'recentIds' | 'lateIds'>,
  id: string,
  late: boolean,
): void {
  if (late) {
    slot.lateIds ??= new RecentIds()
    slot.lateIds.add(id)
  } else {
    slot.recentIds ??= new RecentIds()
    slot.recentIds.add(id)
  }
}

/** A task whose types of event and state nobody outside needs to know. */
// biome-ignore lint/suspicious/noExplicitAny: the runner passes event and state through without looking.
export type AnyTask = Task<any, any>

function silencesOf<E extends StreamEvent, S>(
  { silences, rules, name, forgetAfterMs }: Pipeline<E, S>,
  content: unknown,
): readonly Silence<S>[] {
  if (rules === undefined) return silences
  const ofRules = rules.silences(content).filter(({ afterMs }) => afterMs < forgetAfterMs)
  assert(silences.length === 0 || ofRules.length === 0, `${name}: silences have two sources.`)
  return silences.length > 0 ? silences : ofRules
}

/** When and where an event came in. */
type Arrival = Pick<LogRecord, 'offset' | 'receivedAtMs' | 'tenantId'>

function nothingAsked(): Rebuilt {
  return { closed: [], rows: null }
}

/** No event key and no tenant's name begins with it, or it is doubled. */
const TENANT_MARK = '\u001f'

/** Keys of different tenants never meet, even where they are spelled alike. */
export function scopedKey(tenantId: string, key: string): string {
  if (tenantId !== DEFAULT_TENANT) return `${TENANT_MARK}${tenantId}${TENANT_MARK}${key}`
  return key.startsWith(TENANT_MARK) ? `${TENANT_MARK}${TENANT_MARK}${key}` : key
}
