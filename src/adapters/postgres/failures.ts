// Tells failures that pass from failures that stay.

import { PlatformError } from '../../kernel/errors.ts'

/** SQLSTATE classes and codes after which the same content may be tried again. */
const PASSING = /^(?:08|57P0[1-5]|53|40001|40003|40P01|55P03|25006|25P03|58030|57014)/
const PASSING_SYSTEM_CODES = new Set([
  'ECONNREFUSED',
  'ECONNRESET',
  'EPIPE',
  'ETIMEDOUT',
  'ENOENT',
  'EHOSTUNREACH',
  'ENOTFOUND',
  'EAI_AGAIN',
])
const LOST_CONNECTION =
  /connection (?:terminated|closed|timeout|error|ended)|timeout exceeded|not queryable|read timeout/i

/** The error as the platform speaks of it; `tried` says what was being done. */
export function databaseError(tried: string, cause: unknown): PlatformError {
  if (cause instanceof PlatformError) return cause
  return isPassing(cause)
    ? new PlatformError('database-unavailable', `${tried}: the database does not answer.`, {
        retry: 'later',
        cause,
      })
    : new PlatformError('database-failed', `${tried}: the database refused.`, {
        retry: 'never',
        cause,
      })
}

export function isPassing(error: unknown): boolean {
  if (!(error instanceof Error)) return false
  const code = 'code' in error && typeof error.code === 'string' ? error.code : ''
  if (PASSING_SYSTEM_CODES.has(code) || LOST_CONNECTION.test(error.message)) return true
  return code.length === 5 && PASSING.test(code)
}

/** SQLSTATE of an error of Postgres; empty for any other. */
export function sqlState(error: unknown): string {
  return error instanceof Error && 'code' in error && typeof error.code === 'string'
    ? error.code
    : ''
}
