// What was measured, against what was asked for: as a table for people, as a document for programs.

/** A limit that a figure is held to, and on which side of it lies the good. */
export interface Goal {
  readonly better: 'higher' | 'lower'
  readonly bar: number
  readonly aim?: number
}

export interface Figure {
  /** Stable across versions: `backlog.ratio`. */
  readonly id: string
  readonly label: string
  readonly value: number
  readonly unit: string
  readonly goal?: Goal
}

export type Verdict = 'aim' | 'bar' | 'missed'

export interface BenchReport {
  readonly startedAt: string
  readonly seconds: number
  readonly quick: boolean
  readonly machine: {
    readonly cores: number
    readonly cpu: string
    readonly memoryGb: number
    readonly node: string
    /** Load average of the last minute when it began: above 0 others had work too. */
    readonly loadBefore: number
  }
  readonly figures: readonly (Figure & { readonly verdict: Verdict | null })[]
  /** What kept a part of it from being measured, or was found to be wrong. */
  readonly problems: readonly string[]
}

export function verdictOf({ value, goal }: Figure): Verdict | null {
  if (goal === undefined) return null
  const reaches = (limit: number): boolean =>
    goal.better === 'higher' ? value >= limit : value <= limit
  if (!reaches(goal.bar)) return 'missed'
  return goal.aim === undefined || reaches(goal.aim) ? 'aim' : 'bar'
}

const VERDICT_TEXT: Readonly<Record<Verdict, string>> = {
  aim: 'met',
  bar: 'bar met, aim not',
  missed: 'MISSED',
}

export function tableOf(report: BenchReport): string {
  const rows = report.figures.map((figure) => [
    figure.label,
    `${numberText(figure.value)} ${figure.unit}`.trimEnd(),
    goalText(figure.goal, figure.goal?.bar),
    goalText(figure.goal, figure.goal?.aim),
    figure.verdict === null ? '' : VERDICT_TEXT[figure.verdict],
  ])
  const all = [['measured', 'value', 'bar', 'aim', ''], ...rows]
  const widths = [0, 1, 2, 3, 4].map((column) =>
    Math.max(...all.map((row) => row[column]?.length ?? 0)),
  )
  const lines = all.map((row) =>
    row
      .map((cell, column) => {
        const width = widths[column] ?? 0
        return column === 0 || column === 4 ? cell.padEnd(width) : cell.padStart(width)
      })
      .join('  ')
      .trimEnd(),
  )
  lines.splice(1, 0, '─'.repeat(widths.reduce((sum, width) => sum + width + 2, -2)))
  return lines.join('\n')
}

function goalText(goal: Goal | undefined, limit: number | undefined): string {
  if (goal === undefined || limit === undefined) return ''
  return `${goal.better === 'higher' ? '≥' : '≤'} ${numberText(limit)}`
}

/** Three significant digits are more than the machine's noise leaves. */
function numberText(value: number): string {
  const magnitude = Math.abs(value)
  const digits = magnitude >= 100 ? 0 : magnitude >= 10 ? 1 : magnitude >= 1 ? 2 : 3
  return value.toLocaleString('en', {
    minimumFractionDigits: 0,
    maximumFractionDigits: digits,
  })
}
