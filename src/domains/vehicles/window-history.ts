// Recorded windows put together, kept in memory by the hour. The database counts the changes of every hour, so what
// is kept is known to be true by one small query, however late an amendment comes.

import { type DurationMs, type EpochMs, HOUR_MS } from '../../kernel/time.ts'
import type { Database } from '../../ports/database.ts'
import { type WindowPart, type WindowScope, windowChanges, windowParts } from './queries.ts'
import { type WindowFigures, windowFigures } from './window-figures.ts'

/** Stretch of window starts whose changes are counted together; the trigger on `window_kpi` knows it too. */
const SPAN_MS: DurationMs = HOUR_MS
/** Window starts that are read at once. */
const STARTS_AT_ONCE = 128
/** Windows of one group each that are kept; the hours asked for least recently are dropped beyond it. */
const MAX_KEPT = 50_000

export interface WindowQuestion extends WindowScope {
  /** Windows that begin in `[fromMs, toMs)`. */
  readonly fromMs: EpochMs
  readonly toMs: EpochMs
  /** Only those that begin at whole multiples of this. */
  readonly everyMs: DurationMs
  /** After this window and group, in the order asked for. */
  readonly after: { readonly startMs: EpochMs; readonly group: string } | undefined
  readonly order: 'asc' | 'desc'
  /** Windows of one group each. */
  readonly limit: number
}

export interface WindowHistory {
  /** The first windows in the order asked for; `live` are parts that may not be recorded yet. */
  first(question: WindowQuestion, live: readonly WindowPart[]): Promise<readonly WindowFigures[]>
}

interface Kept {
  readonly changes: number
  readonly figures: readonly WindowFigures[]
}

export function windowHistory(database: Database): WindowHistory {
  const kept = new Map<string, Kept>()
  let keptFigures = 0

  return {
    async first(question, live) {
      const changes = await windowChanges(database, question, question)
      const liveBySpan = Map.groupBy(live.filter(isAskedFor(question)), ({ startMs }) =>
        spanOf(startMs),
      )
      const found: WindowFigures[] = []
      for (const spans of spansAtOnce(
        question,
        new Set([...changes.keys(), ...liveBySpan.keys()]),
      )) {
        const bySpan = await figuresOf(question, { spans, changes, liveBySpan })
        for (const span of spans) {
          const inSpan = (bySpan.get(span) ?? []).filter(isFigureAskedFor(question))
          found.push(...inSpan.sort(inOrder(question.order)))
          if (found.length >= question.limit) return found.slice(0, question.limit)
        }
      }
      return found
    },
  }

  async function figuresOf(
    question: WindowQuestion,
    { spans, changes, liveBySpan }: SpanFacts,
  ): Promise<ReadonlyMap<EpochMs, readonly WindowFigures[]>> {
    const figures = new Map<EpochMs, readonly WindowFigures[]>()
    const missing: EpochMs[] = []
    for (const span of spans) {
      const known = liveBySpan.has(span) ? undefined : kept.get(keyOf(question, span))
      if (known !== undefined && known.changes === changes.get(span)) {
        figures.set(span, known.figures)
      } else missing.push(span)
    }
    if (missing.length === 0) return figures
    const starts = missing.flatMap((span) => startsIn(span, question.everyMs))
    const parts = Map.groupBy(await windowParts(database, question, starts), ({ startMs }) =>
      spanOf(startMs),
    )
    for (const span of missing) {
      const recorded = parts.get(span) ?? []
      const now = windowFigures([...recorded, ...(liveBySpan.get(span) ?? [])])
      figures.set(span, now)
      const counted = changes.get(span)
      if (counted !== undefined && !liveBySpan.has(span)) {
        keep(keyOf(question, span), { changes: counted, figures: now })
      }
    }
    return figures
  }

  function keep(key: string, entry: Kept): void {
    drop(key)
    kept.set(key, entry)
    keptFigures += entry.figures.length
    for (const oldest of kept.keys()) {
      if (keptFigures <= MAX_KEPT) return
      drop(oldest)
    }
  }

  function drop(key: string): void {
    keptFigures -= kept.get(key)?.figures.length ?? 0
    kept.delete(key)
  }
}

interface SpanFacts {
  readonly spans: readonly EpochMs[]
  readonly changes: ReadonlyMap<EpochMs, number>
  readonly liveBySpan: ReadonlyMap<EpochMs, readonly WindowPart[]>
}

function spanOf(startMs: EpochMs): EpochMs {
  return Math.floor(startMs / SPAN_MS) * SPAN_MS
}

function startsIn(spanMs: EpochMs, everyMs: DurationMs): readonly EpochMs[] {
  const starts: EpochMs[] = []
  const firstMs = Math.ceil(spanMs / everyMs) * everyMs
  for (let startMs = firstMs; startMs < spanMs + SPAN_MS; startMs += everyMs) starts.push(startMs)
  return starts
}

/** The spans that hold anything, in the order asked for, so many at once as is good to read. */
function* spansAtOnce(
  { fromMs, toMs, everyMs, after, order }: WindowQuestion,
  filled: ReadonlySet<EpochMs>,
): Iterable<readonly EpochMs[]> {
  const firstMs = order === 'asc' && after !== undefined ? after.startMs : fromMs
  const lastMs = order === 'desc' && after !== undefined ? after.startMs : toMs - 1
  const spans = [...filled]
    .filter(
      (span) => span >= spanOf(firstMs) && span <= lastMs && startsIn(span, everyMs).length > 0,
    )
    .sort((a, b) => (order === 'asc' ? a - b : b - a))
  const atOnce = Math.max(1, Math.floor((STARTS_AT_ONCE * everyMs) / SPAN_MS))
  for (let from = 0; from < spans.length; from += atOnce) yield spans.slice(from, from + atOnce)
}

function keyOf({ tenantId, window, everyMs }: WindowQuestion, spanMs: EpochMs): string {
  return JSON.stringify([tenantId, window, everyMs, spanMs])
}

function isAskedFor({ fromMs, toMs, everyMs }: WindowQuestion) {
  return ({ startMs }: Pick<WindowPart, 'startMs'>): boolean =>
    startMs >= fromMs && startMs < toMs && startMs % everyMs === 0
}

function isFigureAskedFor(question: WindowQuestion) {
  const { after, order } = question
  const inRange = isAskedFor(question)
  return ({ windowStartMs: startMs, model: group }: WindowFigures): boolean => {
    if (!inRange({ startMs })) return false
    if (after === undefined) return true
    const apart =
      startMs - after.startMs || (group === after.group ? 0 : group < after.group ? -1 : 1)
    return order === 'asc' ? apart > 0 : apart < 0
  }
}

function inOrder(order: 'asc' | 'desc') {
  const sign = order === 'asc' ? 1 : -1
  return (a: WindowFigures, b: WindowFigures): number =>
    sign *
    (a.windowStartMs - b.windowStartMs || (a.model < b.model ? -1 : a.model > b.model ? 1 : 0))
}
