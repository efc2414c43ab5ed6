// The reference for all rates: binary COPY of the same rows into the same table of the same server, rows
// encoded beforehand, nothing else going on.

import { once } from 'node:events'
import { mkdirSync } from 'node:fs'
import { join } from 'node:path'
import pg from 'pg'
import { from as copyFrom } from 'pg-copy-streams'
import { systemClock } from '../src/adapters/clock/system-clock.ts'
import { openLmdbLog } from '../src/adapters/log/lmdb-log.ts'
import { createPinoLogger } from '../src/adapters/logger/pino-logger.ts'
import {
  createCheckpointStore,
  MAX_COMMIT_CONNECTIONS,
} from '../src/adapters/postgres/checkpoint-store.ts'
import { CopyEncoder, type CopyPayload } from '../src/adapters/postgres/copy-encoder.ts'
import { startEmbeddedPostgres } from '../src/adapters/postgres/embedded-server.ts'
import { migrate } from '../src/adapters/postgres/migrate.ts'
import { truckReadings } from '../src/domains/cold-chain/events.ts'
import { MAX_CHECKPOINT_ROWS } from '../src/streams/commit-queue.ts'
import { decodeRecord } from '../src/streams/decode.ts'
import { atTheEnd } from './clean-up.ts'
import { PARTITIONS, TOPIC } from './fleet.ts'

const HEADER = Buffer.concat([Buffer.from('PGCOPY\n\xff\r\n\0', 'latin1'), Buffer.alloc(8)])
const TRAILER = Buffer.from([0xff, 0xff])
const READ_LIMIT = { records: MAX_CHECKPOINT_ROWS, bytes: 64 * 1024 * 1024 }

export interface BareCopy {
  readonly rows: number
  readonly seconds: number
}

/**
 * Copies the backlog in the log of `backlogDir` into a new database in `dataDir`, by so many connections side by
 * side; as many as the tasks use where nothing is said.
 */
export async function bareCopy(
  backlogDir: string,
  dataDir: string,
  { connections = MAX_COMMIT_CONNECTIONS }: { readonly connections?: number } = {},
): Promise<BareCopy> {
  const chunks = await encodedBacklog(backlogDir)
  const rows = chunks.reduce((sum, chunk) => sum + chunk.rows, 0)
  const clock = systemClock()
  const logger = createPinoLogger({ level: 'error' })
  mkdirSync(dataDir, { recursive: true })
  const server = await startEmbeddedPostgres({ dataDir, clock, logger })
  const stopped = atTheEnd(() => server.stop())
  try {
    await migrate(server.address, logger)
    const store = createCheckpointStore({ address: server.address })
    await store.ensureArchive(truckReadings.archive)
    await store.close()
    const clients = Array.from({ length: connections }, () => new pg.Client(server.address))
    await Promise.all(clients.map((client) => client.connect()))
    const startedMs = performance.now()
    const waiting = [...chunks]
    await Promise.all(clients.map((client) => copyAll(client, waiting)))
    const seconds = (performance.now() - startedMs) / 1_000
    await Promise.all(clients.map((client) => client.end()))
    return { rows, seconds }
  } finally {
    await server.stop()
    stopped()
  }
}

interface EncodedChunk {
  readonly rows: number
  readonly columns: readonly string[]
  readonly bytes: readonly Buffer[]
}

/** Chunks of one checkpoint's size, partitions in turn. */
async function encodedBacklog(backlogDir: string): Promise<readonly EncodedChunk[]> {
  const log = await openLmdbLog({
    directory: join(backlogDir, 'log'),
    clock: systemClock(),
    mode: 'read',
  })
  const encoder = new CopyEncoder(truckReadings.archive)
  const chunks: EncodedChunk[] = []
  try {
    const offsets = new Array<number>(PARTITIONS).fill(0)
    for (let found = true; found; ) {
      found = false
      for (let partition = 0; partition < PARTITIONS; partition++) {
        const batch = await log.read(TOPIC, partition, offsets[partition] ?? 0, READ_LIMIT)
        offsets[partition] = batch.nextOffset
        if (batch.records.length === 0) continue
        found = true
        for (const record of batch.records) {
          const decoded = decodeRecord(record, truckReadings)
          if (!decoded.ok)
            throw new Error(`The backlog holds a bad event: ${decoded.error.message}`)
          const { eventId } = decoded.value
          encoder.add({ ...record, partition, eventId, flags: null }, decoded.value)
        }
        const { rows, payload } = encoder.take()
        const [encoded] = payload as readonly CopyPayload[]
        if (encoded !== undefined) {
          chunks.push({ rows, columns: encoded.columns, bytes: encoded.buffers })
        }
      }
    }
  } finally {
    await log.close()
  }
  return chunks
}

async function copyAll(client: pg.Client, waiting: EncodedChunk[]): Promise<void> {
  for (;;) {
    const chunk = waiting.shift()
    if (chunk === undefined) return
    const { name } = truckReadings.archive
    const copy = client.query(
      copyFrom(`COPY ${name} (${chunk.columns.join(', ')}) FROM STDIN (FORMAT binary)`),
    )
    const finished = once(copy, 'finish')
    for (const bytes of [HEADER, ...chunk.bytes]) {
      if (!copy.write(bytes)) await once(copy, 'drain')
    }
    copy.end(TRAILER)
    await finished
  }
}
