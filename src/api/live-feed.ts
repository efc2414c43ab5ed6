// The live feed: what the views tell, to many server-sent event streams at once. Alerts go out at once;
// entities at most every 100 ms, the newest state of each. A client that does not read is cut off.
//
//   views ──► message (numbered) ──► ring of the newest messages   (for Last-Event-ID)
//                   └──► each stream: pending alerts, pending entities ──► socket

import type { ServerResponse } from 'node:http'
import { toIso } from '../kernel/time.ts'
import type { Alert } from '../ports/alert.ts'
import type { Clock } from '../ports/clock.ts'
import { type FeedMessage, isNewer, type ViewEntry, type Views } from '../ports/views.ts'
import { createHandlingOverlay, type Handling, type HandlingSource } from './alert-handling.ts'
import { alertJson } from './alert-json.ts'
import { createMessageRing, type Message } from './message-ring.ts'

/** Streams open at once; the next one is asked to come back later. */
export const MAX_STREAMS = 500
/** What one stream may hold unsent, its socket's buffer included, before it is cut off. */
export const MAX_UNSENT_BYTES = 1024 * 1024
/** A stream whose socket took nothing for this long is cut off. */
export const MAX_STALL_MS = 30_000
/** Entities of one stream go out at most this often. */
export const ENTITY_INTERVAL_MS = 100
/** Entities sent to one stream in one interval; the others wait their turn, longest waiting first. */
const MAX_ENTITY_BYTES_PER_INTERVAL = 512 * 1024
/** Written to a socket in one piece. */
const SLICE_BYTES = 64 * 1024
/** `metric` events, which are the heartbeat as well. */
export const METRIC_INTERVAL_MS = 2_000
/** Memory that one waiting entity costs: its document is shared with the views. */
const WAITING_ENTITY_BYTES = 64
/** A snapshot does not wait longer for acknowledgements from the database. */
const HANDLING_WAIT_MS = 500

/** Numbers of the `metric` event. */
export interface LiveMetric {
  readonly eventsPerSecond: number | null
  readonly lag: number | null
}

export interface LiveFeedOptions {
  readonly views: Views
  readonly clock: Clock
  /** Names this run of the feed; message numbers of another run mean nothing here. */
  readonly runId: string
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
  readonly lastEventId: string | undefined
}

export interface LiveFeed {
  readonly isFull: boolean
  /** Sends to a response whose head is written, until either side ends it. */
  attach(response: ServerResponse, request: StreamRequest): void
  /** Tells everybody that an alert's acknowledgement or assignee changed. `json` is its whole document. */
  alertHandled(alert: {
    readonly id: string
    readonly tenantId: string
    readonly json: string
    readonly handling: Handling
  }): void
  /** Ends every stream. */
  close(): void
}

interface Stream {
  readonly response: ServerResponse
  readonly views: ReadonlySet<string>
  readonly tenantId: string
  readonly alerts: Map<string, Message>
  alertBytes: number
  readonly entities: Map<string, Message>
  /** Bytes of entities that may still go out in this interval. */
  entityBudget: number
  entitiesSentMs: number
  /** False until it is known what the stream starts with; nothing is sent before. */
  opened: boolean
  snapshot: Snapshot | null
  /** Said once the snapshot, or what was missed, is complete. */
  announceReady: 'snapshot' | 'resumed' | null
  blockedSinceMs: number | null
}

/** What a stream gets first where it does not go on from an earlier one. */
interface Snapshot {
  readonly views: readonly string[]
  readonly alerts: readonly Alert[]
  readonly entries: readonly ViewEntry[]
  resetSaid: boolean
  nextAlert: number
  nextEntry: number
}

