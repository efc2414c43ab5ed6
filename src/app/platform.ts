// Opens what every role stands on: the data directory, the database, the log, the live views, the tasks.
// Closes it in the opposite order.

import { mkdirSync } from 'node:fs'
import { availableParallelism } from 'node:os'
import { join } from 'node:path'
import { systemClock } from '../adapters/clock/system-clock.ts'
import { lockDataDir } from '../adapters/data-dir/data-dir-lock.ts'
import { openLmdbLog } from '../adapters/log/lmdb-log.ts'
import type { DatabaseAddress } from '../adapters/postgres/address.ts'
import { connectDatabase, type PostgresDatabase } from '../adapters/postgres/database.ts'
import { startEmbeddedPostgres } from '../adapters/postgres/embedded-server.ts'
import { migrate } from '../adapters/postgres/migrate.ts'
import { randomRunId } from '../adapters/random/system-random.ts'
import { createMemoryViews } from '../adapters/views/memory-views.ts'
import { createMetrics, type Metrics } from '../api/metrics.ts'
import type { TopicStatus } from '../api/options.ts'
import { createIngest, type Ingest } from '../doors/ingest.ts'
import type { Alert } from '../ports/alert.ts'
import type { Clock } from '../ports/clock.ts'
import type { Log } from '../ports/log.ts'
import type { Logger } from '../ports/logger.ts'
import type { Views } from '../ports/views.ts'
import type { Settings } from './settings.ts'
import { startTaskThreads, type TaskThreads } from './task-threads.ts'
import type { TaskReport } from './thread-protocol.ts'
import { allPipelines, eventTopics, neededTopics, topicName } from './topics.ts'

/** Threads for tasks; one core is left to the doors, the pages and the database. */
const MAX_TASK_THREADS = 8

export interface Platform {
  readonly settings: Settings
  readonly clock: Clock
  readonly logger: Logger
  readonly address: DatabaseAddress
  readonly database: PostgresDatabase
  readonly log: Log
  readonly views: Views
  readonly metrics: Metrics
  readonly ingest: Ingest
  readonly tasks: TaskThreads
  topicStatus(): Promise<readonly TopicStatus[]>
  close(): Promise<void>
}

export interface PlatformOptions {
  readonly settings: Settings
  readonly logger: Logger
}

/** Rejects with what is in the way, everything opened so far closed again. */
export async function openPlatform({ settings, logger }: PlatformOptions): Promise<Platform> {
  const clock = systemClock()
  const closers: (() => Promise<void>)[] = []
  const close = async (): Promise<void> => {
    for (const closer of closers.splice(0).reverse()) await closer()
  }
  try {
    mkdirSync(settings.dataDir, { recursive: true })
    const lock = await lockDataDir(settings.dataDir)
    closers.push(() => lock.release())
    const { address, stop } = await openDatabase(settings, clock, logger)
    closers.push(stop)
    await migrate(address, logger)
    const database = connectDatabase({ address })
    closers.push(() => database.close())
    const log = await openLmdbLog({
      directory: join(settings.dataDir, 'log'),
      clock,
      mode: 'write',
    })
    closers.push(() => log.close())
    for (const topic of neededTopics) {
      await log.ensureTopic(topicName(settings, topic), { partitions: settings.partitions })
    }
    const views = createMemoryViews(randomRunId())
    closers.push(() => views.close())
    const metrics = createMetrics()
    views.subscribe((messages) => {
      for (const message of messages) {
        if (message.type === 'alert') observeLatency(metrics, message.alert, clock)
      }
    })
    const tasks = startTaskThreads({
      threads: Math.max(1, Math.min(MAX_TASK_THREADS, availableParallelism() - 1)),
      settings,
      database: address,
      views,
      clock,
      logger,
      onReport: (report) => observeReport(metrics, report),
    })
    closers.push(() => tasks.stop())
    const ingest = createIngest({
      log: renamed(log, settings),
      topics: eventTopics,
      clock,
      observe({ topic, accepted, rejected }) {
        metrics.countEvents({ topic, result: 'accepted' }, accepted)
        metrics.countEvents({ topic, result: 'rejected' }, rejected)
      },
    })
    const topicStatus = async (): Promise<readonly TopicStatus[]> => {
      const status = await statusOf(log, tasks, settings)
      for (const { topic, partitions } of status) {
        for (const { partition, endOffset, committedOffset } of partitions) {
          metrics.setLag({ topic, partition }, endOffset - committedOffset)
        }
      }
      return status
    }
    return {
      settings,
      clock,
      logger,
      address,
      database,
      log,
      views,
      metrics,
      ingest,
      tasks,
      topicStatus,
      close,
    }
  } catch (error) {
    await close()
    throw error
  }
}

async function openDatabase(
  settings: Settings,
  clock: Clock,
  logger: Logger,
): Promise<{ readonly address: DatabaseAddress; readonly stop: () => Promise<void> }> {
  if (settings.databaseUrl !== null) {
    return { address: { connectionString: settings.databaseUrl }, stop: async () => undefined }
  }
  const server = await startEmbeddedPostgres({ dataDir: settings.dataDir, clock, logger })
  return { address: server.address, stop: () => server.stop() }
}

/** Doors speak our names of topics; the log may know them by others. */
function renamed(log: Log, settings: Settings): Pick<Log, 'append'> {
  return { append: (topic, records) => log.append(topicName(settings, topic), records) }
}

function observeLatency(metrics: Metrics, alert: Alert, clock: Clock): void {
  if (alert.revision !== 1 || alert.status === 'resolved') return
  metrics.observeAlertLatency(Math.max(0, clock.nowMs() - alert.receivedAtMs) / 1_000)
}

function observeReport(metrics: Metrics, report: TaskReport): void {
  for (const { topic, counts } of report.counts) {
    metrics.countEvents({ topic, result: 'processed' }, counts.events)
    metrics.countEvents({ topic, result: 'duplicate' }, counts.duplicates)
    metrics.countEvents({ topic, result: 'late' }, counts.late)
    metrics.countEvents({ topic, result: 'rejected' }, counts.rejected)
  }
  for (const events of report.batchEvents) metrics.observeBatch(events)
  for (const elapsedMs of report.checkpointMs) metrics.observeCheckpoint(elapsedMs / 1_000)
}

async function statusOf(
  log: Log,
  tasks: TaskThreads,
  settings: Settings,
): Promise<readonly TopicStatus[]> {
  const running = tasks.tasks()
  return Promise.all(
    allPipelines.map(async (pipeline) => {
      const topic = topicName(settings, pipeline.topic.name)
      const partitions = Array.from({ length: settings.partitions }, async (_, partition) => {
        const { endOffset } = await log.bounds(topic, partition)
        const task = running.find(
          ({ id }) => id.pipeline === pipeline.name && id.partition === partition,
        )
        return {
          partition,
          endOffset,
          committedOffset: task?.committedOffset ?? 0,
          watermarkMs: task === undefined || task.watermarkMs === 0 ? null : task.watermarkMs,
        }
      })
      return { topic: pipeline.topic.name, partitions: await Promise.all(partitions) }
    }),
  )
}
