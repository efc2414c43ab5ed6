// Chooses the format of an answer by the `Accept` header.

import { HttpProblem } from './problems.ts'

/** Media ranges looked at; a header with more is cut there. */
const MAX_RANGES = 20

interface Range {
  readonly type: string
  readonly weight: number
}

/** The first offered format is taken where the client has no wish. Throws 406 where none fits. */
export function acceptedType<T extends string>(
  header: string | undefined,
  offered: readonly [T, ...T[]],
): T {
  if (header === undefined || header.trim() === '') return offered[0]
  for (const { type } of rangesOf(header)) {
    const match = offered.find((candidate) => covers(type, candidate))
    if (match !== undefined) return match
  }
  throw new HttpProblem('not-acceptable', `Accept one of ${offered.join(', ')}.`)
}

function rangesOf(header: string): readonly Range[] {
  return header
    .split(',', MAX_RANGES)
    .map(rangeOf)
    .filter((range) => range.weight > 0)
    .sort((a, b) => b.weight - a.weight)
}

function rangeOf(text: string): Range {
  const [type = '', ...parameters] = text.split(';').map((part) => part.trim().toLowerCase())
  const weight = parameters.find((parameter) => parameter.startsWith('q='))?.slice(2)
  return { type, weight: weight === undefined ? 1 : Number(weight) || 0 }
}

function covers(range: string, type: string): boolean {
  return range === '*/*' || range === type || range === `${type.split('/')[0]}/*`
}
