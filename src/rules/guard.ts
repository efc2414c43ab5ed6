// Which rules an event could concern at all. Most conditions cannot hold unless one comparison in them does,
// and the comparisons of a hundred rules look at a few fields: each field is looked at once, and only the
// rules whose limit it has reached are tested.
//
//   event.speedKmh > 120 && event.rpm < 900     guard: event.speedKmh against 120
//   event.fuelLph > 40 || event.gear == 0       guards: both sides
//
// A guard errs on one side only: it may wake a rule in vain, and never leaves one asleep that holds or fails.

import { type Built, type Flag, NO, YES } from './condition-part.ts'

export type Guard = OrderGuard | NumberGuard | TextGuard

interface Watched {
  /** What is looked at, as it is written: guards of one text share one look. */
  readonly text: string
}

/** May hold where the number is at or beyond the limit, or is none. */
export interface OrderGuard extends Watched {
  readonly kind: 'at-least' | 'at-most'
  readonly value: () => number
  readonly limit: number
}

/** May hold where the number is one of these, or is none. */
export interface NumberGuard extends Watched {
  readonly kind: 'numbers'
  readonly value: () => number
  readonly among: readonly number[]
}

/** May hold where the text is one of these. */
export interface TextGuard extends Watched {
  readonly kind: 'texts'
  readonly read: () => string | null
  readonly among: readonly string[]
}

/** Guards of a condition, one of which must let it through; null where none was found. */
export function guardsOf(built: Built): readonly Guard[] | null {
  if (built.kind !== 'flag') return null
  if (built.isField) return [flagGuard(built, YES)]
  const [left, right] = built.parts
  if (left === undefined) return null
  switch (built.node.op) {
    case '!_':
      return left.kind === 'flag' && left.isField ? [flagGuard(left, NO)] : null
    case '&&':
      return right === undefined ? null : sharper(guardsOf(left), guardsOf(right))
    case '||':
      return right === undefined ? null : both(guardsOf(left), guardsOf(right))
    case '<':
    case '<=':
      return right === undefined ? null : orderGuard(left, right)
    case '>':
    case '>=':
      return right === undefined ? null : orderGuard(right, left)
    case '==':
      return right === undefined ? null : (equalityGuard(left, right) ?? equalityGuard(right, left))
    default:
      return null
  }
}

/** Of two that must both hold one is enough: the one that lets the fewest through. */
function sharper(a: readonly Guard[] | null, b: readonly Guard[] | null): readonly Guard[] | null {
  if (a === null || b === null) return a ?? b
  return breadth(b) < breadth(a) ? b : a
}

function breadth(guards: readonly Guard[]): number {
  return guards.reduce((sum, { kind }) => sum + (kind === 'numbers' || kind === 'texts' ? 1 : 2), 0)
}

function both(a: readonly Guard[] | null, b: readonly Guard[] | null): readonly Guard[] | null {
  return a === null || b === null ? null : [...a, ...b]
}

/** Flags are 1 and 0 in the field table, as verdicts are. */
function flagGuard({ text, test }: Flag, wanted: typeof YES | typeof NO): NumberGuard {
  const value = (): number => {
    const verdict = test()
    return verdict === YES || verdict === NO ? verdict : Number.NaN
  }
  return { kind: 'numbers', text, value, among: [wanted] }
}

function orderGuard(less: Built, more: Built): readonly Guard[] | null {
  if (less.kind !== 'number' || more.kind !== 'number') return null
  if (less.constant !== null) {
    return [{ kind: 'at-least', text: more.text, value: more.value, limit: less.constant }]
  }
  if (more.constant !== null) {
    return [{ kind: 'at-most', text: less.text, value: less.value, limit: more.constant }]
  }
  return null
}

function equalityGuard(what: Built, constant: Built): readonly Guard[] | null {
  const { text } = what
  if (what.kind === 'number' && constant.kind === 'number' && constant.constant !== null) {
    return [{ kind: 'numbers', text, value: what.value, among: [constant.constant] }]
  }
  if (what.kind === 'text' && constant.kind === 'text' && constant.constant !== null) {
    return [{ kind: 'texts', text, read: what.read, among: [constant.constant] }]
  }
  return null
}
