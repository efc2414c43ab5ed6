// Instants and spans as plain numbers of milliseconds; names carry the unit. No clock here.

/** Milliseconds since 1970-01-01T00:00:00Z. */
export type EpochMs = number
/** A span in milliseconds. */
export type DurationMs = number

export const SECOND_MS = 1_000
export const MINUTE_MS = 60_000
export const HOUR_MS = 3_600_000
export const DAY_MS = 86_400_000

/** Largest instant accepted from outside: the end of the year 9999. */
const LAST_MS = Date.UTC(10_000, 0, 1) - 1
const ISO_WITH_OFFSET =
  /^(\d{4})-(\d{2})-(\d{2})T(\d{2}):(\d{2})(?::(\d{2})(?:\.(\d{1,9}))?)?(?:Z|[+-]\d{2}:?\d{2})$/

/**
 * Reads an instant from the wire: ISO 8601 with an offset, or epoch milliseconds.
 * Returns undefined for anything else, impossible dates such as 30 February included.
 */
export function parseInstant(value: unknown): EpochMs | undefined {
  if (typeof value === 'number') {
    return Number.isFinite(value) && value >= 0 && value <= LAST_MS ? Math.trunc(value) : undefined
  }
  if (typeof value !== 'string' || value.length > 40) return undefined
  const parts = ISO_WITH_OFFSET.exec(value)
  if (parts === null) return undefined
  const day = Number(parts[3])
  if (day > 28 && day > daysInMonth(Number(parts[1]), Number(parts[2]))) return undefined
  const ms = Date.parse(value)
  return ms >= 0 && ms <= LAST_MS ? ms : undefined
}

function daysInMonth(year: number, month: number): number {
  return new Date(Date.UTC(year, month, 0)).getUTCDate()
}

/** An instant as ISO 8601 in UTC with milliseconds. */
export function toIso(atMs: EpochMs): string {
  return new Date(atMs).toISOString()
}

const SPAN = /^(\d+(?:\.\d+)?)(ms|s|m|h|d)$/
const SPAN_UNIT_MS: Readonly<Record<string, number>> = {
  ms: 1,
  s: SECOND_MS,
  m: MINUTE_MS,
  h: HOUR_MS,
  d: DAY_MS,
}

/** Reads a span such as `90s`, `15m` or `1.5h`; undefined where it is not one. */
export function parseDuration(text: string): DurationMs | undefined {
  const parts = SPAN.exec(text)
  const unitMs = parts?.[2] === undefined ? undefined : SPAN_UNIT_MS[parts[2]]
  return parts === null || unitMs === undefined ? undefined : Number(parts[1]) * unitMs
}
