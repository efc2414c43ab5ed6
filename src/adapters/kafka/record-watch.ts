// Waits for records of many partitions at once: a request that the broker answers as soon as one of them has
// something. A few such requests may be under way to one broker, each for other partitions, so that
// whoever begins to wait is never held up by a request that was sent before and knows nothing of them.

import { Slab } from '../../kernel/slab.ts'
import type { DurationMs } from '../../kernel/time.ts'
import { type FetchedPartition, type FetchPlace, fetchRecords, findOffset } from './fetch.ts'
import type { KafkaCluster, Leader } from './kafka-cluster.ts'
import { KAFKA } from './kafka-failures.ts'
import { decodeBatches } from './record-batch.ts'
import type { RecordBuffer } from './record-buffer.ts'

/**
 * How long a broker holds a request for which nothing comes, at most: all of them end at the same moments, and what
 * they asked for goes into one request again. Else the few there may be would soon be those of partitions
 * where nothing happens, and one that becomes busy would wait for the end of one of them.
 */
const HOLD_MS: DurationMs = 500
/** Answers with nothing wait for each other so long after that moment. */
const TOGETHER_MS: DurationMs = 5
/** Requests under way to one broker, on a connection each. */
const MAX_HELD_REQUESTS = 4
/** A partition that nobody waited for so long is not asked for any more. */
const FORGET_MS: DurationMs = 5_000
const AFTER_FAILURE_MS: DurationMs = 200
const ANSWER_BYTES = 8 * 1024 * 1024
const PARTITION_BYTES = 512 * 1024

interface Watched {
  readonly place: string
  readonly topic: string
  readonly partition: number
  /** Where the next request begins. */
  offset: number
  wantedMs: DurationMs
  /** Under way from here; null where no request asks for it. */
  askedFrom: number | null
  /** Not before then, after a failure. */
  notBeforeMs: DurationMs
  readonly waiting: Slab<{ readonly fromOffset: number; readonly resolve: () => void }>
}

export function placeName(topic: string, partition: number): string {
  return `${topic}/${partition}`
}

export class RecordWatch {
  readonly #cluster: KafkaCluster
  readonly #buffer: RecordBuffer
  readonly #watched = new Map<string, Watched>()
  /** Connections in use, by broker. */
  readonly #held = new Map<number, Set<number>>()
  #pumping = false
  #closed = false

  constructor(cluster: KafkaCluster, buffer: RecordBuffer) {
    this.#cluster = cluster
    this.#buffer = buffer
  }

  /** Resolves once the partition may hold a record at `fromOffset`, on abort, or when closed. */
  waitFor(
    topic: string,
    partition: number,
    fromOffset: number,
    signal: AbortSignal,
  ): Promise<void> {
    const place = placeName(topic, partition)
    if (this.#closed || (this.#buffer.end(place) ?? 0) > fromOffset) return Promise.resolve()
    const watched = this.#watch(topic, partition, fromOffset)
    return new Promise((resolve) => {
      const end = (): void => {
        watched.waiting.take(at)
        signal.removeEventListener('abort', end)
        resolve()
      }
      const at = watched.waiting.add({ fromOffset, resolve: end })
      signal.addEventListener('abort', end, { once: true })
      this.#pump()
    })
  }

  close(): void {
    this.#closed = true
    for (const { waiting } of this.#watched.values()) {
      for (const { resolve } of waiting) resolve()
    }
  }

  #watch(topic: string, partition: number, fromOffset: number): Watched {
    const place = placeName(topic, partition)
    const nowMs = this.#cluster.clock.monotonicMs()
    const present = this.#watched.get(place)
    if (present !== undefined) {
      present.wantedMs = nowMs
      present.offset = fromOffset
      return present
    }
    const watched: Watched = {
      place,
      topic,
      partition,
      offset: fromOffset,
      wantedMs: nowMs,
      askedFrom: null,
      notBeforeMs: 0,
      waiting: new Slab(),
    }
    this.#watched.set(place, watched)
    return watched
  }

  /** Those who begin to wait at the same moment go into one request. */
  #pump(): void {
    if (this.#pumping || this.#closed) return
    this.#pumping = true
    setImmediate(() => {
      this.#pumping = false
      void this.#ask()
    })
  }

  async #ask(): Promise<void> {
    const wanted = new Map<number, { leader: Leader; watched: Watched[] }>()
    const nowMs = this.#cluster.clock.monotonicMs()
    for (const watched of [...this.#watched.values()]) {
      if (watched.waiting.size === 0 && nowMs - watched.wantedMs > FORGET_MS) {
        this.#watched.delete(watched.place)
      } else if (this.#isDue(watched, nowMs)) {
        // Taken at once, so that no other call asks for it as well.
        watched.askedFrom = watched.offset
        const leader = await this.#leaderOf(watched)
        if (leader === undefined) this.#later([watched])
        else {
          const group = wanted.get(leader.id) ?? { leader, watched: [] }
          group.watched.push(watched)
          wanted.set(leader.id, group)
        }
      }
    }
    for (const { leader, watched } of wanted.values()) {
      const slot = this.#takeSlot(leader.id)
      if (slot === undefined) for (const each of watched) each.askedFrom = null
      else void this.#hold(leader, slot, watched)
    }
  }

