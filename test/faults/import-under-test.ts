// A server with the doors and the routes that an import asks, on the real log. Its archive is the log
// itself, and flags repeats of an event id as the platform does: for the same key.

import fastify from 'fastify'
import { systemClock } from '../../src/adapters/clock/system-clock.ts'
import { truckReadings } from '../../src/domains/cold-chain/events.ts'
import { eventsRoutes } from '../../src/doors/http-events.ts'
import type { EventSink } from '../../src/doors/import/event-sink.ts'
import { createHttpSink } from '../../src/doors/import/http-sink.ts'
import { compileMapping, type Mapping } from '../../src/doors/mapping.ts'
import { showIssue } from '../../src/doors/mapping-text.ts'
import { toIso } from '../../src/kernel/time.ts'
import type { LogRecord } from '../../src/ports/log.ts'
import { type Door, openDoor, PARTITIONS } from './doors-under-test.ts'

export const TOKEN = 'a token of thirty-two characters'

export interface ImportServer extends Door {
  readonly url: string
  /** Answers given to `POST /events` instead of the door's, one each, first to last. */
  readonly refusals: number[]
  /** Called with each request for events before it is looked at. */
  onPost: () => void
  sink(signal?: AbortSignal): EventSink
}

export async function startImportServer(): Promise<ImportServer> {
  const door = await openDoor()
  const app = fastify()
  const refusals: number[] = []
  const server: ImportServer = {
    ...door,
    url: '',
    refusals,
    onPost() {},
    sink: (signal = new AbortController().signal) =>
      createHttpSink({
        baseUrl: server.url,
        token: TOKEN,
        clock: systemClock(),
        signal,
        retryForMs: 5_000,
      }),
    async close() {
      await app.close()
      await door.close()
    },
  }
  app.addHook('onRequest', async (request, reply) => {
    if (request.url === '/healthz') return
    if (request.headers.authorization !== `Bearer ${TOKEN}`) return reply.code(401).send({})
    if (request.method !== 'POST') return
    server.onPost()
    const status = refusals.shift()
    if (status !== undefined) return reply.code(status).header('retry-after', '0.01').send({})
  })
  await app.register(eventsRoutes, {
    ingest: door.ingest,
    prefix: '/api/v1',
    principalOf: () => ({ tenantId: 'acme' }),
  })
  app.get('/healthz', async () => ({ status: 'alive' }))
  app.get('/api/v1/topics', async () => [
    {
      topic: truckReadings.name,
      partitions: await Promise.all(Array.from({ length: PARTITIONS }, state)),
    },
  ])
  app.get('/api/v1/history/:topic', async (_request, reply) => {
    const items = flagged(await partitionsOf(door))
    return reply
      .type('application/x-ndjson')
      .send(items.map((item) => `${JSON.stringify(item)}\n`).join(''))
  })
  async function state(_: unknown, partition: number): Promise<object> {
    const { endOffset } = await door.log.bounds(truckReadings.name, partition)
    return { partition, endOffset, committedOffset: endOffset, lag: 0, watermark: null }
  }
  const url = await app.listen({ host: '127.0.0.1', port: 0 })
  return Object.assign(server, { url })
}

async function partitionsOf(door: Door): Promise<readonly (readonly LogRecord[])[]> {
  const read = Array.from({ length: PARTITIONS }, async (_, partition) => {
    const batch = await door.log.read(truckReadings.name, partition, 0, {
      records: 1e6,
      bytes: 1e9,
    })
    return batch.records
  })
  return Promise.all(read)
}

function flagged(partitions: readonly (readonly LogRecord[])[]): object[] {
  const seen = new Set<string>()
  return partitions.flatMap((records) =>
    records.map(({ key, value, receivedAtMs }) => {
      const { eventId } = JSON.parse(Buffer.from(value).toString())
      const id = `${key} ${eventId}`
      const flags = seen.has(id) ? ['duplicate'] : null
      seen.add(id)
      return { receivedAt: toIso(receivedAtMs), eventId, flags }
    }),
  )
}

/** Event ids in the log, with how often each is there. */
export async function eventIds(door: Door): Promise<ReadonlyMap<string, number>> {
  const counts = new Map<string, number>()
  for (const { value } of await door.events()) {
    const { eventId } = JSON.parse(Buffer.from(value).toString())
    counts.set(eventId, (counts.get(eventId) ?? 0) + 1)
  }
  return counts
}

export function mappingOf(text: string): Mapping {
  const mapping = compileMapping(
    { file: 'test.yaml', text },
    new Map([[truckReadings.name, truckReadings]]),
  )
  if (!mapping.ok) throw new Error(mapping.error.map(showIssue).join('\n'))
  return mapping.value
}
