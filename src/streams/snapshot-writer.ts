// A snapshot that is taken a few keys at a time, while events go on: it holds every key as it was at one
// offset. A key that is about to change before its turn is written first.

import type { SnapshotEntry } from '../ports/checkpoint-store.ts'
import type { KeySlot } from './key-slot.ts'
import type { StreamEvent } from './topic.ts'

export class SnapshotWriter<E extends StreamEvent, S> {
  readonly #encode: (slot: KeySlot<E, S>) => SnapshotEntry
  readonly #slots: readonly KeySlot<E, S>[]
  readonly #entries: SnapshotEntry[]
  #next = 0

  /** `first` are entries that are there already: of forgotten keys and of the partition. */
  constructor(
    slots: readonly KeySlot<E, S>[],
    first: readonly SnapshotEntry[],
    encode: (slot: KeySlot<E, S>) => SnapshotEntry,
  ) {
    this.#slots = slots
    this.#entries = [...first]
    this.#encode = encode
    for (const slot of slots) slot.toSave = true
  }

  /** To be called before a key changes. */
  save(slot: KeySlot<E, S>): void {
    slot.toSave = false
    this.#entries.push(this.#encode(slot))
  }

  /** Writes up to `limit` keys of those that are left; true once all are written. */
  saveSome(limit: number): boolean {
    let left = limit
    for (; this.#next < this.#slots.length && left > 0; this.#next++) {
      const slot = this.#slots[this.#next]
      if (slot?.toSave !== true) continue
      this.save(slot)
      left--
    }
    return this.#next === this.#slots.length
  }

  /** Those that were there first, then keys in the order they were written: of one key the last holds. */
  get entries(): readonly SnapshotEntry[] {
    return this.#entries
  }
}
