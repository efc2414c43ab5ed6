// The one reader of JSON that comes from outside: refuses what is too large, too deep or not JSON at a
// cost that does not depend on how hostile it is. Depth is judged before anything is parsed.

import { isUtf8 } from 'node:buffer'
import { failed, ok, type Result } from '../kernel/result.ts'
import { MAX_EVENT_BYTES, MAX_EVENT_DEPTH, type Rejection } from '../streams/topic.ts'

/** Arrays and objects in one event; more of them than any event needs cost time to build. */
export const MAX_EVENT_CONTAINERS = 10_000

/** Longest part of the parser's own message that is passed on. */
const MAX_PARSER_MESSAGE = 160

/**
 * Reads one event. The value is whatever the JSON says; a `__proto__` in it is an ordinary own property.
 * Refuses text that is not UTF-8, and U+0000 in any name or text, which the archive cannot hold.
 */
export function readJson(bytes: Buffer): Result<unknown, Rejection> {
  if (bytes.length > MAX_EVENT_BYTES) {
    return refused(
      'too-large',
      `An event may have ${MAX_EVENT_BYTES} bytes; this one has ${bytes.length}.`,
    )
  }
  const text = bytes.toString('utf8')
  // A text of one byte a character holds no replacement character, so this costs nothing where it is ASCII.
  if (text.includes('\ufffd') && !isUtf8(bytes)) {
    return refused('bad-json', 'The event is not valid UTF-8.')
  }
  const excess = excessOf(text)
  if (excess !== null) return refused(excess.code, excess.message)
  let value: unknown
  try {
    value = JSON.parse(text)
  } catch (error) {
    return refused('bad-json', `Not JSON: ${parserMessage(error)}.`)
  }
  if (text.includes('\\u0000') && holdsNul(value)) {
    return refused('bad-value', 'The event holds the character U+0000, which cannot be archived.')
  }
  return ok(value)
}

/** Refuses too many levels, and too many arrays and objects, at the first that is too much. */
function excessOf(text: string): Pick<Rejection, 'code' | 'message'> | null {
  const opening = text.indexOf('{')
  const isFlat = text.indexOf('[') === -1 && text.indexOf('{', opening + 1) === -1
  if (isFlat) return null
  let depth = 0
  let containers = 0
  for (let index = 0; index < text.length; index++) {
    switch (text.charCodeAt(index)) {
      case 0x22:
        index = endOfString(text, index)
        break
      case 0x5b:
      case 0x7b:
        if (++depth > MAX_EVENT_DEPTH) return TOO_DEEP
        if (++containers > MAX_EVENT_CONTAINERS) return TOO_MANY
        break
      case 0x5d:
      case 0x7d:
        depth--
        break
    }
  }
  return null
}

const TOO_DEEP = {
  code: 'too-deep',
  message: `An event may nest ${MAX_EVENT_DEPTH} levels; this one goes deeper.`,
} as const

const TOO_MANY = {
  code: 'too-large',
  message: `An event may hold ${MAX_EVENT_CONTAINERS} arrays and objects; this one holds more.`,
} as const

/** Index of the quote that closes the string opened at `start`; the end of the text where none does. */
function endOfString(text: string, start: number): number {
  for (let index = start + 1; index < text.length; index++) {
    const code = text.charCodeAt(index)
    if (code === 0x5c) index++
    else if (code === 0x22) return index
  }
  return text.length
}

/** Called for values of bounded depth only. */
function holdsNul(value: unknown): boolean {
  if (typeof value === 'string') return value.includes('\0')
  if (typeof value !== 'object' || value === null) return false
  return Object.entries(value).some(([name, inner]) => name.includes('\0') || holdsNul(inner))
}

function parserMessage(error: unknown): string {
  const message = error instanceof Error ? error.message : String(error)
  return message.length > MAX_PARSER_MESSAGE ? `${message.slice(0, MAX_PARSER_MESSAGE)}…` : message
}

function refused(
  code: Rejection['code'],
  message: string,
): { readonly ok: false; readonly error: Rejection } {
  return failed({ code, message, path: '' })
}
