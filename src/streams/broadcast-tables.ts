// Broadcast topics as a task holds them: each folded into a table, how far it was read, and which keys its records
// concern.

import { DEFAULT_TENANT } from '../kernel/tenants.ts'
import type { BroadcastProgress } from './batch.ts'
import type { KeySlot } from './key-slot.ts'
import type { KeyStore } from './key-store.ts'
import type { BroadcastDefinition, Pipeline } from './pipeline.ts'
import { scopedKey } from './scoped-key.ts'
import { SubjectIndex } from './subject-index.ts'
import type { StreamEvent } from './topic.ts'

type Listeners<S> = NonNullable<BroadcastDefinition<S>['listeners']>
type ReadRecord = BroadcastProgress['records'][number]

/** Tells a key of a record that concerns it; `name` is the same in every run. */
export type TellListener<E extends StreamEvent, S> = (
  slot: KeySlot<E, S>,
  told: {
    readonly name: string
    readonly record: ReadRecord
    readonly listeners: Listeners<S>
  },
) => void

export class BroadcastTables<E extends StreamEvent, S> {
  readonly #definitions: Pipeline<E, S>['broadcasts']
  readonly #keys: KeyStore<E, S>
  readonly #tables = new Map<string, unknown>()
  readonly #offsets: Record<string, number> = {}
  /** Of the topics whose records concern keys. */
  readonly #subjects = new Map<string, SubjectIndex<string>>()

  constructor({ broadcasts }: Pick<Pipeline<E, S>, 'broadcasts'>, keys: KeyStore<E, S>) {
    this.#definitions = broadcasts
    this.#keys = keys
    for (const broadcast of broadcasts) {
      this.#tables.set(broadcast.topic, broadcast.empty())
      this.#offsets[broadcast.topic] = 0
      if (broadcast.listeners) this.#subjects.set(broadcast.topic, new SubjectIndex())
    }
  }

  /** By topic. */
  get tables(): ReadonlyMap<string, unknown> {
    return this.#tables
  }

  /** Next record to apply, by topic. */
  get offsets(): Readonly<Record<string, number>> {
    return { ...this.#offsets }
  }

  /** Next record to apply from a topic. */
  offsetOf(topic: string): number {
    return this.#offsets[topic] ?? 0
  }

  /** Records concern not only the tables, but keys themselves. */
  get concernKeys(): boolean {
    return this.#subjects.size > 0
  }

  /** Applies what was read since; false where all of it was known. */
  apply(progress: BroadcastProgress, tell: TellListener<E, S>): boolean {
    const { topic, records, nextOffset } = progress
    const reached = this.offsetOf(topic)
    if (nextOffset <= reached) return false
    const definition = this.#definitions.find((each) => each.topic === topic)
    if (definition === undefined) return true
    let table = this.#tables.get(topic)
    for (const record of records) {
      if (record.offset < reached || record.offset >= nextOffset) continue
      table = definition.apply(table, record)
      this.#tables.set(topic, table)
      this.#tellListeners(definition, record, tell)
    }
    this.#offsets[topic] = nextOffset
    return true
  }

  /** Takes note of what the key listens to now. */
  follow(slot: KeySlot<E, S>): void {
    for (const { topic, listeners } of this.#definitions) {
      if (listeners === undefined) continue
      const subjects = listeners.subjects(slot.head.state, slot.key)
      this.#subjects.get(topic)?.listen(scopedKey(slot.tenantId, slot.key), subjects)
    }
  }

  forget(scoped: string): void {
    for (const index of this.#subjects.values()) index.forget(scoped)
  }

  /** Topic, table and next offset of each. */
  encode(): readonly (readonly [string, unknown, number])[] {
    return this.#definitions.map(({ topic }) => [
      topic,
      this.#tables.get(topic),
      this.offsetOf(topic),
    ])
  }

  restore(saved: readonly (readonly [string, unknown, number])[]): void {
    for (const [topic, table, offset] of saved) {
      this.#tables.set(topic, table)
      this.#offsets[topic] = offset
    }
  }

  /** One record after the other, so that it changes nothing how many of them come at once. */
  #tellListeners(
    { topic, listeners }: BroadcastDefinition<S>,
    record: ReadRecord,
    tell: TellListener<E, S>,
  ): void {
    if (listeners === undefined) return
    const told = this.#subjects.get(topic)?.listenersOf(record.key) ?? []
    for (const scoped of told.toSorted()) {
      const slot = this.#keys.get(scoped)
      const foreign = record.tenantId !== DEFAULT_TENANT && record.tenantId !== slot?.tenantId
      if (slot === undefined || foreign) continue
      tell(slot, { name: `${topic}/${record.offset}`, record, listeners })
    }
  }
}
