// Chance from the runtime: the only place that draws it.

import { randomBytes } from 'node:crypto'
import type { Random } from '../../ports/random.ts'

/** Unseeded and not for secrets. */
export function systemRandom(): Random {
  return { next: () => Math.random() }
}

/** Names one run of the program; different each time, and not a secret. */
export function randomRunId(): string {
  return randomBytes(9).toString('base64url')
}

/** 256 bits that nobody can guess, as 43 characters that may stand in an address. */
export function newSecret(): string {
  return randomBytes(32).toString('base64url')
}
