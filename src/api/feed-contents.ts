// What there is to tell on the live feed: the newest message of every alert and entity, each in its slot, up to the
// message of the views that came last.

import type { Alert } from '../ports/alert.ts'
import type { FeedMessage, FeedPosition, HandledAlert, ViewEntry, Views } from '../ports/views.ts'
import type { HandlingOverlay } from './alert-handling.ts'
import { alertDocument } from './alert-json.ts'
import { EntityMessage, merchantOf } from './entity-message.ts'
import { type Message, SlotTable } from './feed-slots.ts'
import { serverSentEvent } from './server-sent-event.ts'

/** Views whose entities from before this run are read in; a made-up name costs no more than a look. */
const MAX_LOADED_VIEWS = 100
/** As many as the live views hold; the one told first is forgotten first. */
const MAX_OPEN_ALERTS = 100_000

/** The view of alerts; any other is one of entities. */
export const ALERTS_VIEW = 'alerts'

/** A message and where it lies. */
export interface Change {
  readonly message: Message
  readonly slot: number
}

export interface FeedContentsOptions {
  readonly views: Views
  readonly overlay: HandlingOverlay
  /** A slot is about to be used for another key. */
  readonly onForget: (table: 'alerts' | 'entities', slot: number) => void
}

type Content = Omit<Message, 'sequence'>

export class FeedContents {
  readonly #views: Views
  readonly #overlay: HandlingOverlay
  readonly #onForget: FeedContentsOptions['onForget']
  readonly #loaded = new Map<string, Promise<void>>()
  /** Open alerts as the stream last told them: a document from the database may be older. */
  readonly #told = new Map<string, Alert>()
  #alerts: SlotTable
  #entities: SlotTable
  #position: FeedPosition
  /** What came before is known as a whole only: nobody can go on from there. */
  #baseSequence: number

  constructor({ views, overlay, onForget }: FeedContentsOptions) {
    this.#views = views
    this.#overlay = overlay
    this.#onForget = onForget
    this.#alerts = this.#newTable('alerts')
    this.#entities = this.#newTable('entities')
    this.#position = views.position()
    this.#baseSequence = this.#position.sequence
  }

  get alerts(): SlotTable {
    return this.#alerts
  }

  get entities(): SlotTable {
    return this.#entities
  }

  /** Everything up to here is in. */
  get position(): FeedPosition {
    return this.#position
  }

  /** The messages that follow come up to here. */
  moveTo(position: FeedPosition): void {
    if (position.feed !== this.#position.feed) this.#baseSequence = position.sequence - 1
    this.#position = position
  }

  /** Messages are missing: nobody can go on from what was known. */
  beginAnew(): void {
    this.#baseSequence = this.#position.sequence
    this.#alerts = this.#newTable('alerts')
    this.#entities = this.#newTable('entities')
    this.#loaded.clear()
    this.#overlay.clear()
    this.#told.clear()
  }

  /** Takes a message of the views at the position reached; undefined where it changes nothing. */
  take(message: FeedMessage): Change | undefined {
    const { sequence } = this.#position
    switch (message.type) {
      case 'entity':
        return this.#putEntity(message.entry, sequence)
      case 'alert':
        return this.#putAlert(this.#alertContent(message.alert), sequence)
      case 'handled':
        return this.#putAlert(this.#handledContent(message.alert), sequence)
      case 'gap':
        return undefined
    }
  }

  /** Reads in, once, what a view held before this feed began to listen. */
  load(view: string): Promise<void> {
    const known = this.#loaded.get(view)
    if (known !== undefined) return known
    const loading = view === ALERTS_VIEW ? this.#loadAlerts() : this.#loadEntities(view)
    if (this.#loaded.size < MAX_LOADED_VIEWS) this.#loaded.set(view, loading)
    loading.catch(() => this.#loaded.delete(view))
    return loading
  }

  /** True where whoever has everything up to this position can be told all that came since. */
  canGoOnFrom({ feed, sequence }: FeedPosition): boolean {
    const oldest = Math.max(
      this.#baseSequence,
      this.#alerts.forgottenSequence,
      this.#entities.forgottenSequence,
    )
    const { position } = this
    return feed === position.feed && sequence >= oldest && sequence <= position.sequence
  }

  #newTable(table: 'alerts' | 'entities'): SlotTable {
    return new SlotTable((slot) => this.#onForget(table, slot))
  }

  #putAlert(content: Content, sequence: number): Change {
    const message = { sequence, ...content }
    return { message, slot: this.#alerts.put(message) }
  }

  #putEntity(entry: ViewEntry, sequence: number): Change {
    const slot = this.#entities.slotOf(entry)
    const present = slot === undefined ? undefined : this.#entities.at(slot)
    const goesOn = present instanceof EntityMessage && !present.gone && entry.json !== null
    if (slot !== undefined && goesOn) {
      present.update(entry, sequence)
      return { message: present, slot }
    }
    const message = new EntityMessage(entry, sequence)
    return { message, slot: this.#entities.put(message) }
  }

  #alertContent(alert: Alert): Content {
    this.#told.delete(alert.id)
    if (alert.status !== 'resolved') this.#told.set(alert.id, alert)
    const oldest = this.#told.keys().next()
    if (this.#told.size > MAX_OPEN_ALERTS && !oldest.done) this.#told.delete(oldest.value)
    return this.#toldContent(alert)
  }

  #handledContent(alert: HandledAlert): Content {
    this.#overlay.set(alert.id, alert.handling)
    const newest = this.#told.get(alert.id)
    return newest === undefined ? alertContent(alert) : this.#toldContent(newest)
  }

  #toldContent(alert: Alert): Content {
    const { id, tenantId } = alert
    const document = alertDocument(alert, this.#overlay.of(id))
    const isResolved = document.status === 'resolved'
    return alertContent({ id, tenantId, isResolved, json: JSON.stringify(document) })
  }

  async #loadAlerts(): Promise<void> {
    for (const alert of await this.#views.openAlerts()) {
      const key = { view: ALERTS_VIEW, tenantId: alert.tenantId, key: alert.id }
      if (this.#alerts.slotOf(key) === undefined) {
        this.#putAlert(this.#alertContent(alert), this.#baseSequence)
      }
    }
  }

  async #loadEntities(view: string): Promise<void> {
    for (const entry of await this.#views.list(view)) {
      if (this.#entities.slotOf(entry) === undefined) this.#putEntity(entry, this.#baseSequence)
    }
  }
}

function alertContent(alert: {
  readonly id: string
  readonly tenantId: string
  readonly isResolved: boolean
  readonly json: string
}): Content {
  return {
    view: ALERTS_VIEW,
    key: alert.id,
    tenantId: alert.tenantId,
    gone: alert.isResolved,
    merchantId: once(() => merchantOf(Object(JSON.parse(alert.json)).labels)),
    chunk: () => serverSentEvent('alert', alert.json),
  }
}

/** Made when it is first asked for, and kept. */
function once<T>(make: () => T): () => T {
  let made: { readonly value: T } | undefined
  return () => {
    made ??= { value: make() }
    return made.value
  }
}
