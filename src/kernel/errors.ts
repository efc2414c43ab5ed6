// Broken promises: a bug, or an adapter that could not do its work. Retrying reads `retry`, never the text.

export type PlatformErrorCode =
  | 'bad-setting'
  | 'data-dir-locked'
  | 'data-dir-version'
  | 'database-failed'
  | 'database-unavailable'
  | 'invariant-broken'
  | 'log-corrupt'
  | 'log-failed'
  | 'log-full'
  | 'log-truncated'
  | 'log-unavailable'
  | 'not-found'
  | 'port-in-use'
  | 'reference-unavailable'
  | 'server-failed'
  | 'state-format'
  | 'tenancy-not-enforced'
  | 'views-unavailable'

export interface PlatformErrorOptions {
  readonly retry: 'never' | 'later'
  readonly details?: Readonly<Record<string, unknown>>
  readonly cause?: unknown
}

export class PlatformError extends Error {
  readonly code: PlatformErrorCode
  readonly retry: 'never' | 'later'
  readonly details: Readonly<Record<string, unknown>>

  constructor(code: PlatformErrorCode, message: string, options: PlatformErrorOptions) {
    super(message, options.cause === undefined ? undefined : { cause: options.cause })
    this.name = 'PlatformError'
    this.code = code
    this.retry = options.retry
    this.details = options.details ?? {}
  }
}

/** True where the failed work may be tried again with the same content. */
export function isRetryable(error: unknown): error is PlatformError {
  return error instanceof PlatformError && error.retry === 'later'
}

/** Fails loudly where the program itself is wrong; never used for bad input. */
export function assert(condition: unknown, message: string): asserts condition {
  if (!condition) {
    throw new PlatformError('invariant-broken', message, { retry: 'never' })
  }
}
