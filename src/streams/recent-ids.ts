// The sender's ids of a key's latest events, so that a repeat is recognised without asking anybody.
// Ids are kept as 53-bit hashes; two different ids of one key meet with a probability below 10⁻¹³.

import { CACHE_LINE_NUMBERS } from './prefetch.ts'

/** Ids remembered for each key. Repeats that come later than so many events are found in the archive. */
export const RECENT_IDS = 64

export class RecentIds {
  #hashes: Float64Array
  #next: number

  constructor(hashes: Float64Array = new Float64Array(8), next = 0) {
    this.#hashes = hashes
    this.#next = next
  }

  /** Reads some of the ids, so that all are near when one is looked for. */
  prefetch(): number {
    let sum = 0
    for (let at = 0; at < this.#hashes.length; at += CACHE_LINE_NUMBERS) {
      sum += this.#hashes[at] ?? 0
    }
    return sum
  }

  has(id: string): boolean {
    return this.#hashes.includes(hash53(id))
  }

  /** Remembers an id that is not there yet, in place of the oldest where all places are taken. */
  add(id: string): void {
    if (this.#next === this.#hashes.length && this.#next < RECENT_IDS) {
      const grown = new Float64Array(Math.min(RECENT_IDS, this.#next * 2))
      grown.set(this.#hashes)
      this.#hashes = grown
    }
    this.#hashes[this.#next % this.#hashes.length] = hash53(id)
    this.#next = this.#next + 1 >= 2 * RECENT_IDS ? RECENT_IDS : this.#next + 1
  }

  encode(): readonly [string, number] {
    const bytes = Buffer.from(this.#hashes.buffer, this.#hashes.byteOffset, this.#hashes.byteLength)
    return [bytes.toString('base64'), this.#next]
  }

  static decode([text, next]: readonly [string, number]): RecentIds {
    const bytes = Buffer.from(text, 'base64')
    const hashes = new Float64Array(bytes.length / 8)
    Buffer.from(hashes.buffer).set(bytes)
    return new RecentIds(hashes, next)
  }
}

/** FNV-1a in two lanes, joined to one integer below 2⁵³; never 0, which marks a free place. */
function hash53(text: string): number {
  let low = 0x811c9dc5
  let high = 0x01000193
  for (let index = 0; index < text.length; index++) {
    const code = text.charCodeAt(index)
    low = Math.imul(low ^ code, 0x01000193)
    high = Math.imul(high ^ code, 0x5bd1e995) ^ (high >>> 15)
  }
  return (high >>> 11) * 0x1_0000_0000 + (low >>> 0) + 1
}
