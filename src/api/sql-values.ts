// Values of SQL rows as JSON shows them. Drivers give instants as Date or text, and int8 as text.

import { toIso } from '../kernel/time.ts'
import type { SqlParameter } from '../ports/database.ts'

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

/** Collects `$n` parameters and the conditions that use them. */
export class Conditions {
  readonly parameters: SqlParameter[] = []
  readonly #conditions: string[] = []

  /** `$` in the text stands for the value. */
  add(text: string, value: SqlParameter): this {
    this.#conditions.push(text.replace('$', this.parameter(value)))
    return this
  }

  addText(text: string): this {
    this.#conditions.push(text)
    return this
  }

  /** The placeholder of one more value. */
  parameter(value: SqlParameter): string {
    this.parameters.push(value)
    return `$${this.parameters.length}`
  }

  get where(): string {
    return this.#conditions.length === 0 ? '' : `where ${this.#conditions.join(' and ')}`
  }
}
