// A topic as the platform knows it: what an event looks like on the wire, how it becomes a typed value,
// which key it belongs to, and how it is archived.

import type { TSchema } from '@sinclair/typebox'
import type { Result } from '../kernel/result.ts'
import type { EpochMs } from '../kernel/time.ts'
import type { ArchiveTable } from '../ports/archive.ts'

/** What every typed event carries. Absent fields are null, so that all events of a topic have one shape. */
export interface StreamEvent {
  /** The device's time. */
  readonly recordedAtMs: EpochMs
  /** The sender's id; a repeat for the same key changes nothing. */
  readonly eventId: string | null
}

export type RejectCode =
  | 'bad-json'
  | 'bad-time'
  | 'bad-value'
  | 'missing-field'
  | 'not-an-object'
  | 'too-deep'
  | 'too-large'
  | 'unknown-topic'
  | 'wrong-type'

export interface Rejection {
  readonly code: RejectCode
  readonly message: string
  /** JSON pointer to the offending value; empty for the whole event. */
  readonly path: string
}

export interface TopicDefinition<E extends StreamEvent> {
  readonly name: string
  /** Every task of the pipelines that name it holds all of it: it has one partition. */
  readonly broadcast?: boolean
  /** Written by the platform itself; doors do not take it. */
  readonly internal?: boolean
  /** The wire format, for validation, OpenAPI and AsyncAPI. */
  readonly schema: TSchema
  /** Accepts exactly what `schema` describes; unknown fields are ignored. Pure. */
  parse(value: unknown): Result<E, Rejection>
  keyOf(event: E): string
  readonly archive: ArchiveTable<E>
}

/** Limits for one event, applied by whoever reads bytes from outside. */
export const MAX_EVENT_BYTES = 256 * 1024
export const MAX_EVENT_DEPTH = 32