export function createLiveFeed(options: LiveFeedOptions): LiveFeed {
  const { views, clock } = options
  const ring = createMessageRing()
  const overlay = createHandlingOverlay(options.handling, options.onError)
  const streams = new Set<Stream>()
  const ended = new AbortController()
  let flushing = false

  const unsubscribe = views.subscribe((messages) => {
    const added = messages.map((message) => ring.add(contentOf(message)))
    for (const stream of streams) offer(stream, added)
  })

  const contentOf = (message: FeedMessage): Omit<Message, 'sequence'> => {
    if (message.type === 'entity') return entityContent(message.entry)
    return alertContent(message.alert)
  }

  const alertContent = (alert: Alert): Omit<Message, 'sequence'> => {
    const json = alertJson(alert, overlay.of(alert.id))
    if (alert.status === 'resolved') overlay.forget(alert.id)
    return alertMessage(alert.id, alert.tenantId, json)
  }

  const offer = (stream: Stream, messages: readonly Message[]): void => {
    let urgent = false
    for (const message of messages) {
      if (message.tenantId !== stream.tenantId || !stream.views.has(message.view)) continue
      if (message.view === 'alerts') {
        stream.alertBytes += message.bytes - (stream.alerts.get(message.key)?.bytes ?? 0)
        stream.alerts.set(message.key, message)
        urgent = true
      } else {
        stream.entities.set(`${message.view}\n${message.key}`, message)
      }
    }
    if (urgent || isDue(stream)) pump(stream)
    if (unsentBytes(stream) > MAX_UNSENT_BYTES) cutOff(stream)
    else if (stream.entities.size > 0) startFlushing()
  }

  const isDue = (stream: Stream): boolean =>
    stream.entities.size > 0 && clock.monotonicMs() - stream.entitiesSentMs >= ENTITY_INTERVAL_MS

  const startFlushing = (): void => {
    if (flushing) return
    flushing = true
    flushLoop().catch(options.onError)
  }

  const flushLoop = async (): Promise<void> => {
    while (!ended.signal.aborted && [...streams].some((stream) => stream.entities.size > 0)) {
      await clock.sleep(ENTITY_INTERVAL_MS, ended.signal)
      for (const stream of streams) if (isDue(stream)) pump(stream)
    }
    flushing = false
  }

  /** Sends as much of what waits as the socket takes. */
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
  const numbered = (chunk: string): string => `id: ${options.runId}-${ring.lastSequence}\n${chunk}`

  /** In the order of their urgency: alerts, the snapshot, then entities. Taken is sent. */
  const nextPiece = (stream: Stream): string | undefined => {
    const { snapshot } = stream
    return (
      (snapshot === null ? undefined : nextSnapshotAlert(snapshot, stream)) ??
      nextAlert(stream) ??
      (snapshot === null ? undefined : nextSnapshotEntry(snapshot, stream)) ??
      nextEntity(stream) ??
      readyPiece(stream)
    )
  }

  const nextSnapshotAlert = (snapshot: Snapshot, stream: Stream): string | undefined => {
    if (!snapshot.resetSaid) {
      snapshot.resetSaid = true
      return event('reset', JSON.stringify({ views: snapshot.views }))
    }
    while (snapshot.nextAlert < snapshot.alerts.length) {
      const alert = snapshot.alerts[snapshot.nextAlert++]
      if (alert === undefined || stream.alerts.has(alert.id)) continue
      return event('alert', alertJson(alert, overlay.of(alert.id)))
    }
    return undefined
  }

  const nextAlert = (stream: Stream): string | undefined => {
    const message = takeFirst(stream.alerts)
    if (message === undefined) return undefined
    stream.alertBytes -= message.bytes
    return message.chunk()
  }

  const nextSnapshotEntry = (snapshot: Snapshot, stream: Stream): string | undefined => {
    while (snapshot.nextEntry < snapshot.entries.length) {
      const entry = snapshot.entries[snapshot.nextEntry++]
      if (entry === undefined) continue
      const name = `${entry.view}\n${entry.key}`
      if (stream.entities.get(name)?.isNotOlderThan(entry)) continue
      stream.entities.delete(name)
      return entityChunk(entry)
    }
    stream.snapshot = null
    return undefined
  }

  const nextEntity = (stream: Stream): string | undefined => {
    if (stream.entityBudget <= 0) return undefined
    const message = takeFirst(stream.entities)
    stream.entityBudget -= message?.bytes ?? 0
    return message?.chunk()
  }

  const readyPiece = (stream: Stream): string | undefined => {
    if (stream.announceReady === null || stream.entities.size > 0) return undefined
    const resumed = stream.announceReady === 'resumed'
    stream.announceReady = null
    return event('ready', JSON.stringify({ resumed, at: toIso(clock.nowMs()) }))
  }

  const write = (stream: Stream, text: string): void => {
    if (stream.response.write(text)) return
    stream.blockedSinceMs = clock.monotonicMs()
    stream.response.once('drain', () => {
      stream.blockedSinceMs = null
      pump(stream)
    })
  }

  const cutOff = (stream: Stream): void => {
    if (!streams.has(stream)) return
    detach(stream)
    stream.response.destroy()
    options.onCutOff()
  }

  const detach = (stream: Stream): void => {
    if (!streams.delete(stream)) return
    stream.alerts.clear()
    stream.entities.clear()
    stream.snapshot = null
    options.onStreams(streams.size)
  }

  const start = async (stream: Stream, lastEventId: string | undefined): Promise<void> => {
    await Promise.race([overlay.load(), clock.sleep(HANDLING_WAIT_MS, ended.signal)])
    const missed = missedSince(ring, lastEventId, options.runId)
    if (missed === undefined) stream.snapshot = await snapshotFor(stream)
    stream.announceReady = missed === undefined ? 'snapshot' : 'resumed'
    stream.opened = true
    offer(stream, missed ?? [])
    pump(stream)
  }

  const snapshotFor = async (stream: Stream): Promise<Snapshot> => {
    const mine = <T extends { readonly tenantId: string }>(item: T) =>
      item.tenantId === stream.tenantId
    const names = [...stream.views].filter((view) => view !== 'alerts')
    const alerts = stream.views.has('alerts') ? await views.openAlerts() : []
    const entries = (await Promise.all(names.map((name) => views.list(name)))).flat()
    return {
      views: [...stream.views],
      alerts: alerts.filter(mine),
      entries: entries.filter(mine),
      resetSaid: false,
      nextAlert: 0,
      nextEntry: 0,
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
      const chunk = event('metric', JSON.stringify({ at, ...metric, streams: streams.size }))
      for (const stream of streams) beat(stream, chunk)
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
    attach(response, { views: names, tenantId, lastEventId }) {
      const stream: Stream = {
        response,
        views: new Set(names),
        tenantId,
        alerts: new Map(),
        alertBytes: 0,
        entities: new Map(),
        entityBudget: 0,
        entitiesSentMs: Number.NEGATIVE_INFINITY,
        opened: false,
        snapshot: null,
        announceReady: null,
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
    alertHandled({ id, tenantId, json, handling }) {
      overlay.set(id, handling)
      const message = ring.add(alertMessage(id, tenantId, json))
      for (const stream of streams) offer(stream, [message])
    },
    close() {
      ended.abort()
      unsubscribe()
      for (const stream of streams) stream.response.end()
      streams.clear()
    },
  }
}

function takeFirst(waiting: Map<string, Message>): Message | undefined {
  const first = waiting.entries().next()
  if (first.done) return undefined
  waiting.delete(first.value[0])
  return first.value[1]
}

function isComplete(stream: Stream): boolean {
  return (
    stream.snapshot === null &&
    stream.announceReady === null &&
    stream.alerts.size === 0 &&
    stream.entities.size === 0
  )
}

function unsentBytes(stream: Stream): number {
  const waiting = stream.alertBytes + stream.entities.size * WAITING_ENTITY_BYTES
  return waiting + stream.response.writableLength
}

/** The messages after the one that the client saw last; undefined where a snapshot is needed instead. */
function missedSince(
  ring: ReturnType<typeof createMessageRing>,
  lastEventId: string | undefined,
  runId: string,
): readonly Message[] | undefined {
  if (lastEventId === undefined) return undefined
  const dash = lastEventId.lastIndexOf('-')
  const sequence = Number(lastEventId.slice(dash + 1))
  if (lastEventId.slice(0, dash) !== runId || !Number.isSafeInteger(sequence)) return undefined
  return ring.after(sequence)
}

function alertMessage(id: string, tenantId: string, json: string): Omit<Message, 'sequence'> {
  return {
    view: 'alerts',
    key: id,
    tenantId,
    bytes: json.length,
    chunk: () => event('alert', json),
    isNotOlderThan: () => true,
  }
}

function entityContent(entry: ViewEntry): Omit<Message, 'sequence'> {
  let chunk: string | undefined
  return {
    view: entry.view,
    key: entry.key,
    tenantId: entry.tenantId,
    bytes: (entry.json?.length ?? 4) + entry.key.length,
    chunk: () => {
      chunk ??= entityChunk(entry)
      return chunk
    },
    isNotOlderThan: (other) => !isNewer(other.version, entry.version),
  }
}

/** The document's JSON goes out as the task encoded it. */
function entityChunk(entry: ViewEntry): string {
  const head = JSON.stringify({ view: entry.view, key: entry.key, version: entry.version })
  return event('entity', `${head.slice(0, -1)},"doc":${entry.json ?? 'null'}}`)
}

/** `data` is JSON on one line. */
function event(name: string, data: string): string {
  return `event: ${name}\ndata: ${data}\n\n`
}
