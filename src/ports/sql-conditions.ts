// A statement whose conditions depend on what was asked for.

import type { SqlParameter } from './database.ts'

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
