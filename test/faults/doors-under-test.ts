// A door on the real log in a folder of its own, and the HTTP route on a free port of this machine.

import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import fastify from 'fastify'
import { systemClock } from '../../src/adapters/clock/system-clock.ts'
import { openLmdbLog } from '../../src/adapters/log/lmdb-log.ts'
import { truckReadings } from '../../src/domains/cold-chain/events.ts'
import { type EventsRoutesOptions, eventsRoutes } from '../../src/doors/http-events.ts'
import { createIngest, type Ingest, type IngestObservation } from '../../src/doors/ingest.ts'
import type { DeadLetter } from '../../src/ports/checkpoint-store.ts'
import type { Log, LogRecord } from '../../src/ports/log.ts'
import { DEAD_LETTERS_TOPIC, parseDeadLetter } from '../../src/streams/dead-letters.ts'
import type { StreamEvent, TopicDefinition } from '../../src/streams/topic.ts'

export const PARTITIONS = 3

export interface Door {
  readonly log: Log
  readonly ingest: Ingest
  readonly observed: readonly IngestObservation[]
  /** All events of the topic, in offset order within each partition. */
  events(): Promise<readonly LogRecord[]>
  deadLetters(): Promise<readonly DeadLetter[]>
  close(): Promise<void>
}

export async function openDoor(settings: { readonly maxBytes?: number } = {}): Promise<Door> {
  const directory = await mkdtemp(join(tmpdir(), 'outrider-door-'))
  const clock = systemClock()
  const log = await openLmdbLog({ directory, clock, mode: 'write', ...settings })
  await log.ensureTopic(truckReadings.name, { partitions: PARTITIONS })
  await log.ensureTopic(DEAD_LETTERS_TOPIC, { partitions: 1 })
  const observed: IngestObservation[] = []
  const topics: ReadonlyMap<string, TopicDefinition<StreamEvent>> = new Map([
    [truckReadings.name, truckReadings],
  ])
  const ingest = createIngest({ log, topics, clock, observe: (fact) => observed.push(fact) })
  return {
    log,
    ingest,
    observed,
    async events() {
      const all = Array.from({ length: PARTITIONS }, (_, partition) =>
        readAll(log, truckReadings.name, partition),
      )
      return (await Promise.all(all)).flat()
    },
    async deadLetters() {
      const records = await readAll(log, DEAD_LETTERS_TOPIC, 0)
      return records.map(({ value, offset }) =>
        parseDeadLetter(value, { topic: DEAD_LETTERS_TOPIC, partition: 0, offset }),
      )
    },
    async close() {
      await log.close()
      await rm(directory, { recursive: true })
    },
  }
}

async function readAll(log: Log, topic: string, partition: number): Promise<readonly LogRecord[]> {
  const records: LogRecord[] = []
  const { endOffset } = await log.bounds(topic, partition)
  for (let next = 0; next < endOffset; ) {
    const batch = await log.read(topic, partition, next, { records: 10_000, bytes: 16_000_000 })
    records.push(...batch.records)
    next = batch.nextOffset
  }
  return records
}

export interface HttpDoor extends Door {
  readonly url: string
  post(body: RequestInit['body'], headers?: Record<string, string>): Promise<Response>
}

export async function openHttpDoor(
  settings: { readonly maxBytes?: number } = {},
  options: Partial<EventsRoutesOptions> = {},
): Promise<HttpDoor> {
  const door = await openDoor(settings)
  const app = fastify()
  await app.register(eventsRoutes, {
    ingest: door.ingest,
    prefix: '/api/v1',
    principalOf: () => ({ tenantId: 'acme' }),
    ...options,
  })
  const url = await app.listen({ host: '127.0.0.1', port: 0 })
  return {
    ...door,
    url,
    post: (body, headers = {}) =>
      fetch(`${url}/api/v1/events/${truckReadings.name}`, {
        method: 'POST',
        headers: { 'content-type': 'application/json', ...headers },
        body: body ?? null,
      }),
    async close() {
      await app.close()
      await door.close()
    },
  }
}

/** A good reading; later ones differ, so that none is taken for another. */
export function reading(number: number): Readonly<Record<string, unknown>> {
  return {
    truckId: `T-${number % 7}`,
    recordedAt: 1_700_000_000_000 + number * 1_000,
    eventId: `e-${number}`,
    temperatureC: 4 + (number % 3) / 2,
  }
}
