// The live feed: what the views tell, to many server-sent event streams at once. Alerts go out at once;
// entities at most every 100 ms, the newest state of each. A client that does not read is cut off.
//
//   views ──► message (numbered) ──► slot of its key ──► each stream: bit "changed" ──► socket

import type { ServerResponse } from 'node:http'
import { toIso } from '../kernel/time.ts'
import type { Alert, Handling } from '../ports/alert.ts'
import type { Clock } from '../ports/clock.ts'
import type { FeedMessage, FeedPosition, HandledAlert, ViewEntry, Views } from '../ports/views.ts'
import { createHandlingOverlay, type HandlingSource } from './alert-handling.ts'
import { alertDocument } from './alert-json.ts'
import { EntityMessage, merchantOf } from './entity-message.ts'
import { DirtySlots, type Message, SlotTable } from './feed-slots.ts'
import { serverSentEvent } from './server-sent-event.ts'

/** Streams open at once; the next one is asked to come back later. */
export const MAX_STREAMS = 500
/** A stream whose socket took nothing for this long is cut off. */
export const MAX_STALL_MS = 30_000
/** What a socket may hold unsent. Further changes wait as one bit a key until it takes more. */
export const MAX_UNSENT_BYTES = 1024 * 1024
/** Entities of one stream go out at most this often. */
export const ENTITY_INTERVAL_MS = 100
/** Entities sent to one stream in one interval; the others wait their turn. */
const MAX_ENTITY_BYTES_PER_INTERVAL = 512 * 1024
/** Written to a socket in one piece. */
const SLICE_BYTES = 64 * 1024
/** `metric` events, which are the heartbeat as well. */
export const METRIC_INTERVAL_MS = 2_000
/** A snapshot does not wait longer for acknowledgements from the database. */
const HANDLING_WAIT_MS = 500
/** A client may come from a process that is ahead of this one; it waits so long for the messages it had. */
const CATCH_UP_MS = 500
const CATCH_UP_CHECK_MS = 10
/** Views whose entities from before this run are read in; a made-up name costs no more than a look. */
const MAX_LOADED_VIEWS = 100
/** As many as the live views hold; the one told first is forgotten first. */
const MAX_OPEN_ALERTS = 100_000

/** Numbers of the `metric` event. */
export interface LiveMetric {
  readonly eventsPerSecond: number | null
  readonly lag: number | null
}

export interface LiveFeedOptions {
  readonly views: Views
  readonly clock: Clock
  readonly handling: HandlingSource
  readonly metric: () => Promise<LiveMetric>
  readonly onStreams: (open: number) => void
  readonly onCutOff: () => void
  readonly onError: (error: unknown) => void
}

export interface StreamRequest {
  /** `alerts` for alerts, any other name for the entities of that view. */
  readonly views: readonly string[]
  readonly tenantId: string
  /** Set: only what names this merchant. */
  readonly merchantId: string | null
  readonly lastEventId: string | undefined
}

export interface LiveFeed {
  readonly isFull: boolean
  /** Sends to a response whose head is written, until either side ends it. */
  attach(response: ServerResponse, request: StreamRequest): void
  /** What was done about an alert, as far as this process knows. */
  handlingOf(alertId: string): Handling
  /** Reads in, once, what was done before this process began. Never rejects. */
  loadHandling(): Promise<void>
  /** Ends every stream. */
  close(): void
}

interface Stream {
  readonly response: ServerResponse
  readonly views: ReadonlySet<string>
  readonly tenantId: string
  readonly merchantId: string | null
  readonly alerts: DirtySlots
  readonly entities: DirtySlots
  /** False until it is known what the stream starts with; nothing is sent before. */
  opened: boolean
  resetDue: boolean
  /** Entity slots to go through before `ready` is said; null afterwards. */
  untilReady: { readonly slots: number; readonly rounds: number; readonly resumed: boolean } | null
  /** Bytes of entities that may still go out in this interval. */
  entityBudget: number
  entitiesSentMs: number
  blockedSinceMs: number | null
}

type Content = Omit<Message, 'sequence'>

/** A message and where it lies. */
interface Change {
  readonly message: Message
  readonly slot: number
}

