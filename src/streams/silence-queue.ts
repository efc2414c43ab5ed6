// Which key may fall silent next: a binary heap. An entry is not moved when the key speaks; it is looked at
// again when it comes up, so speaking costs nothing. An entry that must come up earlier is pushed once more.

import type { EpochMs } from '../kernel/time.ts'

interface Entry {
  readonly atMs: EpochMs
  readonly key: string
}

/** Orders by time, then key, so that silences of one moment always come in the same order. */
function before(a: Entry, b: Entry): boolean {
  return a.atMs !== b.atMs ? a.atMs < b.atMs : a.key < b.key
}

export class SilenceQueue {
  readonly #heap: Entry[] = []

  get nextAtMs(): EpochMs {
    return this.#heap[0]?.atMs ?? Number.POSITIVE_INFINITY
  }

  /** Key of the entry that comes first; empty where there is none. */
  get nextKey(): string {
    return this.#heap[0]?.key ?? ''
  }

  push(atMs: EpochMs, key: string): void {
    const heap = this.#heap
    const entry = { atMs, key }
    let at = heap.length
    heap.push(entry)
    while (at > 0) {
      const parentAt = (at - 1) >> 1
      const parent = heap[parentAt]
      if (parent === undefined || !before(entry, parent)) break
      heap[at] = parent
      at = parentAt
    }
    heap[at] = entry
  }

  /** Takes the entry that comes first; undefined where the queue is empty. */
  pop(): string | undefined {
    const heap = this.#heap
    const first = heap[0]
    const last = heap.pop()
    if (first === undefined || last === undefined || heap.length === 0) return first?.key
    let at = 0
    for (;;) {
      let childAt = 2 * at + 1
      let child = heap[childAt]
      if (child === undefined) break
      const right = heap[childAt + 1]
      if (right !== undefined && before(right, child)) {
        childAt++
        child = right
      }
      if (!before(child, last)) break
      heap[at] = child
      at = childAt
    }
    heap[at] = last
    return first.key
  }
}
