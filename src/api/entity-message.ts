// What the live feed tells of one entity. One object for as long as the entity is there, brought up to date in place:
// thousands change a second, and each that were new would grow old before it is replaced.

import type { ViewEntry } from '../ports/views.ts'
import type { Message } from './feed-slots.ts'
import { serverSentEvent } from './server-sent-event.ts'

export class EntityMessage implements Message {
  readonly view: string
  readonly key: string
  readonly tenantId: string
  sequence: number
  readonly #version: { partition: number; offset: number; clockMs: number }
  #json: string | null
  /** These are made when first asked for, and kept for all streams. */
  #chunk: string | null = null
  #merchantId: string | null | undefined

  constructor({ view, key, tenantId, version, json }: ViewEntry, sequence: number) {
    this.view = view
    this.key = key
    this.tenantId = tenantId
    this.sequence = sequence
    this.#version = { ...version }
    this.#json = json
  }

  get gone(): boolean {
    return this.#json === null
  }

  /** The newest state of the same entity. */
  update({ version, json }: ViewEntry, sequence: number): void {
    this.sequence = sequence
    this.#version.partition = version.partition
    this.#version.offset = version.offset
    this.#version.clockMs = version.clockMs
    this.#json = json
    this.#chunk = null
    this.#merchantId = undefined
  }

  merchantId(): string | null {
    if (this.#merchantId === undefined) {
      this.#merchantId = this.#json === null ? null : merchantOf(JSON.parse(this.#json))
    }
    return this.#merchantId
  }

  /** The document's JSON goes out as the task encoded it. */
  chunk(): string {
    this.#chunk ??= this.#event()
    return this.#chunk
  }

  #event(): string {
    const { view, key } = this
    const head = JSON.stringify({ view, key, version: this.#version })
    return serverSentEvent('entity', `${head.slice(0, -1)},"doc":${this.#json ?? 'null'}}`)
  }
}

/** Whose a document is, or the labels of an alert; null where they name no merchant. */
export function merchantOf(document: unknown): string | null {
  const merchantId: unknown = Object(document).merchantId
  return typeof merchantId === 'string' ? merchantId : null
}
