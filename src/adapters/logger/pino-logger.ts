// Structured logs as JSON lines on standard error, or short lines on a terminal; secrets never get in.

import pino from 'pino'
import type { LogFields, Logger } from '../../ports/logger.ts'

/** Fields whose value is replaced wherever they stand, up to two levels deep. */
const SECRET_FIELDS = [
  'authorization',
  'cookie',
  'password',
  'secret',
  'token',
  'adminToken',
  'databaseUrl',
  'connectionString',
]
const REDACTED = SECRET_FIELDS.flatMap((name) => [name, `*.${name}`, `*.*.${name}`])

export interface PinoLoggerOptions {
  readonly level: 'debug' | 'info' | 'warn' | 'error'
  /** Standard error where absent. */
  readonly destination?: { write(text: string): unknown }
  /** Said with every line, such as the thread. */
  readonly bindings?: LogFields
}

export function createPinoLogger(options: PinoLoggerOptions): Logger {
  const instance = pino(
    {
      level: options.level,
      base: options.bindings ?? null,
      messageKey: 'name',
      errorKey: 'error',
      timestamp: pino.stdTimeFunctions.isoTime,
      formatters: { level: (label) => ({ level: label }) },
      redact: { paths: REDACTED, censor: '[redacted]' },
      serializers: { error: describeError },
    },
    options.destination ?? pino.destination({ dest: 2, sync: true }),
  )
  return {
    debug: (name, fields) => instance.debug(fields ?? {}, name),
    info: (name, fields) => instance.info(fields ?? {}, name),
    warn: (name, fields) => instance.warn(fields ?? {}, name),
    error: (name, error, fields) => instance.error({ ...fields, error }, name),
  }
}

/** Deepest chain of causes that is printed. */
const MAX_CAUSES = 8

interface ErrorLine {
  readonly type: string
  readonly message: string
  readonly code?: string
  readonly details?: unknown
  readonly stack?: string
}

/** The error and its causes, outermost first; only the innermost keeps its stack. */
function describeError(error: unknown): readonly ErrorLine[] {
  const lines: ErrorLine[] = []
  let current = error
  while (current !== undefined && lines.length < MAX_CAUSES) {
    if (!(current instanceof Error)) {
      lines.push({ type: typeof current, message: withoutPasswords(String(current)) })
      break
    }
    const innermost = current.cause === undefined
    lines.push({
      type: current.name,
      message: withoutPasswords(current.message),
      ...('code' in current && typeof current.code === 'string' ? { code: current.code } : {}),
      ...('details' in current ? { details: current.details } : {}),
      ...(innermost && current.stack !== undefined
        ? { stack: withoutPasswords(current.stack) }
        : {}),
    })
    current = current.cause
  }
  return lines
}

/** Addresses may carry a password: `scheme://user:password@host`. */
function withoutPasswords(text: string): string {
  return text.replaceAll(/(\w+:\/\/[^\s:/@]+):[^\s@]+@/g, '$1:[redacted]@')
}
