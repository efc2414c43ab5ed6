// A thread that sends a fleet's readings to the HTTP door: as fast as it takes them, or at a rate.

import { Agent, request } from 'node:http'
import { setTimeout as sleep } from 'node:timers/promises'
import { parentPort, workerData } from 'node:worker_threads'
import { fleetOf, READING_INTERVAL_MS, TOPIC } from './fleet.ts'

const EVENTS_PER_REQUEST = 1_000
const CONNECTIONS = 4
const RETRY_MS = 20
const NAP_MS = 5

export interface LoadOrder {
  readonly url: string
  readonly trucks: number
  readonly seconds: number
  /** Events a second; null for as many as the door takes. */
  readonly rate: number | null
  /** Goes on through refusals and broken connections: the server is killed meanwhile. */
  readonly persistent: boolean
  /** Where the clock of a fleet that catches up starts; default: as far back as it can come. */
  readonly startMs?: number
}

export interface LoadResult {
  readonly accepted: number
  readonly firstSentMs: number
  readonly lastAcknowledgedMs: number
  /** Answers other than 202, and connections that broke. */
  readonly refused: number
}

if (parentPort !== null && workerData !== null) {
  const port = parentPort
  void send(workerData as LoadOrder).then((result) => port.postMessage(result))
}

async function send(order: LoadOrder): Promise<LoadResult> {
  const agent = new Agent({ keepAlive: true, maxSockets: CONNECTIONS })
  const firstSentMs = Date.now()
  const endMs = firstSentMs + order.seconds * 1_000
  const nextBatch =
    order.rate === null ? lookingBack(order, firstSentMs) : inTime(order, order.rate)
  let accepted = 0
  let refused = 0
  let lastAcknowledgedMs = firstSentMs
  const sendSome = async (): Promise<void> => {
    while (Date.now() < endMs) {
      const body = nextBatch()
      if (body === null) {
        await sleep(NAP_MS)
        continue
      }
      for (;;) {
        const status = await post(agent, order.url, body.bytes)
        if (status === 202) break
        refused++
        if (!order.persistent && status !== 503) throw new Error(`The door answered ${status}.`)
        if (Date.now() >= endMs) return
        await sleep(RETRY_MS)
      }
      accepted += body.events
      lastAcknowledgedMs = Date.now()
    }
  }
  await Promise.all(Array.from({ length: CONNECTIONS }, sendSome))
  agent.destroy()
  return { accepted, firstSentMs, lastAcknowledgedMs, refused }
}

interface Batch {
  readonly bytes: Buffer
  readonly events: number
}

/** A fleet that catches up: its clock starts in the past and runs ahead of ours. */
function lookingBack(order: LoadOrder, nowMs: number): () => Batch | null {
  const { trucks, seconds } = order
  const expected = 250_000 * seconds
  const startMs = order.startMs ?? nowMs - (expected / trucks) * READING_INTERVAL_MS
  const fleet = fleetOf({ trucks, startMs, intervalMs: READING_INTERVAL_MS })
  return () => take(fleet, Number.POSITIVE_INFINITY)
}

/** A fleet in the present; a batch is ready once all of its readings are due. */
function inTime({ trucks }: LoadOrder, rate: number): () => Batch | null {
  const fleet = fleetOf({ trucks, startMs: Date.now(), intervalMs: (trucks * 1_000) / rate })
  const batchMs = (EVENTS_PER_REQUEST * 1_000) / rate
  return () => (fleet.nextDueMs + batchMs > Date.now() ? null : take(fleet, Date.now()))
}

function take(fleet: ReturnType<typeof fleetOf>, untilMs: number): Batch | null {
  const batch = fleet.take({ untilMs, maxEvents: EVENTS_PER_REQUEST })
  return batch.count === 0 ? null : { bytes: Buffer.from(batch.ndjson), events: batch.count }
}

/** The status; 0 where there was no answer. */
function post(agent: Agent, url: string, body: Buffer): Promise<number> {
  return new Promise((resolve) => {
    const sent = request(
      `${url}/api/v1/events/${TOPIC}`,
      {
        method: 'POST',
        agent,
        headers: { 'content-type': 'application/x-ndjson', 'content-length': body.length },
      },
      (response) => {
        response.resume()
        response.on('end', () => resolve(response.statusCode ?? 0))
        response.on('error', () => resolve(0))
      },
    )
    sent.on('error', () => resolve(0))
    sent.end(body)
  })
}
