// Lines held back until their time, first due first out.

export interface HeldLine {
  readonly dueMs: number
  /** Whose line it is. */
  readonly key: string
  readonly line: string
}

/** A binary heap; lines due at the same instant leave in the order they came. */
export class HeldLines {
  readonly #heap: { readonly held: HeldLine; readonly ticket: number }[] = []
  #tickets = 0

  get size(): number {
    return this.#heap.length
  }

  /** Infinite where nothing is held. */
  get dueMs(): number {
    return this.#heap[0]?.held.dueMs ?? Number.POSITIVE_INFINITY
  }

  add(held: HeldLine): void {
    this.#heap.push({ held, ticket: this.#tickets++ })
    let child = this.#heap.length - 1
    while (child > 0) {
      const parent = (child - 1) >> 1
      if (!this.#isBefore(child, parent)) return
      this.#swap(child, parent)
      child = parent
    }
  }

  take(): HeldLine | undefined {
    const first = this.#heap[0]
    const last = this.#heap.pop()
    if (first === undefined || last === undefined) return undefined
    if (this.#heap.length === 0) return first.held
    this.#heap[0] = last
    let parent = 0
    for (;;) {
      const left = 2 * parent + 1
      if (left >= this.#heap.length) return first.held
      const right = left + 1
      const child = right < this.#heap.length && this.#isBefore(right, left) ? right : left
      if (!this.#isBefore(child, parent)) return first.held
      this.#swap(child, parent)
      parent = child
    }
  }

  #isBefore(one: number, other: number): boolean {
    const a = this.#heap[one]
    const b = this.#heap[other]
    if (a === undefined || b === undefined) return false
    return a.held.dueMs === b.held.dueMs ? a.ticket < b.ticket : a.held.dueMs < b.held.dueMs
  }

  #swap(one: number, other: number): void {
    const a = this.#heap[one]
    const b = this.#heap[other]
    if (a === undefined || b === undefined) return
    this.#heap[one] = b
    this.#heap[other] = a
  }
}