  #isDue(watched: Watched, nowMs: DurationMs): boolean {
    if (nowMs < watched.notBeforeMs || this.#buffer.full(watched.place)) return false
    return watched.askedFrom === null || watched.askedFrom < watched.offset
  }

  async #leaderOf({ topic, partition }: Watched): Promise<Leader | undefined> {
    try {
      return await this.#cluster.leader(topic, partition)
    } catch {
      // Whoever waits reads next, and gets to know why.
      return undefined
    }
  }

  #takeSlot(broker: number): number | undefined {
    const taken = this.#held.get(broker) ?? new Set<number>()
    this.#held.set(broker, taken)
    for (let slot = 0; slot < MAX_HELD_REQUESTS; slot++) {
      if (!taken.has(slot)) {
        taken.add(slot)
        return slot
      }
    }
    return undefined
  }

  async #hold(leader: Leader, slot: number, watched: readonly Watched[]): Promise<void> {
    const from = new Map(watched.map((each) => [each.place, each.offset]))
    // Where it stands now: it may have moved since it was found due.
    for (const each of watched) each.askedFrom = each.offset
    const places: readonly FetchPlace[] = watched.map(({ topic, partition, offset }) => ({
      topic,
      partition,
      offset,
      maxBytes: PARTITION_BYTES,
    }))
    try {
      const connection = await this.#cluster.connection(`watch-${slot}`, leader)
      const maxWaitMs = Math.max(1, HOLD_MS - this.#sinceHoldsEndedMs())
      const question = { maxWaitMs, maxBytes: ANSWER_BYTES, places }
      const answer = await fetchRecords(connection, question)
      if (answer.every(({ errorCode, bytes }) => errorCode === KAFKA.none && bytes.length === 0)) {
        const togetherMs = TOGETHER_MS - this.#sinceHoldsEndedMs()
        if (togetherMs > 0) await this.#cluster.clock.sleep(togetherMs)
      }
      this.#free(watched, from)
      for (const found of answer) this.#arrived(found, from)
    } catch {
      this.#free(watched, from)
      this.#later(watched)
    } finally {
      this.#held.get(leader.id)?.delete(slot)
      this.#pump()
    }
  }

  #sinceHoldsEndedMs(): DurationMs {
    return Math.floor(this.#cluster.clock.monotonicMs()) % HOLD_MS
  }

  /** A later request may ask for it already, from further on. */
  #free(watched: readonly Watched[], from: ReadonlyMap<string, number>): void {
    for (const each of watched) {
      if (each.askedFrom === from.get(each.place)) each.askedFrom = null
    }
  }

  #arrived(found: FetchedPartition, from: ReadonlyMap<string, number>): void {
    const { topic, partition, errorCode, aborted, bytes } = found
    const place = placeName(topic, partition)
    const watched = this.#watched.get(place)
    const fromOffset = from.get(place)
    if (watched === undefined || fromOffset === undefined) return
    if (errorCode !== KAFKA.none) {
      this.#later([watched])
      // A partition that begins later, or ends before: reading says which.
      if (errorCode !== KAFKA.offsetOutOfRange) void this.#lookAgain(topic)
      else void this.#judgeRange(watched)
      return
    }
    if (bytes.length === 0) return
    try {
      const decoded = decodeBatches({ topic, partition, bytes, fromOffset, aborted })
      this.#buffer.put(place, fromOffset, decoded)
      if (watched.offset === fromOffset) watched.offset = decoded.nextOffset
      wake(watched, decoded.nextOffset)
    } catch {
      // Damaged: the reader meets it too, and says so.
      this.#later([watched])
      wake(watched, Number.POSITIVE_INFINITY)
    }
  }

  /** What lies below the first offset kept never arrives, and whoever waits for it must know. */
  async #judgeRange(watched: Watched): Promise<void> {
    try {
      const leader = await this.#cluster.leader(watched.topic, watched.partition)
      if (leader === undefined) return
      const connection = await this.#cluster.connection('direct', leader)
      const first = await findOffset(connection, watched, 'earliest')
      if (first.offset > watched.offset) wake(watched, Number.POSITIVE_INFINITY)
    } catch {
      // Asked again with the next request.
    }
  }

  async #lookAgain(topic: string): Promise<void> {
    await this.#cluster.look(topic).catch(() => undefined)
    this.#pump()
  }

  #later(watched: readonly Watched[]): void {
    const { clock } = this.#cluster
    for (const each of watched) {
      each.askedFrom = null
      each.notBeforeMs = clock.monotonicMs() + AFTER_FAILURE_MS
    }
    for (const topic of new Set(watched.map((each) => each.topic))) {
      void clock
        .sleep(AFTER_FAILURE_MS)
        .then(() => (this.#closed ? undefined : this.#lookAgain(topic)))
    }
  }
}

function wake({ waiting }: Watched, nextOffset: number): void {
  for (const { fromOffset, resolve } of [...waiting]) {
    if (fromOffset < nextOffset) resolve()
  }
}
