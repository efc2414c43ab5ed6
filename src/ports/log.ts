// The log: topics with partitions, each a sequence of records that keeps what it acknowledged.

import type { DurationMs, EpochMs } from '../kernel/time.ts'

export interface NewRecord {
  /** Decides the partition (murmur2, as Kafka's clients do). */
  readonly key: string
  readonly value: Uint8Array
  readonly receivedAtMs: EpochMs
  readonly tenantId: string
  /**
   * For other readers of the log, by name. A log without headers drops them: what we need ourselves is in
   * the value.
   */
  readonly headers?: Readonly<Record<string, string>>
}

export interface LogRecord extends Omit<NewRecord, 'headers'> {
  readonly offset: number
}

export interface LogBatch {
  /** In offset order, none below the offset asked for. */
  readonly records: readonly LogRecord[]
  /** Where to read on. Larger than the last offset + 1 where the log holds offsets that carry no record. */
  readonly nextOffset: number
}

/**
 * Memory that a reader lends to its reads, so that reading on and on asks for no new one. A log may put values there: they
 * last until the same memory is lent to the next read.
 */
export class ReadMemory {
  #bytes: Buffer = Buffer.alloc(0)
  #used = 0

  /** To be called where a read begins: all of it is free again. */
  begin(): void {
    this.#used = 0
  }

  /** A copy that lies in this memory. What was copied before in the same read stays where it is. */
  copy(bytes: Uint8Array): Buffer {
    if (this.#used + bytes.length > this.#bytes.length) {
      this.#bytes = Buffer.allocUnsafeSlow(2 * (this.#used + bytes.length))
      this.#used = 0
    }
    const copied = this.#bytes.subarray(this.#used, this.#used + bytes.length)
    copied.set(bytes)
    this.#used += bytes.length
    return copied
  }
}

export interface ReadLimit {
  readonly records: number
  /** At least one record comes back however large it is. */
  readonly bytes: number
  readonly memory?: ReadMemory
}

export interface LogBounds {
  /** First offset still kept. */
  readonly startOffset: number
  /** Offset that the next record will get. */
  readonly endOffset: number
}

export interface Retention {
  /** Nothing at or above this offset is dropped, whatever its age or size. */
  readonly keepFromOffset: number
  /** Records received before this instant may be dropped. */
  readonly olderThanMs: EpochMs
  /** A partition may be dropped down to this size. */
  readonly maxBytes: number
}

export interface Log {
  /** Creates the topic where it is missing. Fails where it exists with fewer partitions than asked for. */
  ensureTopic(topic: string, settings: { readonly partitions: number }): Promise<void>
  topics(): Promise<readonly { readonly topic: string; readonly partitions: number }[]>
  /**
   * Appends all records of the batch, in order within each key; resolves once they are durable.
   * Rejects with `log-full` (retry later) where there is no space, `log-unavailable` (retry later)
   * where the log does not answer, `log-failed` (never) after a failed sync.
   */
  append(topic: string, records: readonly NewRecord[]): Promise<void>
  /**
   * Returns at once with what is there, possibly nothing. Rejects with `log-truncated` where
   * `fromOffset` is below the first offset kept.
   */
  read(topic: string, partition: number, fromOffset: number, limit: ReadLimit): Promise<LogBatch>
  /**
   * Resolves with true once the partition may hold a record at `fromOffset` or reading may say why not, with
   * false after `maxWaitMs` or on abort.
   */
  waitForRecords(
    topic: string,
    partition: number,
    fromOffset: number,
    options: { readonly maxWaitMs: DurationMs; readonly signal: AbortSignal },
  ): Promise<boolean>
  bounds(topic: string, partition: number): Promise<LogBounds>
  /** Of the first so many partitions, in their order, the offset that the next record will get. */
  endOffsets(topic: string, partitions: number): Promise<readonly number[]>
  /**
   * Drops what is old or too much, unless a server does so by settings of its own; returns the first
   * offset kept.
   */
  retain(topic: string, partition: number, retention: Retention): Promise<number>
  close(): Promise<void>
}
