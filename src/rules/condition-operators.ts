// What the operators and functions of conditions do: each takes plain functions of the event and gives one. A part
// that fails, such as a missing field in a comparison, makes fail what it decides.

import { distanceM } from '../kernel/geo.ts'
import {
  type Built,
  FAILS,
  type Flag,
  NO,
  type Numeric,
  type Verdict,
  YES,
} from './condition-part.ts'

/** Of a flag as field tables hold it: 1, 0, or neither. */
export function verdictOf(flag: number): Verdict {
  return flag === 1 ? YES : flag === 0 ? NO : FAILS
}

export function not(test: () => Verdict): () => Verdict {
  return () => {
    const verdict = test()
    return verdict === FAILS ? FAILS : verdict === YES ? NO : YES
  }
}

/** As in CEL, one side that decides makes up for the other's failing. */
export function and(left: () => Verdict, right: () => Verdict): () => Verdict {
  return () => {
    const a = left()
    if (a === NO) return NO
    const b = right()
    if (b === NO) return NO
    return a === FAILS || b === FAILS ? FAILS : YES
  }
}

export function or(left: () => Verdict, right: () => Verdict): () => Verdict {
  return () => {
    const a = left()
    if (a === YES) return YES
    const b = right()
    if (b === YES) return YES
    return a === FAILS || b === FAILS ? FAILS : NO
  }
}

export function equalityOf(a: Built, b: Built): (() => Verdict) | undefined {
  if (a.kind === 'null') return isNull(b)
  if (b.kind === 'null') return isNull(a)
  if (a.kind === 'number' && b.kind === 'number') return equalNumbers(a, b)
  if (a.kind === 'flag' && b.kind === 'flag') return equalFlags(a, b)
  if (a.kind !== 'text' || b.kind !== 'text') return undefined
  const readA = a.read
  const readB = b.read
  return () => (readA() === readB() ? YES : NO)
}

/** Only a field can be null; of anything else it makes no sense to ask. */
export function isNull(built: Built): (() => Verdict) | undefined {
  switch (built.kind) {
    case 'number': {
      const { value } = built
      return built.isField ? () => (Number.isNaN(value()) ? YES : NO) : undefined
    }
    case 'flag': {
      const { test } = built
      return built.isField ? () => (test() === FAILS ? YES : NO) : undefined
    }
    case 'text': {
      const { read } = built
      return built.constant === null ? () => (read() === null ? YES : NO) : undefined
    }
    case 'null':
      return undefined
  }
}

function equalNumbers(a: Numeric, b: Numeric): () => Verdict {
  const valueA = a.value
  const valueB = b.value
  const nullA = a.isField
  const nullB = b.isField
  return () => {
    const left = valueA()
    const right = valueB()
    if (left === right) return YES
    const leftNone = Number.isNaN(left)
    const rightNone = Number.isNaN(right)
    if ((leftNone && !nullA) || (rightNone && !nullB)) return FAILS
    return leftNone && rightNone ? YES : NO
  }
}

function equalFlags(a: Flag, b: Flag): () => Verdict {
  const testA = a.test
  const testB = b.test
  const nullA = a.isField
  const nullB = b.isField
  return () => {
    const left = testA()
    const right = testB()
    if ((left === FAILS && !nullA) || (right === FAILS && !nullB)) return FAILS
    return left === right ? YES : NO
  }
}

type Numbers = () => number

/** What is neither on one side nor on the other is no number. */
export const ORDERS = {
  '<': (a: Numbers, b: Numbers) => (): Verdict => {
    const left = a()
    const right = b()
    return left < right ? YES : left >= right ? NO : FAILS
  },
  '<=': (a: Numbers, b: Numbers) => (): Verdict => {
    const left = a()
    const right = b()
    return left <= right ? YES : left > right ? NO : FAILS
  },
  '>': (a: Numbers, b: Numbers) => (): Verdict => {
    const left = a()
    const right = b()
    return left > right ? YES : left <= right ? NO : FAILS
  },
  '>=': (a: Numbers, b: Numbers) => (): Verdict => {
    const left = a()
    const right = b()
    return left >= right ? YES : left < right ? NO : FAILS
  },
} as const

