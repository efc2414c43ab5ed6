// A task: one partition of one pipeline. It owns the partition's keyed state, timers and watermark in
// memory and turns batches of records into outputs. Pure: no clock, no I/O; the runner around it reads,
// publishes and commits. What it is made of:
//
//   records ─► decode ─► KeyStore ─► SilenceWatch ─► KeyTimeline ─► WindowEras ─► TaskOutput
//                        its slot    it spoke        its state      windows       rows, alerts, effects

import { assert } from '../kernel/errors.ts'
import { derivedId } from '../kernel/ids.ts'
import type { Result } from '../kernel/result.ts'
import type { DurationMs, EpochMs } from '../kernel/time.ts'
import type { ArchivedEvent, ArchiveEncoder, EventFlag } from '../ports/archive.ts'
import type { JournalEntry, SnapshotEntry, WindowResult } from '../ports/checkpoint-store.ts'
import type { LogRecord } from '../ports/log.ts'
import type { ViewEntry } from '../ports/views.ts'
import type { BatchInputs, BatchOutput } from './batch.ts'
import { BroadcastTables } from './broadcast-tables.ts'
import { type DecodeProblem, decodeRecord } from './decode.ts'
import { deadlineMs, type KeySlot, UNCOMPUTED } from './key-slot.ts'
import { KeyStore } from './key-store.ts'
import { KeyTimeline } from './key-timeline.ts'
import { viewEntryOf } from './key-views.ts'
import { openWindowEntries } from './open-windows.ts'
import type { Pipeline } from './pipeline.ts'
import { Prefetcher } from './prefetch.ts'
import { RecentIds } from './recent-ids.ts'
import { scopedKey } from './scoped-key.ts'
import { SilenceWatch } from './silence-watch.ts'
import { TaskContext } from './task-context.ts'
import { TaskOutput } from './task-output.ts'
import {
  decodePartition,
  encodePartition,
  PARTITION_KEY,
  type PartitionState,
} from './task-snapshot.ts'
import type { StreamEvent } from './topic.ts'
import { WindowEras } from './window-eras.ts'

/** A device clock further ahead of the arrival than this is not believed. */
export const FUTURE_TOLERANCE_MS: DurationMs = 5 * 60_000

