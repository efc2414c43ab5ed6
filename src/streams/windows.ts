// Sliding windows as panes: each event is added to one pane, a window merges the panes it spans.
// Panes are kept per partition; keys are disjoint across partitions, so results merge on read.

import { assert } from '../kernel/errors.ts'
import type { DurationMs, EpochMs } from '../kernel/time.ts'
import type { WindowResult } from '../ports/checkpoint-store.ts'
import type { StreamEvent } from './topic.ts'

/** Reference tables, at the version that the batch of the event sees. */
export interface ReferenceReader {
  reference(table: string): unknown
}

type KeylessAggregate<E> =
  | { readonly kind: 'count' }
  /** A sum is exact to the sixth decimal, in whatever order the values come. */
  | { readonly kind: 'sum' | 'minimum' | 'maximum'; value(event: E): number | null }

export type Aggregate<E> =
  | KeylessAggregate<E>
  /** How many different keys. */
  | { readonly kind: 'distinct-keys' }
  /** How many different keys for each value of a label, the latest label of a key in event time counting. */
  | { readonly kind: 'keys-by-label'; label(event: E, tables: ReferenceReader): string | null }

export interface WindowDefinition<E extends StreamEvent> {
  readonly name: string
  readonly sizeMs: DurationMs
  /** Divides `sizeMs`; the width of a pane. */
  readonly slideMs: DurationMs
  /** How far out of order an event may come before a window is final. */
  readonly allowanceMs: DurationMs
  /** Final windows are amended by late events for this long; later ones are only counted. */
  readonly amendableForMs: DurationMs
  /** Events that count; all where absent. The others pass time only. */
  counts?(event: E): boolean
  group(event: E, tables: ReferenceReader): string
  readonly values: Readonly<Record<string, Aggregate<E>>>
}

/** JSON-able partial result of one aggregate in one pane. */
type Partial = number | null | readonly string[] | SavedLabels
type SavedLabels = Readonly<Record<string, readonly [label: string, atMs: EpochMs]>>
/** Changed in place by a later event with the same label, which allocates nothing. */
interface Labelled {
  readonly label: string
  atMs: EpochMs
}
type Cell = number | null | Set<string> | Map<string, Labelled>
type Pane = Map<string, Cell[]>

export interface WindowsState {
  readonly panes: readonly (readonly [
    EpochMs,
    readonly (readonly [string, readonly Partial[]])[],
  ])[]
  readonly amendments: readonly (readonly [EpochMs, readonly (readonly [string, number])[]])[]
  readonly finalUntilMs: EpochMs | null
  /** Absent in the state of a build before. */
  readonly wholeFromMs?: EpochMs | null
}

const NO_TABLES: ReferenceReader = { reference: () => undefined }

/** Sums are kept in whole millionths: adding integers gives the same in any order. */
const SUM_STEPS = 1_000_000
/** Panes kept for one window of one partition; the oldest are dropped beyond it. */
export const MAX_PANES = 10_000

export class PanedWindow<E extends StreamEvent> {
  readonly definition: WindowDefinition<E>
  readonly #tables: ReferenceReader
  readonly #era: number
  readonly #aggregates: readonly (readonly [string, Aggregate<E>])[]
  /** The aggregates in the order in which an event is added to them, labels first. */
  readonly #additions: readonly { readonly aggregate: Aggregate<E>; readonly index: number }[]
  readonly #panes = new Map<EpochMs, Pane>()
  /** Late events counted into groups of windows that were final, by window start: revision = 1 + count. */
  readonly #amendments = new Map<EpochMs, Map<string, number>>()
  /** Groups of final windows that changed since they were told, by window start. */
  readonly #touched = new Map<EpochMs, Set<string>>()
  /** Windows that end at or before this instant are final. */
  #finalUntilMs: EpochMs | null = null
  /** Windows that begin before this instant would lack events, and are not told. */
  #wholeFromMs: EpochMs = Number.NEGATIVE_INFINITY
  #lastPaneMs = Number.NaN
  #lastPane: Pane | undefined

