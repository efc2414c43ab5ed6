// What a domain declares so that the engine can run it. Everything here is pure: a function of state,
// event and event time, with no clock, chance or I/O.

import type { DurationMs, EpochMs } from '../kernel/time.ts'
import type { FieldValue, Severity } from '../ports/alert.ts'
import type { DeadLetter, OutboxEntry } from '../ports/checkpoint-store.ts'
import type { LogRecord } from '../ports/log.ts'
import type { RowLayout, RowTable } from '../ports/row-table.ts'
import type { Episode, PartitionPlace } from './episode.ts'
import type { StreamEvent, TopicDefinition } from './topic.ts'
import type { WindowDefinition } from './windows.ts'

/** What is known of one key beside its state. Changed by the engine while it calls; never kept. */
export interface KeyContext {
  readonly key: string
  readonly tenantId: string
  /** Event time of the call: of the event, clamped, or of the timer. */
  readonly eventTimeMs: EpochMs
  readonly offset: number
  /** Content of a reference table, at the version that the batch sees. */
  reference(table: string): unknown
  /** State of a broadcast topic, at the position that the batch sees. */
  broadcast(topic: string): unknown
  /** Fires once the key's event time reaches `atMs`; replaces the timer of that name. */
  setTimer(name: string, atMs: EpochMs): void
  clearTimer(name: string): void
  /** Gives a new episode its id and publishes it. */
  openEpisode(episode: Episode): void
  /** Publishes a change of an episode that is open, or that this call closed. */
  publishEpisode(episode: Episode): void
  /**
   * Says how a durable row is from now on. A row that may be put again must be among the `rows.open` of the
   * state meanwhile: where a late event shows that it was put in error, it becomes again what it was there.
   */
  put: PutRow
  /** Asks for an effect outside; `name` makes its id unique among the effects of one event. */
  effect(name: string, payload: OutboxEntry['payload']): void
}

export type PutRow = <R>(table: RowTable<R>, row: R) => void

/** Reference tables that begin so hold rules; a task takes only that of its own pipeline. */
export const RULE_TABLE_PREFIX = 'rules.'

/** A rule whose condition holds, though not yet for long or often enough to fire. */
export interface PendingRule {
  readonly rule: string
  readonly ruleVersion: number
  readonly severity: Severity
  readonly entityType: string
  readonly instance: string
  readonly sinceMs: EpochMs
  /** Event time at which it fires if it goes on holding; null where it counts. */
  readonly firesAtMs: EpochMs | null
  /** Events on which it held, and how many it takes; null where it takes time. */
  readonly seen: number
  readonly needed: number | null
  /** Fields of the event that began to hold. */
  readonly value: Readonly<Record<string, FieldValue>>
}

/** The same for an event. */
export interface EventContext<E> extends KeyContext {
  /**
   * The event before this one in the key's event time, read anew with each call; null for the first of a key. Where
   * late events are taken as they come, none is kept.
   */
  previous(): E | null
}

/** Rules as far as the engine takes part in them. */
export interface PipelineRules<S> {
  /** Reference table that they come from; null where they never change. */
  readonly table: string | null
  /** Silences that they watch for, the shortest first. */
  silences(content: unknown): readonly Silence<S>[]
  /** The table has changed: ends what rules had opened that are there no more. */
  changed(state: S, context: KeyContext): void
  /** What is about to fire in this state, by the rules of the table. */
  pending(state: Readonly<S>, content: unknown): readonly PendingRule[]
  /** How often rules could not judge an event, since the last call. */
  takeFailures(): readonly {
    readonly rule: string
    readonly count: number
    readonly example: { readonly key: string; readonly offset: number; readonly missing: string }
  }[]
}

export interface Silence<S> {
  /** The rule that watches for it. */
  readonly rule?: string
  /** Wall time without an event of the key, after an event that came in time. */
  readonly afterMs: DurationMs
  /** Describes the episode that the silence opens; undefined where it does not matter. Changes no state. */
  describe(state: Readonly<S>, context: SilenceContext): Episode | undefined
}

export interface SilenceContext {
  readonly key: string
  readonly startsAtMs: EpochMs
  /** Offset of the last event before the silence. */
  readonly offset: number
}

export interface BroadcastRecord {
  readonly key: string
  readonly tenantId: string
  readonly receivedAtMs: EpochMs
  readonly value: unknown
}

