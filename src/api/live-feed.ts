// The live feed: what the views tell, to many server-sent event streams at once. Alerts go out at once;
// entities at most every 100 ms, the newest state of each. A client that does not read is cut off.
//
//   views ──► message (numbered) ──► slot of its key ──► each stream: bit "changed" ──► socket

import type { ServerResponse } from 'node:http'
import { toIso } from '../kernel/time.ts'
import type { Handling } from '../ports/alert.ts'
import type { Clock } from '../ports/clock.ts'
import type { FeedPosition, Views } from '../ports/views.ts'
import { createHandlingOverlay, type HandlingSource } from './alert-handling.ts'
import { type Change, FeedContents } from './feed-contents.ts'
import { ENTITY_INTERVAL_MS, FeedStream, type StreamScope } from './feed-stream.ts'
import { serverSentEvent } from './server-sent-event.ts'

/** Streams open at once; the next one is asked to come back later. */
export const MAX_STREAMS = 500
/** `metric` events, which are the heartbeat as well. */
export const METRIC_INTERVAL_MS = 2_000
/** A snapshot does not wait longer for acknowledgements from the database. */
const HANDLING_WAIT_MS = 500
/** A client may come from a process that is ahead of this one; it waits so long for the messages it had. */
const CATCH_UP_MS = 500
const CATCH_UP_CHECK_MS = 10

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

export interface StreamRequest extends StreamScope {
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

export function createLiveFeed(options: LiveFeedOptions): LiveFeed {
  const { views, clock } = options
  const streams = new Set<FeedStream>()
  const overlay = createHandlingOverlay(options.handling, options.onError)
  const ended = new AbortController()
  let flushing = false

  const contents = new FeedContents({
    views,
    overlay,
    // A stream that was not yet told that a key is gone would never learn it: it starts anew instead.
    onForget(table, slot) {
      for (const stream of streams) if (stream.awaits(table, slot)) cutOff(stream)
    },
  })

  const unsubscribe = views.subscribe((messages, at) => {
    contents.moveTo(at)
    if (messages.some(({ type }) => type === 'gap')) beginAnew()
    announce(messages.flatMap((message) => contents.take(message) ?? []))
  })

  /** Messages are missing, so that no stream can go on: its client comes again and gets everything. */
  const beginAnew = (): void => {
    contents.beginAnew()
    for (const stream of streams) {
      detach(stream)
      stream.end()
    }
  }

  const announce = (changes: readonly Change[]): void => {
    for (const stream of streams) {
      stream.note(changes)
      if (stream.hasEntities) startFlushing()
    }
  }

  const startFlushing = (): void => {
    if (flushing) return
    flushing = true
    flushLoop().catch(options.onError)
  }

  const flushLoop = async (): Promise<void> => {
    while (!ended.signal.aborted && [...streams].some(({ hasEntities }) => hasEntities)) {
      await clock.sleep(ENTITY_INTERVAL_MS, ended.signal)
      for (const stream of streams) if (stream.isDue) stream.pump()
    }
    flushing = false
  }

  const cutOff = (stream: FeedStream): void => {
    if (!streams.has(stream)) return
    detach(stream)
    stream.destroy()
    options.onCutOff()
  }

  const detach = (stream: FeedStream): void => {
    if (streams.delete(stream)) options.onStreams(streams.size)
  }

  const start = async (stream: FeedStream, lastEventId: string | undefined): Promise<void> => {
    await Promise.race([overlay.load(), clock.sleep(HANDLING_WAIT_MS, ended.signal)])
    await Promise.all([...stream.views].map((view) => contents.load(view)))
    stream.open(await resumePoint(lastEventId))
    if (stream.hasEntities) startFlushing()
  }

  const resumePoint = async (lastEventId: string | undefined): Promise<number | undefined> => {
    const since = parsePosition(lastEventId)
    if (since === undefined || since.feed !== contents.position.feed) return undefined
    await caughtUp(since)
    return contents.canGoOnFrom(since) ? since.sequence : undefined
  }

  const caughtUp = async ({ sequence }: FeedPosition): Promise<void> => {
    const untilMs = clock.monotonicMs() + CATCH_UP_MS
    while (sequence > contents.position.sequence && clock.monotonicMs() < untilMs) {
      await clock.sleep(CATCH_UP_CHECK_MS, ended.signal)
      if (ended.signal.aborted) return
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
      for (const stream of streams) stream.beat(stream.merchantId === null ? chunk : bare)
    }
  }

  heartbeat().catch(options.onError)

  return {
    get isFull() {
      return streams.size >= MAX_STREAMS
    },
    attach(response, { lastEventId, ...scope }) {
      const onStalled = (): void => cutOff(stream)
      const stream = new FeedStream({ response, scope, contents, clock, onStalled })
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
      for (const stream of streams) stream.end()
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
