// Identity is position: ids are derived from where an event stands in the log, never drawn by chance.

import { createHash } from 'node:crypto'

/** `(topic, partition, offset)` names an event for ever. */
export interface Position {
  readonly topic: string
  readonly partition: number
  readonly offset: number
}

/**
 * A UUID (version 8, RFC 9562) made from the parts given: the same parts give the same id on every
 * machine and in every replay.
 */
export function derivedId(...parts: readonly (string | number)[]): string {
  const hash = createHash('sha256').update(JSON.stringify(parts)).digest()
  hash[6] = ((hash[6] ?? 0) & 0x0f) | 0x80
  hash[8] = ((hash[8] ?? 0) & 0x3f) | 0x80
  const hex = hash.toString('hex', 0, 16)
  return `${hex.slice(0, 8)}-${hex.slice(8, 12)}-${hex.slice(12, 16)}-${hex.slice(16, 20)}-${hex.slice(20)}`
}

const UUID = /^[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}$/i

/** Anything else would be an error of the database instead of a thing that does not exist. */
export function isUuid(id: string): boolean {
  return UUID.test(id)
}
