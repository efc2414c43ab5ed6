// Keys that say nothing: which of them falls silent, or has a deadline that passes, next; what a silence opens, and
// what ends with the next event. Time is that of arrival.

import { assert } from '../kernel/errors.ts'
import type { DurationMs, EpochMs } from '../kernel/time.ts'
import type { Episode } from './episode.ts'
import { deadlineMs, type KeySlot, NO_EPISODES } from './key-slot.ts'
import type { KeyStore } from './key-store.ts'
import type { Pipeline, Silence } from './pipeline.ts'
import { scopedKey } from './scoped-key.ts'
import { SilenceQueue } from './silence-queue.ts'
import type { TaskContext } from './task-context.ts'
import type { TaskOutput } from './task-output.ts'
import type { StreamEvent } from './topic.ts'

/**
 * Where a whole partition was quiet for so many times the shortest silence, it is we who did not hear: the
 * silences of its keys begin anew with the first record.
 */
export const OUTAGE_SILENCES = 2

export interface SilenceWatchOptions<E extends StreamEvent, S> {
  readonly pipeline: Pipeline<E, S>
  readonly keys: KeyStore<E, S>
  readonly context: TaskContext<E, S>
  readonly output: TaskOutput<E, S>
}

export class SilenceWatch<E extends StreamEvent, S> {
  readonly #pipeline: Pipeline<E, S>
  readonly #keys: KeyStore<E, S>
  readonly #context: TaskContext<E, S>
  readonly #output: TaskOutput<E, S>
  readonly #queue = new SilenceQueue()
  /** Silences that are watched for now, the shortest first. */
  #watched: readonly Silence<S>[]

  constructor({ pipeline, keys, context, output }: SilenceWatchOptions<E, S>) {
    this.#pipeline = pipeline
    this.#keys = keys
    this.#context = context
    this.#output = output
    this.#watched = silencesOf(pipeline, undefined)
    for (const { afterMs } of this.#watched) {
      assert(afterMs < pipeline.forgetAfterMs, `${pipeline.name}: a key is forgotten while silent.`)
    }
  }