  /** `era` is said in the results. */
  constructor(definition: WindowDefinition<E>, tables: ReferenceReader = NO_TABLES, era = 0) {
    assert(
      definition.sizeMs % definition.slideMs === 0,
      `Window ${definition.name}: the slide must divide the size.`,
    )
    this.definition = definition
    this.#tables = tables
    this.#era = era
    this.#aggregates = Object.entries(definition.values)
    const additions = this.#aggregates.map(([, aggregate], index) => ({ aggregate, index }))
    const labels = additions.filter(({ aggregate }) => aggregate.kind === 'keys-by-label')
    this.#additions = [...labels, ...additions.filter((each) => !labels.includes(each))]
  }

  /** Windows that end by this watermark are over before anything is added. */
  beginAt(watermarkMs: EpochMs): void {
    this.#finalUntilMs = this.#finalBoundary(watermarkMs)
  }

  /** What was until this instant is not in here: windows are told from the first that begins later. */
  beginAfter(newestMs: EpochMs): void {
    const { slideMs } = this.definition
    this.#wholeFromMs = (Math.floor(newestMs / slideMs) + 1) * slideMs
  }

  /** Returns false where the event came too late even for an amendment. */
  add(key: string, event: E, eventTimeMs: EpochMs): boolean {
    const { slideMs, amendableForMs } = this.definition
    if (this.definition.counts?.(event) === false) return true
    const sincePaneMs = eventTimeMs - this.#lastPaneMs
    const inLastPane = sincePaneMs >= 0 && sincePaneMs < slideMs
    const paneMs = inLastPane ? this.#lastPaneMs : eventTimeMs - (eventTimeMs % slideMs)
    if (this.#finalUntilMs !== null && paneMs < this.#finalUntilMs - amendableForMs) return false
    const group = this.definition.group(event, this.#tables)
    const cells = this.#cells(this.#pane(paneMs), group)
    // A key that has a label in the pane is among its keys already.
    let isKnown = false
    for (const { aggregate, index } of this.#additions) {
      const cell = cells[index] ?? null
      if (aggregate.kind === 'keys-by-label') {
        const label = aggregate.label(event, this.#tables)
        const labels = cell as Map<string, Labelled>
        if (label !== null && noteLabel(labels, key, label, eventTimeMs)) isKnown = true
      } else if (aggregate.kind === 'distinct-keys') {
        if (!isKnown) (cell as Set<string>).add(key)
      } else cells[index] = addTo(cell as number | null, aggregate, event)
    }
    if (this.#finalUntilMs !== null && paneMs < this.#finalUntilMs) this.#amend(paneMs, group)
    return true
  }

  /** True where moving the watermark there makes at least one window with data final. */
  wouldFinish(watermarkMs: EpochMs): boolean {
    const until = this.#finalBoundary(watermarkMs)
    if (this.#finalUntilMs !== null && until <= this.#finalUntilMs) return false
    const from = this.#finalUntilMs
    for (const paneMs of this.#panes.keys()) {
      const lastEndMs = paneMs + this.definition.sizeMs
      const firstEndMs = paneMs + this.definition.slideMs
      if (firstEndMs <= until && (from === null || lastEndMs > from)) return true
    }
    return false
  }

  /** Some window with data is not final yet. */
  get hasOpen(): boolean {
    const untilMs = this.#finalUntilMs ?? Number.NEGATIVE_INFINITY
    for (const paneMs of this.#panes.keys()) {
      if (paneMs + this.definition.sizeMs > untilMs) return true
    }
    return false
  }

  /** Windows that became final or were amended since the last call, in order of their start. */
  advance(watermarkMs: EpochMs, tenantId: string): readonly WindowResult[] {
    const { sizeMs, slideMs, amendableForMs } = this.definition
    const until = this.#finalBoundary(watermarkMs)
    const results: WindowResult[] = []
    if (this.#finalUntilMs === null || until > this.#finalUntilMs) {
      const ends = new Set<EpochMs>()
      for (const paneMs of this.#panes.keys()) {
        for (let endMs = paneMs + slideMs; endMs <= paneMs + sizeMs; endMs += slideMs) {
          if (endMs - sizeMs < this.#wholeFromMs || endMs > until) continue
          if (this.#finalUntilMs === null || endMs > this.#finalUntilMs) ends.add(endMs)
        }
      }
      for (const endMs of ends) this.#touched.delete(endMs - sizeMs)
      for (const endMs of [...ends].sort((a, b) => a - b)) {
        results.push(...this.#results(this.#merged(endMs - sizeMs), endMs - sizeMs, tenantId, true))
      }
      this.#finalUntilMs = until
    }
    if (this.#touched.size > 0) {
      for (const startMs of [...this.#touched.keys()].sort((a, b) => a - b)) {
        const groups = this.#merged(startMs, this.#touched.get(startMs))
        results.push(...this.#results(groups, startMs, tenantId, true))
      }
      this.#touched.clear()
    }
    this.#drop((this.#finalUntilMs ?? 0) - amendableForMs - sizeMs)
    return results
  }

  /** Everything there is becomes final: nothing more is to come. */
  finish(tenantId: string): readonly WindowResult[] {
    const lastPaneMs = Math.max(...this.#panes.keys())
    const untilMs = Math.max(lastPaneMs + this.definition.sizeMs, this.#finalUntilMs ?? 0)
    return this.#panes.size === 0 ? [] : this.advance(untilMs, tenantId)
  }

  /** Windows that are still open, and the newest that is final, as far as they are known. */
  open(tenantId: string): readonly WindowResult[] {
    const { sizeMs, slideMs } = this.definition
    const panes = [...this.#panes.keys()]
    if (panes.length === 0) return []
    const newestPaneMs = Math.max(...panes)
    const finalUntilMs = this.#finalUntilMs ?? Number.NEGATIVE_INFINITY
    const firstEndMs = Math.max(
      finalUntilMs,
      Math.min(...panes) + slideMs,
      this.#wholeFromMs + sizeMs,
    )
    const results: WindowResult[][] = []
    // The later ones all reach beyond the newest pane: each is the one after it and one pane more.
    let suffix: Pane = new Map()
    for (let startMs = newestPaneMs; startMs + sizeMs >= firstEndMs; startMs -= slideMs) {
      const final = startMs + sizeMs <= finalUntilMs
      if (startMs + sizeMs > newestPaneMs) suffix = this.#merge(suffix, startMs)
      const groups = startMs + sizeMs > newestPaneMs ? suffix : this.#merged(startMs)
      results.push(this.#results(groups, startMs, tenantId, final))
    }
    return results.reverse().flat()
  }

  encode(): WindowsState {
    return {
      panes: [...this.#panes].map(([paneMs, pane]) => [
        paneMs,
        [...pane].map(([group, cells]) => [group, cells.map(encodeCell)] as const),
      ]),
      amendments: [...this.#amendments].map(([startMs, counts]) => [startMs, [...counts]]),
      finalUntilMs: this.#finalUntilMs,
      wholeFromMs: Number.isFinite(this.#wholeFromMs) ? this.#wholeFromMs : null,
    }
  }

  restore(state: WindowsState): void {
    for (const [paneMs, groups] of state.panes) {
      this.#panes.set(
        paneMs,
        new Map(groups.map(([group, cells]) => [group, cells.map(decodeCell)])),
      )
    }
    for (const [startMs, counts] of state.amendments) {
      this.#amendments.set(startMs, new Map(counts))
    }
    this.#finalUntilMs = state.finalUntilMs
    this.#wholeFromMs = state.wholeFromMs ?? Number.NEGATIVE_INFINITY
    this.#lastPaneMs = Number.NaN
  }

  #finalBoundary(watermarkMs: EpochMs): EpochMs {
    const { slideMs } = this.definition
    return Math.floor(watermarkMs / slideMs) * slideMs
  }

  #pane(paneMs: EpochMs): Pane {
    if (paneMs === this.#lastPaneMs && this.#lastPane !== undefined) return this.#lastPane
    let pane = this.#panes.get(paneMs)
    if (pane === undefined) {
      if (this.#panes.size >= MAX_PANES) this.#panes.delete(Math.min(...this.#panes.keys()))
      pane = new Map()
      this.#panes.set(paneMs, pane)
    }
    this.#lastPaneMs = paneMs
    this.#lastPane = pane
    return pane
  }

  #cells(pane: Pane, group: string): Cell[] {
    let cells = pane.get(group)
    if (cells === undefined) {
      cells = this.#aggregates.map(([, aggregate]) => emptyCell(aggregate))
      pane.set(group, cells)
    }
    return cells
  }

  #amend(paneMs: EpochMs, group: string): void {
    const { sizeMs, slideMs } = this.definition
    for (let startMs = paneMs - sizeMs + slideMs; startMs <= paneMs; startMs += slideMs) {
      if (this.#finalUntilMs === null || startMs + sizeMs > this.#finalUntilMs) continue
      if (startMs < this.#wholeFromMs) continue
      const counts = placeIn(this.#amendments, startMs, () => new Map<string, number>())
      counts.set(group, (counts.get(group) ?? 0) + 1)
      placeIn(this.#touched, startMs, () => new Set<string>()).add(group)
    }
  }

  /** The window that begins there, or some of its groups. The newest pane first: its labels are the latest. */
  #merged(startMs: EpochMs, groups?: ReadonlySet<string>): Pane {
    const { sizeMs, slideMs } = this.definition
    const merged: Pane = new Map()
    for (let paneMs = startMs + sizeMs - slideMs; paneMs >= startMs; paneMs -= slideMs) {
      this.#merge(merged, paneMs, groups)
    }
    return merged
  }

  /** Puts one more pane into what was merged already. */
  #merge(into: Pane, paneMs: EpochMs, groups?: ReadonlySet<string>): Pane {
    for (const [group, cells] of this.#panes.get(paneMs) ?? []) {
      if (groups?.has(group) === false) continue
      const merged = into.get(group) ?? this.#aggregates.map(([, kind]) => emptyCell(kind))
      let labels: { readonly of: Cell; readonly merged: Cell } | undefined
      for (const { aggregate, index } of this.#additions) {
        const from = cells[index] ?? null
        const known = merged[index] ?? null
        merged[index] =
          aggregate.kind === 'distinct-keys' && isEachLabelled({ keys: from, labels, known })
            ? (labels?.merged ?? known)
            : mergeCells(known, from, aggregate)
        if (aggregate.kind === 'keys-by-label') labels = { of: from, merged: merged[index] }
      }
      into.set(group, merged)
    }
    return into
  }

  #results(groups: Pane, startMs: EpochMs, tenantId: string, final: boolean): WindowResult[] {
    const { name, sizeMs } = this.definition
    return [...groups]
      .sort(([a], [b]) => (a < b ? -1 : 1))
      .map(([group, cells]) => ({
        window: name,
        era: this.#era,
        group,
        tenantId,
        startMs,
        endMs: startMs + sizeMs,
        values: Object.fromEntries(
          this.#aggregates.map(([field], index) => [
            field,
            shownCell(cells[index] ?? null, this.#aggregates[index]?.[1].kind),
          ]),
        ),
        keysHash: keysHashOf(cells),
        revision: 1 + (this.#amendments.get(startMs)?.get(group) ?? 0),
        final,
      }))
  }

  #drop(beforeMs: EpochMs): void {
    for (const paneMs of this.#panes.keys()) if (paneMs < beforeMs) this.#panes.delete(paneMs)
    for (const startMs of this.#amendments.keys()) {
      if (startMs < beforeMs) this.#amendments.delete(startMs)
    }
    this.#lastPaneMs = Number.NaN
  }
}

function placeIn<K, V>(map: Map<K, V>, key: K, make: () => V): V {
  let value = map.get(key)
  if (value === undefined) {
    value = make()
    map.set(key, value)
  }
  return value
}

function emptyCell<E>(aggregate: Aggregate<E>): Cell {
  switch (aggregate.kind) {
    case 'count':
    case 'sum':
      return 0
    case 'minimum':
    case 'maximum':
      return null
    case 'distinct-keys':
      return new Set()
    case 'keys-by-label':
      return new Map()
  }
}

/** For what is no matter of keys. */
function addTo<E>(cell: number | null, aggregate: KeylessAggregate<E>, event: E): number | null {
  switch (aggregate.kind) {
    case 'count':
      return (cell ?? 0) + 1
    case 'sum':
      return (cell ?? 0) + Math.round((aggregate.value(event) ?? 0) * SUM_STEPS)
    case 'minimum':
    case 'maximum':
      return extreme(aggregate.kind, cell, aggregate.value(event))
  }
}

function mergeCells<E>(into: Cell, from: Cell, aggregate: Aggregate<E>): Cell {
  switch (aggregate.kind) {
    case 'count':
    case 'sum':
      return (into as number) + (from as number)
    case 'minimum':
    case 'maximum':
      return extreme(aggregate.kind, into as number | null, from as number | null)
    case 'distinct-keys': {
      const keys = into instanceof Map ? new Set(into.keys()) : (into as Set<string>)
      for (const key of from as Set<string>) keys.add(key)
      return keys
    }
    case 'keys-by-label': {
      for (const [key, labelled] of from as Map<string, Labelled>) {
        setLabel(into as Map<string, Labelled>, key, labelled)
      }
      return into
    }
  }
}

/** As `setLabel`; the usual event, a later one with the same label, costs no new entry. True where the key was known. */
function noteLabel(
  cell: Map<string, Labelled>,
  key: string,
  label: string,
  atMs: EpochMs,
): boolean {
  const known = cell.get(key)
  if (known?.label !== label) setLabel(cell, key, { label, atMs })
  else if (atMs > known.atMs) known.atMs = atMs
  return known !== undefined
}

/** The latest wins; of two at one moment the one that sorts last, so that their order does not matter. */
function setLabel(cell: Map<string, Labelled>, key: string, labelled: Labelled): void {
  const known = cell.get(key)
  const { label, atMs } = labelled
  if (known !== undefined && (known.atMs > atMs || (known.atMs === atMs && known.label >= label))) {
    return
  }
  cell.set(key, labelled)
}

function extreme(
  kind: 'minimum' | 'maximum',
  present: number | null,
  value: number | null,
): number | null {
  if (value === null) return present
  if (present === null) return value
  return kind === 'minimum' ? Math.min(present, value) : Math.max(present, value)
}

/** Where each key of each pane has a label, the labelled keys are the keys: they need not be merged twice. */
function isEachLabelled(cells: {
  readonly keys: Cell
  readonly labels: { readonly of: Cell; readonly merged: Cell } | undefined
  readonly known: Cell
}): boolean {
  const { keys, labels, known } = cells
  if (!(keys instanceof Set && labels?.of instanceof Map)) return false
  const soFar = known === labels.merged || (known instanceof Set && known.size === 0)
  return soFar && keys.size === labels.of.size
}

/** As it stands in a result: sets as their size, labels as a count of keys each. */
function shownCell(cell: Cell, kind: Aggregate<unknown>['kind'] | undefined): unknown {
  if (cell instanceof Set || (cell instanceof Map && kind === 'distinct-keys')) return cell.size
  if (!(cell instanceof Map)) return kind === 'sum' && cell !== null ? cell / SUM_STEPS : cell
  const counts = new Map<string, number>()
  for (const { label } of cell.values()) counts.set(label, (counts.get(label) ?? 0) + 1)
  return Object.fromEntries([...counts].sort(([a], [b]) => (a < b ? -1 : 1)))
}

/** The same for the same keys, in whatever order; null where no aggregate is about keys. */
function keysHashOf(cells: readonly Cell[]): number | null {
  const keyed =
    cells.find((cell) => cell instanceof Set) ?? cells.find((cell) => cell instanceof Map)
  if (!(keyed instanceof Set || keyed instanceof Map)) return null
  let sum = 0
  for (const key of keyed.keys()) sum += hashOf(key)
  return sum % Number.MAX_SAFE_INTEGER
}

/** FNV-1a over the characters of a key, as an unsigned 32-bit integer. */
function hashOf(key: string): number {
  let hash = 0x811c9dc5
  for (let index = 0; index < key.length; index++) {
    hash = Math.imul(hash ^ key.charCodeAt(index), 0x01000193)
  }
  return hash >>> 0
}

function encodeCell(cell: Cell): Partial {
  if (cell instanceof Set) return [...cell]
  if (!(cell instanceof Map)) return cell
  return Object.fromEntries(
    [...cell].map(([key, { label, atMs }]) => [key, [label, atMs] as const]),
  )
}

function decodeCell(partial: Partial): Cell {
  if (partial === null || typeof partial === 'number') return partial
  if (isList(partial)) return new Set(partial)
  return new Map(Object.entries(partial).map(([key, [label, atMs]]) => [key, { label, atMs }]))
}

function isList(partial: readonly string[] | SavedLabels): partial is readonly string[] {
  return Array.isArray(partial)
}
