// Values of SQL rows as JSON shows them. Drivers give instants as Date or text, and int8 as text.

import { toIso } from '../kernel/time.ts'

export function isoOf(value: unknown): string {
  return toIso(epochMsOf(value))
}

export function isoOrNull(value: unknown): string | null {
  return value === null || value === undefined ? null : isoOf(value)
}

export function epochMsOf(value: unknown): number {
  return value instanceof Date ? value.getTime() : Date.parse(String(value))
}

export function textOrNull(value: unknown): string | null {
  return value === null || value === undefined ? null : String(value)
}

export function numberOrNull(value: unknown): number | null {
  return value === null || value === undefined ? null : Number(value)
}
