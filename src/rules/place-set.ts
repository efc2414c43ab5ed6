// A set of small whole numbers that is filled and emptied at every event without allocating.

const WORD_BITS = 32

export class PlaceSet {
  readonly #words: Uint32Array

  /** Of numbers below `size`. */
  constructor(size: number) {
    this.#words = new Uint32Array(Math.ceil(size / WORD_BITS))
  }

  add(place: number): void {
    const word = place >>> 5
    this.#words[word] = (this.#words[word] ?? 0) | (1 << (place & 31))
  }

  has(place: number): boolean {
    return (((this.#words[place >>> 5] ?? 0) >>> (place & 31)) & 1) === 1
  }

  clear(): void {
    for (let word = 0; word < this.#words.length; word++) this.#words[word] = 0
  }

  /** The smallest number in it at or above `from`; −1 where there is none. */
  next(from: number): number {
    const words = this.#words
    let word = from >>> 5
    if (word >= words.length) return -1
    let bits = ((words[word] ?? 0) >>> (from & 31)) << (from & 31)
    while (bits === 0) {
      word++
      if (word >= words.length) return -1
      bits = words[word] ?? 0
    }
    return word * WORD_BITS + 31 - Math.clz32(bits & -bits)
  }
}