interface FieldAndLimit {
  readonly numbers: Float64Array
  readonly index: number
  readonly limit: number
}

export function fieldAgainst(
  op: keyof typeof ORDERS,
  { numbers, index, limit }: FieldAndLimit,
): () => Verdict {
  switch (op) {
    case '<':
      return () => {
        const value = numbers[index] ?? Number.NaN
        return value < limit ? YES : value >= limit ? NO : FAILS
      }
    case '<=':
      return () => {
        const value = numbers[index] ?? Number.NaN
        return value <= limit ? YES : value > limit ? NO : FAILS
      }
    case '>':
      return () => {
        const value = numbers[index] ?? Number.NaN
        return value > limit ? YES : value <= limit ? NO : FAILS
      }
    case '>=':
      return () => {
        const value = numbers[index] ?? Number.NaN
        return value >= limit ? YES : value < limit ? NO : FAILS
      }
  }
}

export function orderOfTexts(
  op: keyof typeof ORDERS,
  readA: () => string | null,
  readB: () => string | null,
): () => Verdict {
  const holds = {
    '<': (a: string, b: string) => a < b,
    '<=': (a: string, b: string) => a <= b,
    '>': (a: string, b: string) => a > b,
    '>=': (a: string, b: string) => a >= b,
  }[op]
  return () => {
    const a = readA()
    const b = readB()
    return a === null || b === null ? FAILS : holds(a, b) ? YES : NO
  }
}

/** A number that is none fails as a missing field does. */
export const ARITHMETIC = {
  '+': (a: Numbers, b: Numbers) => () => finite(a() + b()),
  '-': (a: Numbers, b: Numbers) => () => finite(a() - b()),
  '*': (a: Numbers, b: Numbers) => () => finite(a() * b()),
  '/': (a: Numbers, b: Numbers) => () => finite(a() / b()),
  '%': (a: Numbers, b: Numbers) => () => finite(a() % b()),
} as const

function finite(value: number): number {
  return Number.isFinite(value) ? value : Number.NaN
}

interface NumberFunction {
  readonly takes: number
  make(args: readonly Numbers[]): Numbers
}

const NONE: Numbers = () => Number.NaN

function ofOne(compute: (value: number) => number): NumberFunction {
  return {
    takes: 1,
    make:
      ([a = NONE]) =>
      () =>
        finite(compute(a())),
  }
}

function ofTwo(compute: (a: number, b: number) => number): NumberFunction {
  return {
    takes: 2,
    make:
      ([a = NONE, b = NONE]) =>
      () =>
        finite(compute(a(), b())),
  }
}

/** Of numbers. */
export const FUNCTIONS: ReadonlyMap<string, NumberFunction> = new Map([
  ['abs', ofOne(Math.abs)],
  ['floor', ofOne(Math.floor)],
  ['ceil', ofOne(Math.ceil)],
  ['round', ofOne(Math.round)],
  ['min', ofTwo(Math.min)],
  ['max', ofTwo(Math.max)],
  [
    // Great-circle distance between two places: lat, lon, lat, lon.
    'distanceM',
    {
      takes: 4,
      make:
        ([a = NONE, b = NONE, c = NONE, d = NONE]) =>
        () =>
          finite(distanceM({ lat: a(), lon: b() }, { lat: c(), lon: d() })),
    },
  ],
])

/** Of texts. */
export const METHODS: ReadonlyMap<string, (text: string, part: string) => boolean> = new Map([
  ['startsWith', (text, part) => text.startsWith(part)],
  ['endsWith', (text, part) => text.endsWith(part)],
  ['contains', (text, part) => text.includes(part)],
])
