// Structured logs: a fixed name, then ids and numbers with units. Adapters redact what is secret.

export type LogFields = Readonly<Record<string, unknown>>

export interface Logger {
  debug(name: string, fields?: LogFields): void
  info(name: string, fields?: LogFields): void
  warn(name: string, fields?: LogFields): void
  /** `error` is printed with its chain of causes. */
  error(name: string, error: unknown, fields?: LogFields): void
}
