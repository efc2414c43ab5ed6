// Where a page of a list ended, as an opaque text. It carries a tag, so that a cursor of one list is
// refused by another.

import { HttpProblem } from './problems.ts'

export type CursorPart = string | number

export function encodeCursor(tag: string, parts: readonly CursorPart[]): string {
  return Buffer.from(JSON.stringify([tag, ...parts])).toString('base64url')
}

/** The parts, each of the type that `shape` names; throws `invalid-cursor` for anything else. */
export function decodeCursor(
  tag: string,
  shape: readonly ('string' | 'number')[],
  cursor: string,
): readonly CursorPart[] {
  const found = parse(cursor)
  if (!Array.isArray(found) || found[0] !== tag || found.length !== shape.length + 1)
    throw refused()
  return shape.map((type, index) => {
    const part: unknown = found[index + 1]
    if (type === 'number' && typeof part === 'number' && Number.isFinite(part)) return part
    if (type === 'string' && typeof part === 'string') return part
    throw refused()
  })
}

function parse(cursor: string): unknown {
  try {
    return JSON.parse(Buffer.from(cursor, 'base64url').toString())
  } catch {
    return undefined
  }
}

function refused(): HttpProblem {
  return new HttpProblem('invalid-cursor', 'Send `next` of the page before, with the same filters.')
}

/** Cuts a page out of rows that were asked for with one more than the limit. */
export function pageOf<T>(
  rows: readonly T[],
  limit: number,
  cursorOf: (last: T) => string,
): { readonly rows: readonly T[]; readonly next: string | null } {
  const page = rows.slice(0, limit)
  const last = page.at(-1)
  return { rows: page, next: rows.length > limit && last !== undefined ? cursorOf(last) : null }
}
