// The load: simulated refrigerated trucks, as bytes for a door or as records in a log.

import { join } from 'node:path'
import { systemClock } from '../src/adapters/clock/system-clock.ts'
import { openLmdbLog } from '../src/adapters/log/lmdb-log.ts'
import { seededRandom } from '../src/adapters/random/seeded-random.ts'
import { TruckSimulation } from '../src/domains/cold-chain/simulate.ts'
import type { Log, NewRecord } from '../src/ports/log.ts'

export const TOPIC = 'truck-readings'
/** As many as the program makes where nothing is set. */
export const PARTITIONS = 8
/** Between two readings of one truck, as `outrider simulate` has it. */
export const READING_INTERVAL_MS = 3_000
/** From the reading to its arrival here, where the backlog says when it arrived. */
const UNDER_WAY_MS = 200
const APPEND_EVENTS = 10_000
/** Appends on their way to the disk at once. */
const APPENDS_UNDER_WAY = 4

export interface FleetOptions {
  readonly trucks: number
  readonly startMs: number
  readonly intervalMs: number
}

export function fleetOf({ trucks, startMs, intervalMs }: FleetOptions): TruckSimulation {
  return new TruckSimulation({ vehicles: trucks, random: seededRandom(1), startMs, intervalMs })
}

export interface Backlog {
  readonly events: number
  readonly trucks: number
}

/** Fills the log of a data directory with readings that came in until just now. */
export async function writeBacklog(dataDir: string, { events, trucks }: Backlog): Promise<void> {
  await writeFleet(dataDir, {
    ...{ topic: TOPIC, events, spanMs: (events / trucks) * READING_INTERVAL_MS },
    fleet: (startMs) => fleetOf({ trucks, startMs, intervalMs: READING_INTERVAL_MS }),
  })
}

/** What any simulated fleet sent in the time that is given, until just now. */
export async function writeFleet(
  dataDir: string,
  plan: {
    readonly topic: string
    readonly events: number
    readonly spanMs: number
    readonly fleet: (startMs: number) => Pick<TruckSimulation, 'take'>
  },
): Promise<void> {
  const log = await openLmdbLog({
    directory: join(dataDir, 'log'),
    clock: systemClock(),
    mode: 'write',
  })
  try {
    const { topic, events, spanMs } = plan
    await log.ensureTopic(topic, { partitions: PARTITIONS })
    const startMs = Date.now() - spanMs - UNDER_WAY_MS
    const recordMs = spanMs / events
    await appendAll(log, plan.fleet(startMs), { topic, events, recordMs, startMs })
  } finally {
    await log.close()
  }
}

async function appendAll(
  log: Log,
  fleet: Pick<TruckSimulation, 'take'>,
  plan: {
    readonly topic: string
    readonly events: number
    readonly recordMs: number
    readonly startMs: number
  },
): Promise<void> {
  const underWay: Promise<void>[] = []
  let appended = 0
  while (appended < plan.events) {
    const maxEvents = Math.min(APPEND_EVENTS, plan.events - appended)
    const batch = fleet.take({ untilMs: Number.POSITIVE_INFINITY, maxEvents })
    const bytes = Buffer.from(batch.ndjson)
    let from = 0
    const records = batch.ends.map((end, index): NewRecord => {
      const value = bytes.subarray(from, end - 1)
      from = end
      const receivedAtMs = Math.floor(
        plan.startMs + UNDER_WAY_MS + (appended + index) * plan.recordMs,
      )
      return { key: batch.keys[index] ?? '', value, receivedAtMs, tenantId: 'default' }
    })
    appended += records.length
    underWay.push(log.append(plan.topic, records))
    if (underWay.length >= APPENDS_UNDER_WAY) await underWay.shift()
  }
  await Promise.all(underWay)
}