  /** Quiet of the whole partition that counts as an outage of ours; infinite where no silence is watched for. */
  get outageMs(): DurationMs {
    return OUTAGE_SILENCES * (this.#watched[0]?.afterMs ?? Number.POSITIVE_INFINITY)
  }

  /** Silences from now on are those of these rules. */
  setRules(content: unknown): void {
    this.#watched = silencesOf(this.#pipeline, content)
  }

  /** Notes that the key spoke, and ends what its silence had opened. */
  heard(
    slot: KeySlot<E, S>,
    record: { readonly offset: number; readonly receivedAtMs: EpochMs },
    eventTimeMs: EpochMs,
  ): void {
    slot.silencesPassed = 0
    const shortest = this.#watched[0]
    const inTime = shortest !== undefined && record.receivedAtMs - eventTimeMs < shortest.afterMs
    slot.silentSinceMs = inTime ? record.receivedAtMs : Number.NaN
    if (inTime) this.queue(slot)
    if (slot.silenceEpisodes.length === 0) return
    for (const episode of slot.silenceEpisodes) {
      this.#end(episode, { atMs: record.receivedAtMs, offset: record.offset })
      slot.published = slot.published.filter((known) => known.episode.id !== episode.id)
    }
    slot.silenceEpisodes = NO_EPISODES
  }

  /** After rules have changed: ends what nobody watches for any more; the others are judged anew. */
  judgeAnew(slot: KeySlot<E, S>, nowMs: EpochMs): void {
    const watched = new Set(this.#watched.map(({ rule }) => rule))
    for (const episode of slot.silenceEpisodes) {
      if (watched.has(episode.rule)) continue
      this.#end(episode, { atMs: nowMs, offset: slot.lastOffset })
    }
    slot.silenceEpisodes = slot.silenceEpisodes.filter(({ status }) => status !== 'resolved')
    slot.silencesPassed = 0
    this.queue(slot)
  }

  /** Where nobody was heard for long until now, nobody has been silent. */
  forgiveOutage(quietSinceMs: EpochMs, nowMs: EpochMs): void {
    if (nowMs - quietSinceMs < this.outageMs || quietSinceMs === Number.NEGATIVE_INFINITY) return
    for (const slot of this.#keys.values()) {
      if (Number.isNaN(slot.silentSinceMs) || slot.silencesPassed > 0) continue
      this.#keys.willChange(slot)
      slot.silentSinceMs = nowMs
      this.#keys.markUnsaved(slot)
    }
  }

  /** True where a key falls silent, or a deadline passes, at or before the time given. */
  hasDue(nowMs: EpochMs): boolean {
    return this.#nextBy(nowMs) !== undefined
  }

  /** Takes the key that is due first, at or before the time given; it is to be queued again once that was dealt with. */
  takeDue(nowMs: EpochMs): KeySlot<E, S> | undefined {
    const slot = this.#nextBy(nowMs)
    if (slot === undefined) return undefined
    this.#queue.pop()
    slot.queuedAtMs = null
    return slot
  }

  /** True where the key's deadline passes before it falls silent. */
  isDeadline(slot: KeySlot<E, S>): boolean {
    return deadlineMs(slot, this.#pipeline) <= this.#silentAtMs(slot)
  }

  queue(slot: KeySlot<E, S>): void {
    const dueMs = this.#dueMs(slot)
    if (dueMs >= (slot.queuedAtMs ?? Number.POSITIVE_INFINITY)) return
    slot.queuedAtMs = dueMs
    this.#queue.push(dueMs, scopedKey(slot.tenantId, slot.key))
  }

  /** Opens what the next silence of the key is about. */
  fallSilent(slot: KeySlot<E, S>): void {
    const silence = this.#watched[slot.silencesPassed]
    if (silence === undefined) return
    const startsAtMs = this.#silentAtMs(slot)
    this.#keys.willChange(slot)
    slot.silencesPassed++
    this.#keys.markUnsaved(slot)
    this.#keys.markUnseen(slot)
    this.#output.putOpenRows(slot)
    const episode = silence.describe(slot.head.state, {
      key: slot.key,
      startsAtMs,
      offset: slot.lastOffset,
    })
    if (episode === undefined) return
    if (slot.silenceEpisodes.some(({ rule }) => rule === episode.rule)) return
    this.#output.beginAfterLast(slot, startsAtMs)
    this.#context.enter(slot, slot.head)
    this.#context.offset = slot.lastOffset
    this.#context.openEpisode(episode)
    slot.silenceEpisodes = [...slot.silenceEpisodes, episode]
  }

  #end(
    episode: Episode,
    { atMs, offset }: { readonly atMs: EpochMs; readonly offset: number },
  ): void {
    episode.status = 'resolved'
    episode.endsAtMs = Math.max(episode.startsAtMs, atMs)
    episode.updatedAtMs = episode.endsAtMs
    episode.closedBy = offset
    this.#output.publish(episode)
  }

  /** The key that is due first; entries out of date are put right on the way. */
  #nextBy(nowMs: EpochMs): KeySlot<E, S> | undefined {
    for (;;) {
      const atMs = this.#queue.nextAtMs
      if (atMs > nowMs) return undefined
      const slot = this.#keys.get(this.#queue.nextKey)
      const current = slot?.queuedAtMs === atMs ? slot : undefined
      if (current !== undefined && this.#dueMs(current) <= atMs) return current
      this.#queue.pop()
      if (current === undefined) continue
      current.queuedAtMs = null
      this.queue(current)
    }
  }

  #silentAtMs(slot: KeySlot<E, S>): EpochMs {
    const silence = this.#watched[slot.silencesPassed]
    return silence === undefined || Number.isNaN(slot.silentSinceMs)
      ? Number.POSITIVE_INFINITY
      : slot.silentSinceMs + silence.afterMs
  }

  #dueMs(slot: KeySlot<E, S>): EpochMs {
    return Math.min(this.#silentAtMs(slot), deadlineMs(slot, this.#pipeline))
  }
}

function silencesOf<E extends StreamEvent, S>(
  { silences, rules, name, forgetAfterMs }: Pipeline<E, S>,
  content: unknown,
): readonly Silence<S>[] {
  if (rules === undefined) return silences
  const ofRules = rules.silences(content).filter(({ afterMs }) => afterMs < forgetAfterMs)
  assert(silences.length === 0 || ofRules.length === 0, `${name}: silences have two sources.`)
  return silences.length > 0 ? silences : ofRules
}
