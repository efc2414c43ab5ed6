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

export type Aggregate<E> =
  | { readonly kind: 'count' }
  /** A sum is exact to the sixth decimal, in whatever order the values come. */
  | { readonly kind: 'sum' | 'minimum' | 'maximum'; value(event: E): number | null }
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
  group(event: E, tables: ReferenceReader): string
  readonly values: Readonly<Record<string, Aggregate<E>>>
}

/** JSON-able partial result of one aggregate in one pane. */
type Partial = number | null | readonly string[] | Readonly<Record<string, Labelled>>
type Labelled = readonly [label: string, atMs: EpochMs]
type Cell = number | null | Set<string> | Map<string, Labelled>
type Pane = Map<string, Cell[]>

export interface WindowsState {
  readonly panes: readonly (readonly [
    EpochMs,
    readonly (readonly [string, readonly Partial[]])[],
  ])[]
  readonly amendments: readonly (readonly [EpochMs, number])[]
  readonly finalUntilMs: EpochMs | null
}

const NO_TABLES: ReferenceReader = { reference: () => undefined }

/** Sums are kept in whole millionths: adding integers gives the same in any order. */
const SUM_STEPS = 1_000_000
/** Panes kept for one window of one partition; the oldest are dropped beyond it. */
export const MAX_PANES = 10_000

export class PanedWindow<E extends StreamEvent> {
  readonly definition: WindowDefinition<E>
  readonly #tables: ReferenceReader
  readonly #aggregates: readonly (readonly [string, Aggregate<E>])[]
  readonly #panes = new Map<EpochMs, Pane>()
  /** Late events counted into windows that were final, by window start: revision = 1 + count. */
  readonly #amendments = new Map<EpochMs, number>()
  readonly #touched = new Set<EpochMs>()
  /** Windows that end at or before this instant are final. */
  #finalUntilMs: EpochMs | null = null
  #lastPaneMs = Number.NaN
  #lastPane: Pane | undefined

  constructor(definition: WindowDefinition<E>, tables: ReferenceReader = NO_TABLES) {
    assert(
      definition.sizeMs % definition.slideMs === 0,
      `Window ${definition.name}: the slide must divide the size.`,
    )
    this.definition = definition
    this.#tables = tables
    this.#aggregates = Object.entries(definition.values)
  }

  /** Windows that end by this watermark are over before anything is added. */
  beginAt(watermarkMs: EpochMs): void {
    this.#finalUntilMs = this.#finalBoundary(watermarkMs)
  }