export function createLiveFeed(options: LiveFeedOptions): LiveFeed {
  const { views, clock } = options
  const streams = new Set<Stream>()
  const overlay = createHandlingOverlay(options.handling, options.onError)
  const ended = new AbortController()
  const loadedViews = new Map<string, Promise<void>>()
  /** Open alerts as the stream last told them: a document from the database may be older. */
  const told = new Map<string, Alert>()
  let position = views.position()
  /** What came before is known as a whole only: nobody can go on from there. */
  let baseSequence = position.sequence
  let flushing = false

  // A stream that was not yet told that a key is gone would never learn it: it starts anew instead.
  const alertTable = (): SlotTable =>
    new SlotTable((index) => cutOffWhere((one) => one.alerts.has(index)))
  const entityTable = (): SlotTable =>
    new SlotTable((index) => cutOffWhere((one) => one.entities.has(index)))
  let alerts = alertTable()
  let entities = entityTable()

  const putAlert = (content: Content, sequence: number): Change => {
    const message = { sequence, ...content }
    return { message, slot: alerts.put(message) }
  }

  const putEntity = (entry: ViewEntry, sequence: number): Change => {
    const slot = entities.slotOf(entry)
    const present = slot === undefined ? undefined : entities.at(slot)
    const goesOn = present instanceof EntityMessage && !present.gone && entry.json !== null
    if (slot !== undefined && goesOn) {
      present.update(entry, sequence)
      return { message: present, slot }
    }
    const message = new EntityMessage(entry, sequence)
    return { message, slot: entities.put(message) }
  }

  const unsubscribe = views.subscribe((messages, at) => {
    if (at.feed !== position.feed) baseSequence = at.sequence - 1
    position = at
    if (messages.some(({ type }) => type === 'gap')) beginAnew()
    announce(messages.flatMap((message) => changeOf(message, at.sequence) ?? []))
  })

  /** Messages are missing, so that no stream can go on: its client comes again and gets everything. */
  const beginAnew = (): void => {
    baseSequence = position.sequence
    alerts = alertTable()
    entities = entityTable()
    loadedViews.clear()
    overlay.clear()
    told.clear()
    for (const stream of streams) {
      detach(stream)
      stream.response.end()
    }
  }

  const changeOf = (message: FeedMessage, sequence: number): Change | undefined => {
    switch (message.type) {
      case 'entity':
        return putEntity(message.entry, sequence)
      case 'alert':
        return putAlert(alertContentOf(message.alert), sequence)
      case 'handled':
        return putAlert(handledContent(message.alert), sequence)
      case 'gap':
        return undefined
    }
  }

  const handledContent = (alert: HandledAlert): Content => {
    overlay.set(alert.id, alert.handling)
    const newest = told.get(alert.id)
    return newest === undefined ? alertContent(alert) : toldContent(newest)
  }

  const toldContent = (alert: Alert): Content => {
    const { id, tenantId } = alert
    const document = alertDocument(alert, overlay.of(id))
    const isResolved = document.status === 'resolved'
    return alertContent({ id, tenantId, isResolved, json: JSON.stringify(document) })
  }

  const alertContentOf = (alert: Alert): Content => {
    told.delete(alert.id)
    if (alert.status !== 'resolved') told.set(alert.id, alert)
    const oldest = told.keys().next()
    if (told.size > MAX_OPEN_ALERTS && !oldest.done) told.delete(oldest.value)
    return toldContent(alert)
  }

  const announce = (changes: readonly Change[]): void => {
    for (const stream of streams) {
      let wanted = false
      let view: string | undefined
      for (const { message, slot } of changes) {
        if (message.view !== view) {
          view = message.view
          wanted = stream.views.has(view)
        }
        if (!wanted || !isOfCaller(stream, message)) continue
        if (view === 'alerts') stream.alerts.add(slot)
        else stream.entities.add(slot)
      }
      if (stream.alerts.count > 0 || isDue(stream)) pump(stream)
      if (stream.entities.count > 0) startFlushing()
    }
  }

  const isDue = (stream: Stream): boolean =>
    stream.entities.count > 0 && clock.monotonicMs() - stream.entitiesSentMs >= ENTITY_INTERVAL_MS

  const startFlushing = (): void => {
    if (flushing) return
    flushing = true
    flushLoop().catch(options.onError)
  }

  const flushLoop = async (): Promise<void> => {
    while (!ended.signal.aborted && [...streams].some((stream) => stream.entities.count > 0)) {
      await clock.sleep(ENTITY_INTERVAL_MS, ended.signal)
      for (const stream of streams) if (isDue(stream)) pump(stream)
    }
    flushing = false
  }

  /** Sends as much of what changed as the socket takes. */
  const pump = (stream: Stream): void => {
    if (clock.monotonicMs() - stream.entitiesSentMs >= ENTITY_INTERVAL_MS) {
      stream.entitiesSentMs = clock.monotonicMs()
      stream.entityBudget = MAX_ENTITY_BYTES_PER_INTERVAL
    }
    while (stream.opened && stream.blockedSinceMs === null && !stream.response.destroyed) {
      const slice = nextSlice(stream)
      if (slice === '') return
      write(stream, slice)
    }
  }

  const nextSlice = (stream: Stream): string => {
    const pieces: string[] = []
    let bytes = 0
    while (bytes < SLICE_BYTES) {
      const piece = nextPiece(stream)
      if (piece === undefined) break
      pieces.push(piece)
      bytes += piece.length
    }
    const last = pieces.pop()
    if (last === undefined) return ''
    return pieces.join('') + (isComplete(stream) ? numbered(last) : last)
  }

  /** Everything up to here was sent, so that a client may go on from this number. */
  const numbered = (chunk: string): string => `id: ${position.feed}-${position.sequence}\n${chunk}`

  /** In the order of their urgency. What is taken is sent. */
  const nextPiece = (stream: Stream): string | undefined =>
    resetPiece(stream) ??
    nextChange(stream, alerts, stream.alerts) ??
    nextEntity(stream) ??
    readyPiece(stream)

  const resetPiece = (stream: Stream): string | undefined => {
    if (!stream.resetDue) return undefined
    stream.resetDue = false
    return serverSentEvent('reset', JSON.stringify({ views: [...stream.views] }))
  }

  const nextEntity = (stream: Stream): string | undefined => {
    if (stream.untilReady === null && stream.entityBudget <= 0) return undefined
    const piece = nextChange(stream, entities, stream.entities)
    stream.entityBudget -= piece?.length ?? 0
    return piece
  }

  const nextChange = (stream: Stream, table: SlotTable, dirty: DirtySlots): string | undefined => {
    for (;;) {
      const slot = dirty.take()
      if (slot === undefined) return undefined
      const message = table.at(slot)
      // A slot may serve another key, of another tenant, than when it was marked.
      if (message !== undefined && concerns(stream, message)) return message.chunk()
    }
  }

  const readyPiece = (stream: Stream): string | undefined => {
    const { untilReady, entities: dirty } = stream
    if (untilReady === null) return undefined
    const passed = dirty.rounds > untilReady.rounds || dirty.position >= untilReady.slots
    if (dirty.count > 0 && !passed) return undefined
    stream.untilReady = null
    const at = toIso(clock.nowMs())
    return serverSentEvent('ready', JSON.stringify({ resumed: untilReady.resumed, at }))
  }

  const write = (stream: Stream, text: string): void => {
    const taken = stream.response.write(text)
    if (stream.response.writableLength > MAX_UNSENT_BYTES) cutOff(stream)
    else if (!taken) {
      stream.blockedSinceMs = clock.monotonicMs()
      stream.response.once('drain', () => {
        stream.blockedSinceMs = null
        pump(stream)
      })
    }
  }

  const cutOffWhere = (condition: (stream: Stream) => boolean): void => {
    for (const stream of streams) if (condition(stream)) cutOff(stream)
  }

  const cutOff = (stream: Stream): void => {
    if (!streams.has(stream)) return
    detach(stream)
    stream.response.destroy()
    options.onCutOff()
  }

  const detach = (stream: Stream): void => {
    if (streams.delete(stream)) options.onStreams(streams.size)
  }

  const start = async (stream: Stream, lastEventId: string | undefined): Promise<void> => {
    await Promise.race([overlay.load(), clock.sleep(HANDLING_WAIT_MS, ended.signal)])
    await Promise.all([...stream.views].map(loadView))
    const since = await resumePoint(lastEventId)
    mark(stream, alerts, stream.alerts, since)
    mark(stream, entities, stream.entities, since)
    stream.resetDue = since === undefined
    stream.untilReady = {
      slots: entities.size,
      rounds: stream.entities.rounds,
      resumed: since !== undefined,
    }
    stream.opened = true
    pump(stream)
    if (stream.entities.count > 0) startFlushing()
  }

  /** Everything that there is, or what came after a message that the client has. */
  const mark = (
    stream: Stream,
    table: SlotTable,
    dirty: DirtySlots,
    since: number | undefined,
  ): void => {
    for (let slot = 0; slot < table.size; slot++) {
      const message = table.at(slot)
      if (message === undefined || !concerns(stream, message)) continue
      if (since === undefined ? !message.gone : message.sequence > since) dirty.add(slot)
    }
  }

  const resumePoint = async (lastEventId: string | undefined): Promise<number | undefined> => {
    const since = parsePosition(lastEventId)
    if (since === undefined || since.feed !== position.feed) return undefined
    await caughtUp(since)
    const oldest = Math.max(baseSequence, alerts.forgottenSequence, entities.forgottenSequence)
    const known = since.sequence >= oldest && since.sequence <= position.sequence
    return known && since.feed === position.feed ? since.sequence : undefined
  }

  const caughtUp = async ({ sequence }: FeedPosition): Promise<void> => {
    const untilMs = clock.monotonicMs() + CATCH_UP_MS
    while (sequence > position.sequence && clock.monotonicMs() < untilMs) {
      await clock.sleep(CATCH_UP_CHECK_MS, ended.signal)
      if (ended.signal.aborted) return
    }
  }

  /** Reads in, once, what the views held before this feed began to listen. */
  const loadView = (name: string): Promise<void> => {
    const known = loadedViews.get(name)
    if (known !== undefined) return known
    const loading = name === 'alerts' ? loadAlerts() : loadEntities(name)
    if (loadedViews.size < MAX_LOADED_VIEWS) loadedViews.set(name, loading)
    loading.catch(() => loadedViews.delete(name))
    return loading
  }

  const loadAlerts = async (): Promise<void> => {
    for (const alert of await views.openAlerts()) {
      const known = alerts.slotOf({ view: 'alerts', tenantId: alert.tenantId, key: alert.id })
      if (known === undefined) putAlert(alertContentOf(alert), baseSequence)
    }
  }

  const loadEntities = async (name: string): Promise<void> => {
    for (const entry of await views.list(name)) {
      if (entities.slotOf(entry) === undefined) putEntity(entry, baseSequence)
    }
  }

  const heartbeat = async (): Promise<void> => {
    while (!ended.signal.aborted) {
      await clock.sleep(METRIC_INTERVAL_MS, ended.signal)
      if (streams.size === 0 || ended.signal.aborted) continue
      const metric = await options.metric().catch((error: unknown) => {
        options.onError(error)
        return { eventsPerSecond: null, lag: null }
      })
      const at = toIso(clock.nowMs())
      const chunk = serverSentEvent(
        'metric',
        JSON.stringify({ at, ...metric, streams: streams.size }),
      )
      // How much goes on elsewhere is no matter of a merchant's.
      const bare = serverSentEvent(
        'metric',
        JSON.stringify({ at, eventsPerSecond: null, lag: null }),
      )
      for (const stream of streams) beat(stream, stream.merchantId === null ? chunk : bare)
    }
  }

  const beat = (stream: Stream, chunk: string): void => {
    if (!stream.opened || stream.response.destroyed) return
    if (stream.blockedSinceMs === null) {
      write(stream, isComplete(stream) ? numbered(chunk) : chunk)
    } else if (clock.monotonicMs() - stream.blockedSinceMs > MAX_STALL_MS) {
      cutOff(stream)
    }
  }

  heartbeat().catch(options.onError)

  return {
    get isFull() {
      return streams.size >= MAX_STREAMS
    },
    attach(response, { views: names, tenantId, merchantId, lastEventId }) {
      const stream: Stream = {
        response,
        views: new Set(names),
        tenantId,
        merchantId,
        alerts: new DirtySlots(),
        entities: new DirtySlots(),
        opened: false,
        resetDue: false,
        untilReady: null,
        entityBudget: 0,
        entitiesSentMs: Number.NEGATIVE_INFINITY,
        blockedSinceMs: null,
      }
      streams.add(stream)
      options.onStreams(streams.size)
      response.on('close', () => detach(stream))
      response.write('retry: 2000\n\n')
      start(stream, lastEventId).catch((error: unknown) => {
        options.onError(error)
        cutOff(stream)
      })
    },
    handlingOf: overlay.of,
    loadHandling: overlay.load,
    close() {
      ended.abort()
      unsubscribe()
      for (const stream of streams) stream.response.end()
      streams.clear()
    },
  }
}

/** Of a `Last-Event-ID`; undefined where it is not one of ours. */
function parsePosition(lastEventId: string | undefined): FeedPosition | undefined {
  const dash = lastEventId?.lastIndexOf('-') ?? -1
  if (lastEventId === undefined || dash < 0) return undefined
  const sequence = Number(lastEventId.slice(dash + 1))
  return Number.isSafeInteger(sequence) ? { feed: lastEventId.slice(0, dash), sequence } : undefined
}

function concerns(stream: Stream, message: Message): boolean {
  return isOfCaller(stream, message) && stream.views.has(message.view)
}

/** What names no merchant is for none. */
function isOfCaller({ tenantId, merchantId }: Stream, message: Message): boolean {
  if (message.tenantId !== tenantId) return false
  return merchantId === null || message.merchantId() === merchantId
}

function isComplete(stream: Stream): boolean {
  return (
    !stream.resetDue &&
    stream.untilReady === null &&
    stream.alerts.count === 0 &&
    stream.entities.count === 0
  )
}

function alertContent(alert: {
  readonly id: string
  readonly tenantId: string
  readonly isResolved: boolean
  readonly json: string
}): Content {
  return {
    view: 'alerts',
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
