// Records that came and were not asked for yet, a stretch a partition. What it holds is decided by offsets
// alone: it is never wrong, only empty.

import type { LogBatch, LogRecord, ReadLimit } from '../../ports/log.ts'
import type { DecodedBatches } from './record-batch.ts'

/** A partition whose stretch has so many bytes is not asked for more until somebody reads. */
export const MAX_BUFFERED_BYTES = 1024 * 1024

interface Stretch {
  /** `[fromOffset, nextOffset)` is what it speaks for, records or not. */
  fromOffset: number
  nextOffset: number
  records: LogRecord[]
  sizes: number[]
  bytes: number
}

export class RecordBuffer {
  readonly #stretches = new Map<string, Stretch>()

  /** Where the stretch ends; undefined where there is none. */
  end(place: string): number | undefined {
    return this.#stretches.get(place)?.nextOffset
  }

  full(place: string): boolean {
    return (this.#stretches.get(place)?.bytes ?? 0) >= MAX_BUFFERED_BYTES
  }

  /** Goes on where the stretch ends, or stands in its place. */
  put(place: string, fromOffset: number, { records, sizes, nextOffset }: DecodedBatches): void {
    const bytes = sizes.reduce((sum, size) => sum + size, 0)
    const present = this.#stretches.get(place)
    if (present?.nextOffset === fromOffset) {
      for (const record of records) present.records.push(record)
      for (const size of sizes) present.sizes.push(size)
      present.nextOffset = nextOffset
      present.bytes += bytes
      return
    }
    if (nextOffset === fromOffset) return
    this.#stretches.set(place, {
      fromOffset,
      nextOffset,
      records: [...records],
      sizes: [...sizes],
      bytes,
    })
  }

  /** What it holds from an offset on, as far as the limit goes; what lies before is dropped. */
  take(place: string, fromOffset: number, limit: ReadLimit): LogBatch | undefined {
    const stretch = this.#stretches.get(place)
    if (stretch === undefined) return undefined
    if (fromOffset < stretch.fromOffset || fromOffset >= stretch.nextOffset) return undefined
    const from = firstAtOrAfter(stretch.records, fromOffset)
    const to = endWithin(stretch.sizes, from, limit)
    const records = stretch.records.slice(from, to)
    const last = records.at(-1)
    if (to >= stretch.records.length || last === undefined) {
      this.#stretches.delete(place)
      return { records, nextOffset: stretch.nextOffset }
    }
    this.#keep(stretch, to, last.offset + 1)
    return { records, nextOffset: last.offset + 1 }
  }

  drop(place: string): void {
    this.#stretches.delete(place)
  }

  #keep(stretch: Stretch, from: number, fromOffset: number): void {
    stretch.fromOffset = fromOffset
    stretch.records = stretch.records.slice(from)
    stretch.sizes = stretch.sizes.slice(from)
    stretch.bytes = stretch.sizes.reduce((sum, size) => sum + size, 0)
  }
}

function endWithin(sizes: readonly number[], from: number, limit: ReadLimit): number {
  let bytes = 0
  let to = from
  while (to < sizes.length) {
    bytes += sizes[to] ?? 0
    if (to > from && (to - from >= limit.records || bytes > limit.bytes)) break
    to++
  }
  return to
}

function firstAtOrAfter(records: readonly LogRecord[], offset: number): number {
  let low = 0
  let high = records.length
  while (low < high) {
    const middle = (low + high) >> 1
    if ((records[middle]?.offset ?? 0) < offset) low = middle + 1
    else high = middle
  }
  return low
}
