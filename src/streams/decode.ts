// From the bytes of a record to a typed event. The log may hold what is not ours: nothing here throws.

import { isUtf8 } from 'node:buffer'
import { failed, type Result } from '../kernel/result.ts'
import type { DeadLetter } from '../ports/checkpoint-store.ts'
import type { LogRecord } from '../ports/log.ts'
import {
  MAX_EVENT_BYTES,
  type RejectCode,
  type StreamEvent,
  type TopicDefinition,
} from './topic.ts'

/** Why a record is no event, and its bytes, as a dead letter keeps them. */
export type DecodeProblem = Pick<DeadLetter, 'code' | 'message' | 'path' | 'raw' | 'rawEncoding'>

export function decodeRecord<E extends StreamEvent>(
  record: Pick<LogRecord, 'value'>,
  topic: TopicDefinition<E>,
): Result<E, DecodeProblem> {
  const { value } = record
  if (value.length > MAX_EVENT_BYTES) {
    const found = `An event may have ${MAX_EVENT_BYTES} bytes; this one has ${value.length}.`
    return failed(problem('too-large', found, '', value))
  }
  const text = textOf(value)
  if (text.includes('\ufffd') && !isUtf8(value)) {
    return failed(problem('bad-json', 'The record is not valid UTF-8.', '', value))
  }
  let json: unknown
  try {
    json = JSON.parse(text)
  } catch {
    return failed(problem('bad-json', 'The record is not JSON.', '', value))
  }
  if (text.includes(ESCAPE) && SUSPECT_ESCAPE.test(text) && !isStorable(json)) {
    return failed(problem('bad-value', 'The record holds text that cannot be archived.', '', value))
  }
  const parsed = topic.parse(json)
  if (parsed.ok) return parsed
  const { code, message, path } = parsed.error
  return failed(problem(code, message, path, value))
}

const ESCAPE = '\\u'
/** Escapes that may stand for what no database keeps as text: U+0000, and half a surrogate pair. */
const SUSPECT_ESCAPE = /\\u(?:0000|[dD][89a-fA-F])/
/** Deeper values are not looked into: no field of an event is read from there. */
const DEEPEST_LOOK = 32

function isStorable(value: unknown, depth = 0): boolean {
  if (typeof value === 'string') return value.isWellFormed() && !value.includes('\u0000')
  if (typeof value !== 'object' || value === null || depth > DEEPEST_LOOK) return true
  return Object.entries(value).every(
    ([name, inner]) => isStorable(name) && isStorable(inner, depth + 1),
  )
}

function textOf(bytes: Uint8Array): string {
  const buffer = Buffer.isBuffer(bytes)
    ? bytes
    : Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength)
  return buffer.toString('utf8')
}

function problem(
  code: RejectCode,
  message: string,
  path: string,
  value: Uint8Array,
): DecodeProblem {
  return { code, message, path, ...rawOf(value) }
}

const strictUtf8 = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true })

/** The bytes as they came: text where they are text that Postgres can hold, base64 otherwise. */
export function rawOf(value: Uint8Array): Pick<DeadLetter, 'raw' | 'rawEncoding'> {
  try {
    const text = strictUtf8.decode(value)
    if (!text.includes('\u0000')) return { raw: text, rawEncoding: 'text' }
  } catch {
    // Not UTF-8: kept as base64 below.
  }
  return { raw: Buffer.from(value).toString('base64'), rawEncoding: 'base64' }
}
