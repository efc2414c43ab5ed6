// Things that come and go all the time, each at a place of its own until it is taken out.
//
// A Map or a Set that lives long is not for these: each time its table is full of deleted entries V8 makes another, and
// leads from the old one to the new. Once a single table has grown old, all that follow are kept with whatever
// they held, garbage included, until memory is collected in full.

export class Slab<T extends object> {
  readonly #items: (T | undefined)[] = []
  readonly #free: number[] = []

  get size(): number {
    return this.#items.length - this.#free.length
  }

  /** The place, a whole number from 0; one that is free again is used first. */
  add(item: T): number {
    const place = this.#free.pop() ?? this.#items.length
    this.#items[place] = item
    return place
  }

  /** Undefined where nothing lies there, or not any more. */
  take(place: number): T | undefined {
    const item = this.#items[place]
    if (item === undefined) return undefined
    this.#items[place] = undefined
    this.#free.push(place)
    return item
  }

  clear(): void {
    this.#items.length = 0
    this.#free.length = 0
  }

  /** In the order of places; whoever goes through it may take out and add. */
  *[Symbol.iterator](): Iterator<T> {
    for (let place = 0; place < this.#items.length; place++) {
      const item = this.#items[place]
      if (item !== undefined) yield item
    }
  }
}