const NO_TIME = Number.NEGATIVE_INFINITY
const DUPLICATE: readonly EventFlag[] = ['duplicate']
const LATE: readonly EventFlag[] = ['late']
const FUTURE: readonly EventFlag[] = ['future']
const FUTURE_DUPLICATE: readonly EventFlag[] = ['future', 'duplicate']

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
  readonly #decode: (record: LogRecord) => Result<E, DecodeProblem>
  readonly #keys: KeyStore<E, S>
  readonly #broadcasts: BroadcastTables<E, S>
  readonly #references = new Map<string, unknown>()
  readonly #referenceVersions: Record<string, number> = {}
  readonly #output: TaskOutput<E, S>
  readonly #context: TaskContext<E, S>
  readonly #timeline: KeyTimeline<E, S>
  readonly #silences: SilenceWatch<E, S>
  readonly #windows: WindowEras<E>
  readonly #ahead = new Prefetcher<LogRecord>(({ tenantId, key }) =>
    this.#prefetch(scopedKey(tenantId, key)),
  )
  #nextOffset = 0
  /** Wall time as far as records and ticks tell. */
  #arrivalClockMs: EpochMs = NO_TIME
  /** Arrival of the newest record. */
  #lastArrivalMs: EpochMs = NO_TIME
  #tickMs: EpochMs = 0
  #entry: { readonly offset: number; readonly step: number } | null = null
  /** Outputs are thrown away: they are committed already. */
  #restoring = false

  constructor(options: TaskOptions<E, S>) {
    const { pipeline, topic, partition, encoder } = options
    this.pipeline = pipeline
    this.topic = topic
    this.partition = partition
    this.#decode = options.decode ?? ((record) => decodeRecord(record, pipeline.topic))
    const place = { topic, partition }
    this.#keys = new KeyStore(pipeline)
    this.#broadcasts = new BroadcastTables(pipeline, this.#keys)
    this.#output = new TaskOutput({ place, pipeline, encoder })
    const tables = { references: this.#references, broadcasts: this.#broadcasts.tables }
    this.#context = new TaskContext(place, tables, this.#output)
    const parts = { pipeline, context: this.#context, output: this.#output }
    this.#timeline = new KeyTimeline({ ...parts, place })
    this.#silences = new SilenceWatch({ ...parts, keys: this.#keys })
    this.#windows = new WindowEras(pipeline.windows, this.#context)
  }

  get nextOffset(): number {
    return this.#nextOffset
  }

  get keys(): number {
    return this.#keys.size
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
    return this.#silences.outageMs
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
    return this.#broadcasts.offsetOf(topic)
  }

  /** Some keys changed since their view was taken. */
  get hasUnseen(): boolean {
    return this.#keys.hasUnseen
  }

  /** Everything before this event time is taken to have arrived. */
  get watermarkMs(): EpochMs {
    return this.#windows.watermarkMs
  }

  /** True where applying this tick would decide something; other ticks need not be kept. */
  tickMatters(tickMs: EpochMs): boolean {
    return this.#silences.hasDue(tickMs) || this.#windows.wouldFinish(tickMs)
  }

  /**
   * Applies the inputs, then the records, which must go on where the task stands. Records below that
   * are repeats from the log and are dropped. `nextOffset` may lie beyond the last record.
   */
  process(records: readonly LogRecord[], nextOffset: number, inputs: BatchInputs): BatchOutput {
    const fromOffset = this.#nextOffset
    const journal = this.#applyInputs(inputs)
    const inputWindows = this.#windows.take()
    const { alertCount, effectCount } = this.#output
    const causedByTick = journal.length > 0 && alertCount + inputWindows.length + effectCount > 0
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
    const windows = this.#windows.take()
    return this.#take(fromOffset, { journal: [], causedByTick: false, windows })
  }

  /** Live views of keys that changed, at most `limit`; the rest stays for the next call. */
  takeViews(limit: number): readonly ViewEntry[] {
    const facts = {
      partition: this.partition,
      clockMs: Math.max(0, this.#arrivalClockMs),
      rules: this.#references.get(this.pipeline.rules?.table ?? ''),
    }
    const taken = this.#keys.takeUnseen(limit)
    return taken
      .map((slot) => viewEntryOf(slot, this.pipeline, facts))
      .filter((entry) => entry !== undefined)
  }

  /** Marks keys as unseen whose views did not get where they should. */
  showAgain(entries: readonly Pick<ViewEntry, 'tenantId' | 'key'>[]): void {
    for (const { tenantId, key } of entries) {
      const slot = this.#keys.get(scopedKey(tenantId, key))
      if (slot !== undefined) this.#keys.markUnseen(slot)
    }
  }

  /** Marks every key as unseen, so that a view store that lost everything is filled again. */
  showAll(): void {
    for (const slot of this.#keys.values()) this.#keys.markUnseen(slot)
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
    for (const scoped of this.#keys.sweep(this.#arrivalClockMs)) this.#broadcasts.forget(scoped)
    this.#keys.beginSnapshot({ key: PARTITION_KEY, state: this.#encodePartition() })
  }

  /** Keys written to snapshots so far, also those that were written because an event was about to change them. */
  get savedKeys(): number {
    return this.#keys.savedKeys
  }

  /** Writes up to so many more keys to the snapshot that was begun; its entries once it is whole. */
  snapshotSome(keys: number): readonly SnapshotEntry[] | null {
    return this.#keys.snapshotSome(keys)
  }

  /** Starts from a snapshot: `entries` in the order they were saved, `offset` what they stand for. */
  loadSnapshotEntries(entries: readonly SnapshotEntry[]): void {
    for (const { key, state } of entries) {
      if (key !== PARTITION_KEY) this.#keys.load(key, state)
      else if (state !== null) this.#decodePartition(state)
    }
  }

  /** Ends the loading; from here on records from `offset` on can be processed. */
  beginAt(offset: number, references: BatchInputs['references']): void {
    this.#nextOffset = offset
    for (const reference of references) this.#setReference(reference)
    for (const slot of this.#keys.values()) {
      if (slot.head === UNCOMPUTED) {
        this.#output.beginAfterLast(slot, slot.lastReceivedAtMs)
        this.#timeline.restore(slot)
      }
      this.#silences.queue(slot)
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
    if (inputs.references.length > 0 || inputs.broadcasts.length > 0) this.#keys.willChangeAll()
    let changed = false
    let newTables = false
    for (const reference of inputs.references) {
      if (this.#referenceVersions[reference.name] === reference.version) continue
      this.#setReference(reference)
      if (reference.name === this.pipeline.rules?.table) this.#rulesChanged()
      for (const slot of this.#keys.values()) {
        this.#timeline.settle(slot)
        this.#keys.markUnsaved(slot)
      }
      newTables = true
    }
    changed = newTables
    for (const progress of inputs.broadcasts) {
      const isNew = this.#broadcasts.apply(progress, (slot, { name, record, listeners }) => {
        const { receivedAtMs } = record
        const atMs = Math.max(slot.headTimeMs, receivedAtMs)
        this.#outsideEvents(slot, { name, atMs, receivedAtMs }, () =>
          listeners.onRecord(slot.head.state, record, this.#context),
        )
      })
      if (isNew) changed = true
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
    if (reference.name === this.pipeline.rules?.table) this.#silences.setRules(reference.content)
  }

  /** Ends what rules had opened that are gone; silences are judged anew by those that are there. */
  #rulesChanged(): void {
    for (const slot of this.#keys.values()) {
      this.#output.beginAfterLast(slot, slot.lastReceivedAtMs)
      this.#context.enter(slot, slot.head)
      this.#context.eventTimeMs = Math.max(0, slot.headTimeMs)
      this.#context.offset = slot.lastOffset
      const before = this.#output.alertCount
      this.pipeline.rules?.changed(slot.head.state, this.#context)
      this.#silences.judgeAnew(slot, this.#arrivalClockMs)
      if (this.#output.alertCount > before) this.#keys.markUnseen(slot)
    }
  }

  /** Lets something other than an event change a key: what comes out of order from before it is late. */
  #outsideEvents(
    slot: KeySlot<E, S>,
    { name, atMs, receivedAtMs }: Occasion,
    change: () => void,
  ): void {
    this.#output.beginAfterLast(slot, receivedAtMs)
    this.#context.enterOccasion(slot, name)
    this.#context.eventTimeMs = Math.max(0, atMs)
    this.#context.offset = slot.lastOffset
    change()
    this.#timeline.settle(slot)
    this.#follow(slot)
    this.#keys.markUnsaved(slot)
    this.#keys.markUnseen(slot)
  }

  /** Takes note of what the key listens to now, and when it is to be looked at again. */
  #follow(slot: KeySlot<E, S>): void {
    this.#broadcasts.follow(slot)
    if (this.pipeline.deadline !== undefined) this.#silences.queue(slot)
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
    const apart = newTables || this.#broadcasts.concernKeys
    const step = last === undefined ? 0 : last.step + (apart ? 1 : 0)
    this.#entry = { offset, step }
    return {
      offset,
      step,
      broadcasts: this.#broadcasts.offsets,
      references: { ...this.#referenceVersions },
      tickMs: this.#tickMs,
    }
  }

  #handle(record: LogRecord): void {
    if (this.pipeline.readDeadLetter !== undefined) {
      if (!this.#restoring) this.#output.deadLetter(this.pipeline.readDeadLetter(record, this))
      return
    }
    const decoded = this.#decode(record)
    if (!decoded.ok) {
      this.#reject(record, decoded.error)
      return
    }
    const event = decoded.value
    const flags = this.#accept(event, record)
    if (!this.#restoring) this.#output.archive(record, event, flags)
  }

  #reject({ offset, receivedAtMs, tenantId }: LogRecord, problem: DecodeProblem): void {
    const { topic, partition } = this
    this.#output.counts.rejected++
    this.#output.deadLetter({
      id: derivedId('dead-letter', topic, partition, offset),
      topic,
      receivedAtMs,
      tenantId,
      door: 'log',
      ...problem,
      position: { topic, partition, offset },
    })
  }

  #accept(event: E, record: Arrival): readonly EventFlag[] | null {
    this.#output.counts.events++
    // Only what is archived moves time: history must run from the archive as it ran from the log.
    this.#silences.forgiveOutage(this.#arrivalClockMs, record.receivedAtMs)
    this.#advanceArrival(record.receivedAtMs)
    this.#windows.passTimeAtEvent(record.receivedAtMs)
    this.#lastArrivalMs = Math.max(this.#lastArrivalMs, record.receivedAtMs)
    return this.#judge(event, record)
  }

  /** Gives the event to its key and returns what is noted about it. */
  #judge(event: E, record: Arrival): readonly EventFlag[] | null {
    const { offset, receivedAtMs } = record
    const { counts } = this.#output
    const key = this.pipeline.topic.keyOf(event)
    const slot = this.#keys.slotFor(key, record, this.#arrivalClockMs)
    this.#keys.willChange(slot)
    this.#output.begin(slot, record)
    const future = event.recordedAtMs > receivedAtMs + FUTURE_TOLERANCE_MS
    const eventTimeMs = future ? receivedAtMs : event.recordedAtMs
    if (event.eventId !== null && isKnown(slot, event.eventId)) {
      counts.duplicates++
      return future ? FUTURE_DUPLICATE : DUPLICATE
    }
    slot.lastReceivedAtMs = receivedAtMs
    slot.lastOffset = offset
    this.#silences.heard(slot, record, eventTimeMs)
    this.#keys.markUnsaved(slot)
    this.#keys.markUnseen(slot)
    const entry = { event, eventTimeMs, offset, receivedAtMs }
    const late = this.#timeline.add(slot, entry)
    this.#follow(slot)
    if (event.eventId !== null) rememberId(slot, event.eventId, late)
    if (future) {
      counts.future++
      return FUTURE
    }
    counts.unwindowed += this.#windows.add(entry, slot)
    if (!late) return null
    counts.late++
    return LATE
  }

  /** Reads a little of all that the next event of a key changes; some sum of it. */
  #prefetch(scoped: string): number {
    const slot = this.#keys.get(scoped)
    if (slot === undefined) return 0
    const { lastOffset, tail, recentIds, head } = slot
    const ids = recentIds === null ? 0 : recentIds.prefetch()
    return lastOffset + tail.prefetch() + ids + (this.pipeline.prefetch?.(head.state) ?? 0)
  }

  /** Moves the arrival clock and lets keys fall silent whose time is up, in the order of their time. */
  #advanceArrival(nowMs: EpochMs): void {
    if (nowMs <= this.#arrivalClockMs) return
    this.#arrivalClockMs = nowMs
    for (;;) {
      const slot = this.#silences.takeDue(nowMs)
      if (slot === undefined) return
      if (this.#silences.isDeadline(slot)) this.#passDeadline(slot)
      else this.#silences.fallSilent(slot)
      this.#silences.queue(slot)
    }
  }

  #passDeadline(slot: KeySlot<E, S>): void {
    const receivedAtMs = deadlineMs(slot, this.pipeline)
    this.#keys.willChange(slot)
    this.#timeline.settle(slot)
    const atMs = Math.max(receivedAtMs, slot.headTimeMs)
    this.#outsideEvents(slot, { name: `deadline/${receivedAtMs}`, atMs, receivedAtMs }, () =>
      this.pipeline.deadline?.onPassed(slot.head.state, this.#context),
    )
    const passed = deadlineMs(slot, this.pipeline) > receivedAtMs
    assert(passed, `${this.pipeline.name}: a deadline passed and stays.`)
  }

  #take(
    fromOffset: number,
    about: Pick<BatchOutput, 'journal' | 'causedByTick' | 'windows'>,
  ): BatchOutput {
    const { watermarkMs } = this
    return this.#output.take({ fromOffset, toOffset: this.#nextOffset, watermarkMs, ...about })
  }

  #encodePartition(): string {
    const state: PartitionState = {
      arrivalClockMs: this.#arrivalClockMs,
      lastArrivalMs: this.#lastArrivalMs,
      tickMs: this.#tickMs,
      newestEventMs: this.#windows.newestMs,
      ...(this.#entry === null ? {} : { entry: this.#entry }),
      windows: this.#windows.encode(),
      broadcasts: this.#broadcasts.encode(),
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
    this.#broadcasts.restore(state.broadcasts)
  }
}

/** A task whose types of event and state nobody outside needs to know. */
// biome-ignore lint/suspicious/noExplicitAny: the runner passes event and state through without looking.
export type AnyTask = Task<any, any>

/** When and where an event came in. */
type Arrival = Pick<LogRecord, 'offset' | 'receivedAtMs' | 'tenantId'>

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