/** A broadcast topic folded into a table that every task holds. */
export interface BroadcastDefinition<S = unknown> {
  readonly topic: string
  empty(): unknown
  /** Returns the table with the record applied; may change it in place. A record it can't read changes nothing. */
  apply(table: unknown, record: BroadcastRecord): unknown
  /** Where records concern keys of the task, and not only the table. */
  readonly listeners?: {
    /**
     * Keys of the records that concern a key, of its own tenant or of the default one. The same array as long
     * as they are the same: then nothing is looked at.
     */
    subjects(state: Readonly<S>, key: string): readonly string[]
    /**
     * Tells the key of a record that concerns it, at the arrival of the record or the key's newest event time if
     * that is later. Events older than the key's newest are late from then on.
     */
    onRecord(state: S, record: BroadcastRecord, context: KeyContext): void
  }
}

export interface Pipeline<E extends StreamEvent, S> {
  readonly name: string
  readonly topic: TopicDefinition<E>
  /** Columns that it needs of archived events, the rest being read as null; absent: all. */
  readonly archiveColumns?: readonly string[]
  /** Grows with every change of S, or of what `newState` gives, that older snapshots do not fit. */
  readonly stateFormat: number
  /** Keys that sent nothing for this long are forgotten. */
  readonly forgetAfterMs: DurationMs
  /** State is plain data that JSON carries without loss, but for NaN, which comes back as null. */
  newState(key: string): S
  /**
   * A copy that shares nothing that either side changes. `spare`, a state that nobody needs any more, may become the
   * copy: what is kept long and replaced often is what collecting memory takes its time for.
   */
  copyState(state: S, spare?: S): S
  /**
   * Reads a number from each object that the next event of the key will look at, and returns some sum of them, so that
   * their memory is near by then; absent where the state is small. Changes nothing.
   */
  prefetch?(state: Readonly<S>): number
  /** A state as it was, from what JSON made of it; absent where that is the same. */
  restoreState?(carried: S): S
  onEvent(state: S, event: E, context: EventContext<E>): void
  onTimer(state: S, timer: string, context: KeyContext): void
  /**
   * Events are given to the state as they come, also those that are late, at the key's newest event time: for
   * states that put their events in order themselves. None is kept to go back to. Late ones are flagged as any.
   */
  readonly takesLateEvents?: true
  /** A moment of wall time at which a key is looked at again, though nothing comes of it; absent where there is none. */
  readonly deadline?: {
    /** Null: none. After `onPassed` it must be null, or later than before. */
    atMs(state: Readonly<S>): EpochMs | null
    /** What came before it is settled: events that come out of order from before it are late. */
    onPassed(state: S, context: KeyContext): void
  }
  /** Episodes that are open in this state. */
  openEpisodes(state: S): readonly Episode[]
  /** Silences that are watched for whatever the rules say. */
  readonly silences: readonly Silence<S>[]
  readonly rules?: PipelineRules<S>
  readonly windows: readonly WindowDefinition<E>[]
  readonly broadcasts: readonly BroadcastDefinition<S>[]
  /** Durable rows that it puts; absent where there are none. */
  readonly rows?: {
    readonly tables: readonly RowLayout[]
    /** Puts every row that the state may still change, as far as it goes. Called, too, when a key falls silent. */
    open(state: Readonly<S>, key: string, put: PutRow): void
  }
  /** For the topic of dead letters itself: its records are kept as they are, and are no events. */
  readDeadLetter?(record: LogRecord, place: PartitionPlace): DeadLetter
  /** The live view of a key; absent where the domain shows none. */
  readonly view?: {
    readonly name: string
    document(
      state: S,
      key: string,
      about: ViewFacts<E>,
    ): Readonly<Record<string, unknown>> | undefined
  }
}

export interface ViewFacts<E = unknown> {
  /** The newest event in the key's event time, as far as the engine keeps it. */
  newest(): E | null
  readonly receivedAtMs: EpochMs
  /** Episodes open now, silences included. */
  readonly open: readonly Episode[]
}

/** A pipeline whose types of event and state nobody outside needs to know. */
// biome-ignore lint/suspicious/noExplicitAny: the engine passes event and state through without looking.
export type AnyPipeline = Pipeline<any, any>