  /** Returns false where the event came too late even for an amendment. */
  add(key: string, event: E, eventTimeMs: EpochMs): boolean {
    const { slideMs, amendableForMs } = this.definition
    const paneMs = eventTimeMs - (eventTimeMs % slideMs)
    if (this.#finalUntilMs !== null && paneMs < this.#finalUntilMs - amendableForMs) return false
    const cells = this.#cells(this.#pane(paneMs), this.definition.group(event, this.#tables))
    const from = { key, event, eventTimeMs }
    for (let index = 0; index < this.#aggregates.length; index++) {
      const aggregate = this.#aggregates[index]?.[1]
      if (aggregate !== undefined) {
        cells[index] = addTo(cells[index] ?? null, aggregate, from, this.#tables)
      }
    }
    if (this.#finalUntilMs !== null && paneMs < this.#finalUntilMs) this.#amend(paneMs)
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

  /** Windows that became final or were amended since the last call, in order of their start. */
  advance(watermarkMs: EpochMs, tenantId: string): readonly WindowResult[] {
    const { sizeMs, slideMs, amendableForMs } = this.definition
    const until = this.#finalBoundary(watermarkMs)
    const results: WindowResult[] = []
    if (this.#finalUntilMs === null || until > this.#finalUntilMs) {
      const ends = new Set<EpochMs>()
      for (const paneMs of this.#panes.keys()) {
        for (let endMs = paneMs + slideMs; endMs <= paneMs + sizeMs; endMs += slideMs) {
          if (endMs <= until && (this.#finalUntilMs === null || endMs > this.#finalUntilMs)) {
            ends.add(endMs)
          }
        }
      }
      for (const endMs of ends) this.#touched.delete(endMs - sizeMs)
      for (const endMs of [...ends].sort((a, b) => a - b)) {
        results.push(...this.#results(endMs - sizeMs, tenantId, true))
      }
      this.#finalUntilMs = until
    }
    for (const startMs of [...this.#touched].sort((a, b) => a - b)) {
      results.push(...this.#results(startMs, tenantId, true))
    }
    this.#touched.clear()
    this.#drop((this.#finalUntilMs ?? 0) - amendableForMs - sizeMs)
    return results
  }

  /** Windows that are still open, as far as they are known. */
  open(tenantId: string): readonly WindowResult[] {
    const { sizeMs, slideMs } = this.definition
    const starts = new Set<EpochMs>()
    for (const paneMs of this.#panes.keys()) {
      for (let startMs = paneMs - sizeMs + slideMs; startMs <= paneMs; startMs += slideMs) {
        if (this.#finalUntilMs === null || startMs + sizeMs > this.#finalUntilMs)
          starts.add(startMs)
      }
    }
    return [...starts].sort((a, b) => a - b).flatMap((at) => this.#results(at, tenantId, false))
  }

  encode(): WindowsState {
    return {
      panes: [...this.#panes].map(([paneMs, pane]) => [
        paneMs,
        [...pane].map(([group, cells]) => [group, cells.map(encodeCell)] as const),
      ]),
      amendments: [...this.#amendments],
      finalUntilMs: this.#finalUntilMs,
    }
  }

  restore(state: WindowsState): void {
    for (const [paneMs, groups] of state.panes) {
      this.#panes.set(
        paneMs,
        new Map(groups.map(([group, cells]) => [group, cells.map(decodeCell)])),
      )
    }
    for (const [startMs, count] of state.amendments) this.#amendments.set(startMs, count)
    this.#finalUntilMs = state.finalUntilMs
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

  #amend(paneMs: EpochMs): void {
    const { sizeMs, slideMs } = this.definition
    for (let startMs = paneMs - sizeMs + slideMs; startMs <= paneMs; startMs += slideMs) {
      if (this.#finalUntilMs === null || startMs + sizeMs > this.#finalUntilMs) continue
      this.#amendments.set(startMs, (this.#amendments.get(startMs) ?? 0) + 1)
      this.#touched.add(startMs)
    }
  }

  #results(startMs: EpochMs, tenantId: string, final: boolean): WindowResult[] {
    const { name, sizeMs, slideMs } = this.definition
    const groups = new Map<string, Cell[]>()
    for (let paneMs = startMs; paneMs < startMs + sizeMs; paneMs += slideMs) {
      for (const [group, cells] of this.#panes.get(paneMs) ?? []) {
        const merged = groups.get(group) ?? this.#aggregates.map(([, kind]) => emptyCell(kind))
        for (let index = 0; index < merged.length; index++) {
          const aggregate = this.#aggregates[index]?.[1]
          if (aggregate !== undefined) {
            merged[index] = mergeCells(merged[index] ?? null, cells[index] ?? null, aggregate)
          }
        }
        groups.set(group, merged)
      }
    }
    return [...groups]
      .sort(([a], [b]) => (a < b ? -1 : 1))
      .map(([group, cells]) => ({
        window: name,
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
        revision: 1 + (this.#amendments.get(startMs) ?? 0),
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

function addTo<E>(
  cell: Cell,
  aggregate: Aggregate<E>,
  from: { readonly key: string; readonly event: E; readonly eventTimeMs: EpochMs },
  tables: ReferenceReader,
): Cell {
  switch (aggregate.kind) {
    case 'count':
      return (cell as number) + 1
    case 'sum':
      return (cell as number) + Math.round((aggregate.value(from.event) ?? 0) * SUM_STEPS)
    case 'minimum':
    case 'maximum':
      return extreme(aggregate.kind, cell as number | null, aggregate.value(from.event))
    case 'distinct-keys':
      return (cell as Set<string>).add(from.key)
    case 'keys-by-label': {
      const label = aggregate.label(from.event, tables)
      if (label !== null)
        setLabel(cell as Map<string, Labelled>, from.key, [label, from.eventTimeMs])
      return cell
    }
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
      for (const key of from as Set<string>) (into as Set<string>).add(key)
      return into
    }
    case 'keys-by-label': {
      for (const [key, labelled] of from as Map<string, Labelled>) {
        setLabel(into as Map<string, Labelled>, key, labelled)
      }
      return into
    }
  }
}

/** The latest wins; of two at one moment the one that sorts last, so that their order does not matter. */
function setLabel(cell: Map<string, Labelled>, key: string, labelled: Labelled): void {
  const known = cell.get(key)
  const [label, atMs] = labelled
  if (known !== undefined && (known[1] > atMs || (known[1] === atMs && known[0] >= label))) return
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

/** As it stands in a result: sets as their size, labels as a count of keys each. */
function shownCell(cell: Cell, kind: Aggregate<unknown>['kind'] | undefined): unknown {
  if (cell instanceof Set) return cell.size
  if (!(cell instanceof Map)) return kind === 'sum' && cell !== null ? cell / SUM_STEPS : cell
  const counts = new Map<string, number>()
  for (const [label] of [...cell.values()].sort(([a], [b]) => (a < b ? -1 : 1))) {
    counts.set(label, (counts.get(label) ?? 0) + 1)
  }
  return Object.fromEntries(counts)
}

function encodeCell(cell: Cell): Partial {
  if (cell instanceof Set) return [...cell]
  if (cell instanceof Map) return Object.fromEntries(cell)
  return cell
}

function decodeCell(partial: Partial): Cell {
  if (partial === null || typeof partial === 'number') return partial
  return isList(partial) ? new Set(partial) : new Map(Object.entries(partial))
}

function isList(
  partial: readonly string[] | Readonly<Record<string, Labelled>>,
): partial is readonly string[] {
  return Array.isArray(partial)
}
