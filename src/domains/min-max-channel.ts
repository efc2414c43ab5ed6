// One line of a chart, thinned so that no peak is lost: of each bucket the lowest and the highest value are
// kept, at their own instants, and of each unbroken line both ends.

import type { DurationMs, EpochMs } from '../kernel/time.ts'

export interface Channel {
  readonly recordedAtMs: readonly EpochMs[]
  /** Null where the line breaks. */
  readonly values: readonly (number | null)[]
}

interface Point {
  readonly atMs: EpochMs
  readonly value: number
}

export class MinMaxChannel {
  readonly #fromMs: EpochMs
  readonly #bucketMs: DurationMs
  readonly #recordedAtMs: EpochMs[] = []
  readonly #values: (number | null)[] = []
  #bucket = -1
  #lowest: Point | undefined
  #highest: Point | undefined
  /** Newest point of the line that is being drawn. */
  #last: Point | undefined

  constructor(fromMs: EpochMs, bucketMs: DurationMs) {
    this.#fromMs = fromMs
    this.#bucketMs = bucketMs
  }

  add(atMs: EpochMs, value: number): void {
    const point = { atMs, value }
    if (this.#last === undefined) this.#push(point)
    this.#last = point
    const bucket = Math.floor((atMs - this.#fromMs) / this.#bucketMs)
    if (bucket !== this.#bucket) this.#endBucket()
    this.#bucket = bucket
    if (this.#lowest === undefined || value < this.#lowest.value) this.#lowest = point
    if (this.#highest === undefined || value > this.#highest.value) this.#highest = point
  }

  breakAt(atMs: EpochMs): void {
    if (this.#last === undefined) return
    this.#endLine()
    this.#recordedAtMs.push(atMs)
    this.#values.push(null)
  }

  finish(): Channel {
    this.#endLine()
    return { recordedAtMs: this.#recordedAtMs, values: this.#values }
  }

  /** A line ends where its last reading was, whatever its bucket kept. */
  #endLine(): void {
    this.#endBucket()
    if (this.#last !== undefined) this.#push(this.#last)
    this.#last = undefined
  }

  #endBucket(): void {
    for (const point of inOrder(this.#lowest, this.#highest)) this.#push(point)
    this.#lowest = undefined
    this.#highest = undefined
  }

  /** Nothing twice: the first point of a line may be the lowest of its bucket as well. */
  #push({ atMs, value }: Point): void {
    const newestMs = this.#recordedAtMs.at(-1)
    if (newestMs === atMs && this.#values.at(-1) === value) return
    this.#recordedAtMs.push(atMs)
    this.#values.push(value)
  }
}

function inOrder(lowest: Point | undefined, highest: Point | undefined): readonly Point[] {
  if (lowest === undefined || highest === undefined || lowest === highest) {
    return lowest === undefined ? [] : [lowest]
  }
  return lowest.atMs <= highest.atMs ? [lowest, highest] : [highest, lowest]
}
