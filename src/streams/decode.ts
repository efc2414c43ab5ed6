// From the bytes of a record to a typed event. The log may hold what is not ours: nothing here throws.

import { failed, type Result } from '../kernel/result.ts'
import type { DeadLetter } from '../ports/checkpoint-store.ts'
import type { LogRecord } from '../ports/log.ts'
import {
  MAX_EVENT_BYTES,
  type RejectCode,
  type StreamEvent,
  type TopicDefinition,
} from './topic.ts'

type DecodeProblem = Pick<DeadLetter, 'code' | 'message' | 'path' | 'raw' | 'rawEncoding'>

export function decodeRecord<E extends StreamEvent>(
  record: Pick<LogRecord, 'value'>,
  topic: TopicDefinition<E>,
): Result<E, DecodeProblem> {
  const { value } = record
  if (value.length > MAX_EVENT_BYTES) {
    const found = `An event may have ${MAX_EVENT_BYTES} bytes; this one has ${value.length}.`
    return failed(problem('too-large', found, '', value))
  }
  let json: unknown
  try {
    json = JSON.parse(textOf(value))
  } catch {
    return failed(problem('bad-json', 'The record is not JSON.', '', value))
  }
  const parsed = topic.parse(json)
  if (parsed.ok) return parsed
  const { code, message, path } = parsed.error
  return failed(problem(code, message, path, value))
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

const strictUtf8 = new TextDecoder('utf-8', { fatal: true })

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
