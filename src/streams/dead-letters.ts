// The topic `dead-letters`: what a door refused, as it came, with the reason. It goes through the log like
// everything else, so that nothing that reached us is lost, and ends as a row of `dead_letter`.

import { type Static, Type } from '@sinclair/typebox'
import { TypeCompiler } from '@sinclair/typebox/compiler'
import { derivedId, type Position } from '../kernel/ids.ts'
import { DEFAULT_TENANT } from '../kernel/tenants.ts'
import { type EpochMs, parseInstant, toIso } from '../kernel/time.ts'
import type { ArchiveTable } from '../ports/archive.ts'
import type { DeadLetter } from '../ports/checkpoint-store.ts'
import { rawOf } from './decode.ts'
import { compileParser } from './parse.ts'
import { MAX_EVENT_BYTES, type Rejection, type StreamEvent, type TopicDefinition } from './topic.ts'

export const DEAD_LETTERS_TOPIC = 'dead-letters'
/** Bytes of a refused event that are kept; whatever is within the limit for events is kept whole. */
export const MAX_RAW_BYTES = MAX_EVENT_BYTES

export interface Refused {
  /** Where it was sent to, known or not. */
  readonly topic: string
  readonly tenantId: string
  readonly door: string
  readonly receivedAtMs: EpochMs
  readonly reason: Rejection
  readonly bytes: Uint8Array
}

/**
 * The record's value. Text is written as base64 where JSON would blow it up further than that. Of an
 * event above `MAX_RAW_BYTES` the beginning is kept, and the message says so.
 */
export function encodeDeadLetter(refused: Refused): Buffer {
  const kept = keptBytes(refused.bytes)
  const cut = kept.length < refused.bytes.length
  const message = cut
    ? `${refused.reason.message} Kept: the first ${kept.length} of ${refused.bytes.length} bytes.`
    : refused.reason.message
  const wire: WireDeadLetter = {
    topic: refused.topic,
    receivedAt: toIso(refused.receivedAtMs),
    tenantId: refused.tenantId,
    door: refused.door,
    reason: { code: refused.reason.code, message, path: refused.reason.path },
    ...compactRaw(kept),
    ...(cut ? { rawBytes: refused.bytes.length } : {}),
  }
  return Buffer.from(JSON.stringify(wire))
}

/** Never throws: a record that is not a dead letter of ours becomes one about itself. */
export function parseDeadLetter(value: Uint8Array, position: Position): DeadLetter {
  const id = derivedId('dead-letter', position.topic, position.partition, position.offset)
  const wire = readWire(value)
  const receivedAtMs = parseInstant(wire?.receivedAt)
  if (wire === undefined || receivedAtMs === undefined) {
    return {
      id,
      topic: position.topic,
      receivedAtMs: 0,
      tenantId: DEFAULT_TENANT,
      door: 'log',
      code: 'bad-json',
      message: 'The record in the dead-letter topic is not a dead letter.',
      path: '',
      ...rawOf(value),
      position,
    }
  }
  return {
    id,
    topic: wire.topic,
    receivedAtMs,
    tenantId: wire.tenantId,
    door: wire.door,
    ...wire.reason,
    raw: wire.raw,
    rawEncoding: wire.rawEncoding,
    position,
  }
}

const wireSchema = Type.Object({
  topic: Type.String(),
  receivedAt: Type.String({ description: 'ISO 8601 with offset' }),
  tenantId: Type.String(),
  door: Type.String(),
  reason: Type.Object({ code: Type.String(), message: Type.String(), path: Type.String() }),
  raw: Type.String({ description: 'The bytes as they came; base64 where they are not text' }),
  rawEncoding: Type.Union([Type.Literal('text'), Type.Literal('base64')]),
  rawBytes: Type.Optional(Type.Integer({ description: 'Bytes that came, where not all are kept' })),
})

type WireDeadLetter = Static<typeof wireSchema>

const wireCheck = TypeCompiler.Compile(wireSchema)

function readWire(value: Uint8Array): WireDeadLetter | undefined {
  try {
    const wire: unknown = JSON.parse(Buffer.from(value).toString('utf8'))
    return wireCheck.Check(wire) ? wire : undefined
  } catch {
    return undefined
  }
}

/** Not cut inside a character of UTF-8, so that text stays text. */
function keptBytes(bytes: Uint8Array): Uint8Array {
  if (bytes.length <= MAX_RAW_BYTES) return bytes
  let end = MAX_RAW_BYTES
  while (end > MAX_RAW_BYTES - 4 && ((bytes[end] ?? 0) & 0xc0) === 0x80) end--
  return bytes.subarray(0, end)
}

function compactRaw(bytes: Uint8Array): Pick<DeadLetter, 'raw' | 'rawEncoding'> {
  const raw = rawOf(bytes)
  if (raw.rawEncoding === 'base64') return raw
  const mostBytes = 64 + Math.ceil((bytes.length * 4) / 3)
  if (Buffer.byteLength(JSON.stringify(raw.raw)) <= mostBytes) return raw
  return { raw: Buffer.from(bytes).toString('base64'), rawEncoding: 'base64' }
}

export interface DeadLetterEvent extends StreamEvent {
  readonly topic: string
  readonly door: string
  readonly code: string
  readonly message: string
  readonly path: string
  readonly raw: string
  readonly rawEncoding: 'text' | 'base64'
}

/** As typed events, for whoever reads the topic like any other; the rows of `dead_letter` are made from `parseDeadLetter`. */
const archive: ArchiveTable<DeadLetterEvent> = {
  name: 'dead_letter_event',
  columns: [
    { name: 'topic', type: 'text' },
    { name: 'recorded_at', type: 'timestamptz' },
    { name: 'door', type: 'text' },
    { name: 'code', type: 'text' },
    { name: 'message', type: 'text' },
    { name: 'path', type: 'text' },
    { name: 'raw', type: 'text' },
    { name: 'raw_encoding', type: 'text' },
  ],
  entityColumn: 'topic',
  recordedAtColumn: 'recorded_at',
  write(row, event) {
    row.text(event.topic)
    row.timestamp(event.recordedAtMs)
    row.text(event.door)
    row.text(event.code)
    row.text(event.message)
    row.text(event.path)
    row.text(event.raw)
    row.text(event.rawEncoding)
  },
  read(row) {
    return {
      topic: row.text() ?? '',
      recordedAtMs: row.timestamp() ?? 0,
      eventId: null,
      door: row.text() ?? '',
      code: row.text() ?? '',
      message: row.text() ?? '',
      path: row.text() ?? '',
      raw: row.text() ?? '',
      rawEncoding: row.text() === 'base64' ? 'base64' : 'text',
    }
  },
}

const parseWire = compileParser(
  Type.Composite([wireSchema, Type.Object({ recordedAt: Type.String() })]),
  (wire, recordedAtMs): DeadLetterEvent => ({
    recordedAtMs,
    eventId: null,
    topic: wire.topic,
    door: wire.door,
    ...wire.reason,
    raw: wire.raw,
    rawEncoding: wire.rawEncoding,
  }),
)

export const deadLetters: TopicDefinition<DeadLetterEvent> = {
  name: DEAD_LETTERS_TOPIC,
  schema: wireSchema,
  /** Its time is the one at which the door refused it. */
  parse: (value) =>
    parseWire(
      typeof value === 'object' && value !== null && 'receivedAt' in value
        ? { ...value, recordedAt: value.receivedAt }
        : value,
    ),
  keyOf: (event) => event.topic,
  archive,
}
