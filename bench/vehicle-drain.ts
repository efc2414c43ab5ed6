// What enrichment, rules and windows of vehicles leave of the rate of the bare path, and what fleet reports leave:
// a backlog of telemetry from the log into the archive of a real database, through a pipeline that only archives
// and shows it, through one that judges it too, and through the whole. One thread runs the tasks, as in the program.

import { rmSync } from 'node:fs'
import { join } from 'node:path'
import { systemClock } from '../src/adapters/clock/system-clock.ts'
import { openLmdbLog } from '../src/adapters/log/lmdb-log.ts'
import { createPinoLogger } from '../src/adapters/logger/pino-logger.ts'
import { createCheckpointStore } from '../src/adapters/postgres/checkpoint-store.ts'
import { connectDatabase } from '../src/adapters/postgres/database.ts'
import { startEmbeddedPostgres } from '../src/adapters/postgres/embedded-server.ts'
import { migrate } from '../src/adapters/postgres/migrate.ts'
import { createReferenceStore } from '../src/adapters/postgres/reference-store.ts'
import { seededRandom } from '../src/adapters/random/seeded-random.ts'
import { createMemoryViews } from '../src/adapters/views/memory-views.ts'
import { reportingObserver } from '../src/app/task-observer.ts'
import { vehicleTelemetry } from '../src/domains/vehicles/events.ts'
import { vehiclesPipeline } from '../src/domains/vehicles/pipeline.ts'
import { simulateVehicles } from '../src/domains/vehicles/simulate.ts'
import type { ReferenceSource } from '../src/ports/reference-source.ts'
import { fixedAssignment } from '../src/streams/fixed-assignment.ts'
import type { AnyPipeline } from '../src/streams/pipeline.ts'
import { ReferenceTables } from '../src/streams/shared-feeds.ts'
import { TaskHost } from '../src/streams/task-host.ts'
import { atTheEnd } from './clean-up.ts'
import { PARTITIONS, writeFleet } from './fleet.ts'
import { databaseOf, untilArchived } from './program.ts'
import { median } from './samples.ts'
import { bareVehicles, judgedVehicles, vehicleTables } from './vehicle-costs.ts'

const VEHICLES = 10_000
const INTERVAL_MS = 5_000

const PIPELINES = { bare: bareVehicles, judged: judgedVehicles, whole: vehiclesPipeline } as const

export interface VehicleDrain {
  /** Events a second. */
  readonly bare: number
  readonly judged: number
  readonly whole: number
  /** Of the bare path. */
  readonly judgedRatio: number
  readonly wholeRatio: number
}

/** All in turns, so that whatever else the machine does meets all. */
export async function vehicleDrain(
  folder: string,
  { events, turns }: { readonly events: number; readonly turns: number },
): Promise<VehicleDrain> {
  const dataDir = join(folder, 'vehicles')
  const spanMs = (events / VEHICLES) * INTERVAL_MS
  await writeFleet(dataDir, {
    ...{ topic: vehicleTelemetry.name, events, spanMs },
    fleet: (startMs) =>
      simulateVehicles({
        vehicles: VEHICLES,
        random: seededRandom(1),
        ...{ startMs, intervalMs: INTERVAL_MS },
      }),
  })
  const turnsOf: Record<keyof typeof PIPELINES, number>[] = []
  for (let turn = 0; turn <= turns; turn++) {
    const bare = await drain(dataDir, PIPELINES.bare, events)
    const judged = await drain(dataDir, PIPELINES.judged, events)
    const whole = await drain(dataDir, PIPELINES.whole, events)
    // The first turn compiles, and does not count.
    if (turn > 0) turnsOf.push({ bare, judged, whole })
  }
  const middle = (of: (rates: (typeof turnsOf)[number]) => number): number =>
    median(turnsOf.map(of))
  rmSync(dataDir, { recursive: true, force: true })
  return {
    bare: middle(({ bare }) => bare),
    judged: middle(({ judged }) => judged),
    whole: middle(({ whole }) => whole),
    judgedRatio: middle(({ bare, judged }) => judged / bare),
    wholeRatio: middle(({ bare, whole }) => whole / bare),
  }
}

/** Events a second from the log into the archive of a database that is new. */
async function drain(dataDir: string, pipeline: AnyPipeline, events: number): Promise<number> {
  const clock = systemClock()
  const logger = createPinoLogger({ level: 'error' })
  const server = await startEmbeddedPostgres({ dataDir, clock, logger })
  const stopped = atTheEnd(() => server.stop())
  const { address } = server
  await migrate(address, logger)
  const database = connectDatabase({ address, maxConnections: 2 })
  const store = createCheckpointStore({ address })
  const log = await openLmdbLog({ directory: join(dataDir, 'log'), clock, mode: 'read' })
  const topic = vehicleTelemetry.name
  const partitions = Array.from({ length: PARTITIONS }, (_, partition) => partition)
  const host = new TaskHost({
    pipelines: [{ pipeline, topic }],
    assignment: fixedAssignment(new Map([[topic, partitions]])),
    speedLayer: createMemoryViews('bench'),
    references: new ReferenceTables(createReferenceStore(database)),
    referenceSource: tables(),
    checkReference: () => undefined,
    observer: reportingObserver({ logger, clock, topicOf: () => topic }),
    ...{ log, store, clock, logger },
  })
  const watching = databaseOf(dataDir)
  const stop = new AbortController()
  const startedMs = Date.now()
  const running = host.run(stop.signal)
  try {
    const endMs = await untilArchived(watching, events, pipeline.name)
    return (events * 1_000) / (endMs - startedMs)
  } finally {
    stop.abort()
    await running
    await watching.end()
    await log.close()
    await store.close()
    await database.close()
    await server.stop()
    stopped()
    rmSync(join(dataDir, 'postgres'), { recursive: true, force: true })
    rmSync(join(dataDir, 'postgres.json'), { force: true })
  }
}

function tables(): ReferenceSource {
  const documents = vehicleTables(VEHICLES).map((table) => ({ ...table, tag: '1' }))
  return { load: () => Promise.resolve({ documents, problems: [] }) }
}
