// The keys of a task, and which of them snapshots and views have not seen as they are now.

import { assert } from '../kernel/errors.ts'
import type { DurationMs, EpochMs } from '../kernel/time.ts'
import type { SnapshotEntry } from '../ports/checkpoint-store.ts'
import { EventTail } from './event-tail.ts'
import { deadlineMs, firstFrame, type KeySlot, NO_EPISODES, NO_PUBLISHED } from './key-slot.ts'
import type { Pipeline } from './pipeline.ts'
import { scopedKey } from './scoped-key.ts'
import { SnapshotWriter } from './snapshot-writer.ts'
import { decodeSlot, encodeSlot } from './task-snapshot.ts'
import type { StreamEvent } from './topic.ts'

const NO_TIME = Number.NEGATIVE_INFINITY
/** Forgotten keys are looked for so many times in the time after which they are. */
const SWEEPS = 10

export class KeyStore<E extends StreamEvent, S> {
  readonly #pipeline: Pipeline<E, S>
  readonly #slots = new Map<string, KeySlot<E, S>>()
  #unsaved: KeySlot<E, S>[] = []
  #unseen: KeySlot<E, S>[] = []
  #forgotten: string[] = []
  #savedKeys = 0
  /** The one that is being taken. */
  #snapshot: SnapshotWriter<E, S> | null = null
  #sweptAtMs: EpochMs = NO_TIME

  constructor(pipeline: Pipeline<E, S>) {
    this.#pipeline = pipeline
  }

  get size(): number {
    return this.#slots.size
  }

  get(scoped: string): KeySlot<E, S> | undefined {
    return this.#slots.get(scoped)
  }

  values(): IterableIterator<KeySlot<E, S>> {
    return this.#slots.values()
  }

  /** The key of an event that came at `nowMs`, new where it is not known or was forgotten. */
  slotFor(
    key: string,
    record: { readonly tenantId: string; readonly offset: number; readonly receivedAtMs: EpochMs },
    nowMs: EpochMs,
  ): KeySlot<E, S> {
    const scoped = scopedKey(record.tenantId, key)
    const known = this.#slots.get(scoped)
    if (known !== undefined && !this.#isForgettable(known, nowMs)) return known
    const slot: KeySlot<E, S> = {
      key,
      tenantId: record.tenantId,
      base: null,
      baseTimeMs: NO_TIME,
      mid: null,
      head: firstFrame({ key }, this.#pipeline),
      headTimeMs: NO_TIME,
      tail: new EventTail(this.#pipeline.topic.archive),
      published: NO_PUBLISHED,
      aliases: null,
      effects: null,
      rows: null,
      recentIds: null,
      lateIds: null,
      lastReceivedAtMs: record.receivedAtMs,
      lastOffset: record.offset,
      silentSinceMs: Number.NaN,
      silencesPassed: 0,
      silenceEpisodes: NO_EPISODES,
      queuedAtMs: known?.queuedAtMs ?? null,
      toSave: false,
      unsaved: false,
      unseen: false,
    }
    if (known !== undefined) this.#unsaved = this.#unsaved.filter((each) => each !== known)
    this.#slots.set(scoped, slot)
    return slot
  }

  /** To be called before anything of a key changes that snapshots hold. */
  willChange(slot: KeySlot<E, S>): void {
    if (slot.toSave) this.#snapshot?.save(slot)
  }

  /** The same for all keys, and for what belongs to the partition. */
  willChangeAll(): void {
    this.#snapshot?.saveSome(Number.POSITIVE_INFINITY)
  }

  markUnsaved(slot: KeySlot<E, S>): void {
    if (slot.unsaved) return
    slot.unsaved = true
    this.#unsaved.push(slot)
  }

  markUnseen(slot: KeySlot<E, S>): void {
    if (slot.unseen || this.#pipeline.view === undefined) return
    slot.unseen = true
    this.#unseen.push(slot)
  }

  get hasUnseen(): boolean {
    return this.#unseen.length > 0
  }

  /** Up to so many keys that views have not seen; they count as seen. */
  takeUnseen(limit: number): readonly KeySlot<E, S>[] {
    const taken = this.#unseen.splice(0, limit)
    for (const slot of taken) slot.unseen = false
    return taken
  }

  /** Frees keys that an event would find forgotten anyway, where it is time for that; returns them. */
  sweep(nowMs: EpochMs): readonly string[] {
    const intervalMs: DurationMs = this.#pipeline.forgetAfterMs / SWEEPS
    if (nowMs - this.#sweptAtMs < intervalMs) return []
    this.#sweptAtMs = nowMs
    const forgotten: string[] = []
    for (const [scoped, slot] of this.#slots) {
      if (!this.#isForgettable(slot, nowMs)) continue
      this.#slots.delete(scoped)
      forgotten.push(scoped)
    }
    this.#forgotten.push(...forgotten)
    this.#unsaved = this.#unsaved.filter(
      (slot) => this.#slots.get(scopedKey(slot.tenantId, slot.key)) === slot,
    )
    return forgotten
  }

  /** Begins a snapshot of all keys changed since the last one; `partition` is what it holds beside them. */
  beginSnapshot(partition: SnapshotEntry): void {
    assert(this.#snapshot === null, 'A snapshot was begun before the last one was whole.')
    const whole = this.#pipeline.broadcasts.length > 0
    const first = [...this.#forgotten.map((key) => ({ key, state: null })), partition]
    this.#snapshot = new SnapshotWriter(this.#unsaved, first, (slot) => {
      this.#savedKeys++
      return {
        key: scopedKey(slot.tenantId, slot.key),
        state: encodeSlot(slot, this.#pipeline, { whole }),
      }
    })
    for (const slot of this.#unsaved) slot.unsaved = false
    this.#forgotten = []
    this.#unsaved = []
  }

  /** Keys written to snapshots so far, also those that were written because an event was about to change them. */
  get savedKeys(): number {
    return this.#savedKeys
  }

  /** Writes up to so many more keys to the snapshot that was begun; its entries once it is whole. */
  snapshotSome(keys: number): readonly SnapshotEntry[] | null {
    const snapshot = this.#snapshot
    if (snapshot === null || !snapshot.saveSome(keys)) return null
    this.#snapshot = null
    return snapshot.entries
  }

  /** A key as a snapshot holds it; null: it was forgotten. */
  load(scoped: string, state: string | null): void {
    if (state === null) this.#slots.delete(scoped)
    else this.#slots.set(scoped, decodeSlot(state, this.#pipeline))
  }

  #isForgettable(slot: KeySlot<E, S>, nowMs: EpochMs): boolean {
    return (
      nowMs - slot.lastReceivedAtMs > this.#pipeline.forgetAfterMs &&
      slot.silenceEpisodes.length === 0 &&
      deadlineMs(slot, this.#pipeline) === Number.POSITIVE_INFINITY &&
      this.#pipeline.openEpisodes(slot.head.state).length === 0
    )
  }
}
