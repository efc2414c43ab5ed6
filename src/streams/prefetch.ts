// Memory ahead of need. Of very many keys, nearly all that an event changes is far from the processor, which then
// waits for one place after the other. Asked for the places of several keys in one go, it waits for them together
// (group prefetching, as databases do it for hash joins). What is read here changes nothing.

/** Inputs whose keys are fetched together: what they need stays near until it is their turn. */
export const PREFETCH_EVENTS = 16
/** The processor fetches no less: reading one of so many numbers in a row brings all. */
export const CACHE_LINE_NUMBERS = 8

export class Prefetcher<I> {
  readonly #read: (input: I) => number
  /** Without somebody who keeps the sum, a compiler may leave the reading out. */
  sum = 0

  /** `read` reads a number of each place that the input will need, and returns some sum of them. */
  constructor(read: (input: I) => number) {
    this.#read = read
  }

  /** To be called before each input is handled; at every so many, it fetches for the next ones. */
  before(index: number, inputs: readonly I[]): void {
    if (index % PREFETCH_EVENTS !== 0) return
    const to = Math.min(inputs.length, index + PREFETCH_EVENTS)
    // One alone waits for as much here as later.
    if (to - index < 2) return
    let sum = 0
    for (let next = index; next < to; next++) {
      const input = inputs[next]
      if (input !== undefined) sum += this.#read(input)
    }
    this.sum = sum
  }
}
