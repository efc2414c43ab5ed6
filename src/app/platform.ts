// Opens what the roles of this process stand on: the data directory, the database, the log, the live views,
// the tasks. Closes it in the opposite order.

import { mkdirSync } from 'node:fs'
import { availableParallelism } from 'node:os'
import { join } from 'node:path'
import { systemClock } from '../adapters/clock/system-clock.ts'
import { lockDataDir } from '../adapters/data-dir/data-dir-lock.ts'
import type { DatabaseAddress } from '../adapters/postgres/address.ts'
import { connectDatabase, type PostgresDatabase } from '../adapters/postgres/database.ts'
import { startEmbeddedPostgres } from '../adapters/postgres/embedded-server.ts'
import { migrate } from '../adapters/postgres/migrate.ts'
import { createReferenceStore } from '../adapters/postgres/reference-store.ts'
import { createRuleStore } from '../adapters/postgres/rule-store.ts'
import { createMetrics, type Metrics } from '../api/metrics.ts'
import type { TopicStatus } from '../api/options.ts'
import { type ArrivalDesk, createArrivalDesk } from '../domains/arrivals/desk.ts'
import { journeyPlans, wirePlan } from '../domains/arrivals/plans.ts'
import { createIngest, type Ingest } from '../doors/ingest.ts'
import { assert } from '../kernel/errors.ts'
import type { Alert } from '../ports/alert.ts'
import type { Clock } from '../ports/clock.ts'
import type { Log } from '../ports/log.ts'
import type { Logger } from '../ports/logger.ts'
import type { ViewPublisher } from '../ports/views.ts'
import type { RoutingRunner } from '../workflows/routing/routing-runner.ts'
import { startTravelTimes } from '../workflows/travel-times/travel-time-runner.ts'
import { startAlertRouting } from './alert-routing.ts'
import type { WorkThreadData } from './durable-work.ts'
import { openLog } from './open-log.ts'
import { type OpenedViews, openViews, refillAlerts } from './open-views.ts'
import { checkRoles, mayWriteLog, ownsDataDir } from './role-needs.ts'
import { RuleBook, type RuleBookOptions } from './rule-book.ts'
import { ruleFilesIn } from './rule-files.ts'
import type { Settings } from './settings.ts'
import { startTaskThreads, type TaskThreads } from './task-threads.ts'
import type { TaskReport } from './thread-protocol.ts'
import { createTopicStatus } from './topic-status.ts'
import {
  eventTopics,
  internalTopics,
  neededTopics,
  partitionsOf,
  ruleTopics,
  topicName,
} from './topics.ts'
import { openTravelTimes } from './travel-times.ts'
import { startWorkThread } from './work-thread.ts'

/** Threads for tasks; one core is left to the doors, the pages and the database. */
const MAX_TASK_THREADS = 8

/** What depends on the role is null where the process does not have it. */
export interface Platform {
  readonly settings: Settings
  /** Simulated fleets run in this program. */
  readonly simulated: boolean
  readonly clock: Clock
  readonly logger: Logger
  readonly metrics: Metrics
  readonly log: Log
  /** Connects when it is asked something; doors never ask. */
  readonly database: PostgresDatabase
  /** For threads of their own. */
  readonly address: DatabaseAddress
  readonly ingest: Ingest
  readonly views: OpenedViews | null
  readonly tasks: TaskThreads | null
  readonly rules: RuleBook | null
  /** Null where the process has no database, or cannot write to the log. */
  readonly arrivalDesk: ArrivalDesk | null
  /** Null where another process routes alerts. */
  readonly routing: RoutingRunner | null
  topicStatus(): Promise<readonly TopicStatus[]>
  close(): Promise<void>
}

export interface PlatformOptions {
  readonly settings: Settings
  /** Simulated fleets are to run: their reference tables are at hand. */
  readonly simulated?: boolean
  readonly logger: Logger
}

/** Rejects with what is in the way, everything opened so far closed again. */
export async function openPlatform({
  settings,
  logger,
  simulated = false,
}: PlatformOptions): Promise<Platform> {
  checkRoles(settings)
  const { roles } = settings
  const clock = systemClock()
  const closers: (() => Promise<void>)[] = []
  const close = async (): Promise<void> => {
    for (const closer of closers.splice(0).reverse()) await closer()
  }
  try {
    if (ownsDataDir(settings)) {
      mkdirSync(settings.dataDir, { recursive: true })
      const lock = await lockDataDir(settings.dataDir)
      closers.push(() => lock.release())
    }
    const { address, stop } = await openDatabase(settings, clock, logger)
    closers.push(stop)
    if (needsDatabase(settings)) await migrate(address, logger)
    const database = connectDatabase({ address })
    closers.push(() => database.close())
    const log = await openTopics(settings, clock)
    closers.push(() => log.close())
    const metrics = createMetrics()
    const running: { tasks: TaskThreads | null } = { tasks: null }
    const refill = new AbortController()
    const refillViews = (publisher: ViewPublisher): void => {
      running.tasks?.showAll()
      refillAlerts(publisher, { database, clock, logger }, refill.signal).catch((error: unknown) =>
        logger.error('alerts-not-refilled', error),
      )
    }
    let views: OpenedViews | null = null
    const tellsFeed = roles.has('work') && settings.views !== 'memory'
    if (roles.has('serve') || roles.has('tasks') || tellsFeed) {
      const onLost = (): void => {
        if (views !== null && roles.has('tasks')) refillViews(views.publisher)
      }
      const opened = await openViews({ settings, database, clock, logger, onLost })
      views = opened
      closers.push(() => opened.close())
      closers.push(async () => refill.abort())
    }
    const rules = needsRules(settings)
      ? openRules({ settings, database, clock, logger, onChange: () => running.tasks?.refresh() })
      : null
    // Tasks begin with the rules in force: the first batch sees them.
    await rules?.refresh()
    if (roles.has('tasks') && views !== null) {
      const tasks = startTaskThreads({
        threads: Math.max(1, Math.min(MAX_TASK_THREADS, availableParallelism() - 1)),
        settings,
        simulated,
        database: address,
        views: measured(views.publisher, metrics, clock),
        clock,
        logger,
        onReport(report) {
          observeReport(metrics, report)
          rules?.noteFailures(report.ruleFailures)
        },
      })
      running.tasks = tasks
      closers.push(() => tasks.stop())
      refillViews(views.publisher)
    }
    if (rules !== null) {
      const stopRules = new AbortController()
      const ended = rules.run(stopRules.signal)
      closers.push(async () => {
        stopRules.abort()
        await ended
      })
    }
    const ingest = createIngest({
      log: renamed(log, settings),
      topics: eventTopics,
      clock,
      observe({ topic, accepted, rejected }) {
        metrics.countEvents({ topic, result: 'accepted' }, accepted)
        metrics.countEvents({ topic, result: 'rejected' }, rejected)
      },
    })
    const plans = createIngest({ log: renamed(log, settings), topics: internalTopics, clock })
    const arrivalDesk =
      needsDatabase(settings) && mayWriteLog(settings) ? deskOf(database, plans) : null
    const travelTimes = openTravelTimes(settings, clock)
    if (roles.has('work') && travelTimes !== null && arrivalDesk !== null) {
      const asking = startTravelTimes({ database, desk: arrivalDesk, travelTimes, clock, logger })
      closers.push(() => asking.stop())
    }
    const routing = roles.has('work')
      ? startAlertRouting({
          address,
          database,
          views: views?.views ?? null,
          dataDir: settings.dataDir,
          clock,
          logger,
          metrics,
        })
      : null
    if (routing !== null) closers.push(() => routing.stop())
    if (roles.has('work')) {
      const work = startWorkThread({
        data: workData(settings, address),
        desk: arrivalDesk,
        clock,
        logger,
      })
      closers.push(() => work.stop())
    }
    return {
      settings,
      simulated,
      clock,
      logger,
      metrics,
      log,
      database,
      address,
      ingest,
      views,
      tasks: running.tasks,
      rules,
      arrivalDesk,
      routing,
      topicStatus: createTopicStatus({ log, database, settings, tasks: running.tasks, metrics }),
      close,
    }
  } catch (error) {
    await close()
    throw error
  }
}

/** Its plans go the way of every event. */
function deskOf(database: PostgresDatabase, ingest: Ingest): ArrivalDesk {
  return createArrivalDesk({
    database,
    async tell(tenantId, plans) {
      const events = plans.map((plan) => Buffer.from(JSON.stringify(wirePlan(plan))))
      const { name: topic } = journeyPlans
      const { rejected } = await ingest.accept({ topic, tenantId, door: 'platform', events })
      const [first] = rejected
      assert(first === undefined, `A journey plan was refused: ${first?.message ?? ''}`)
    },
  })
}

/** What the thread needs and no more: plain data. */
function workData(
  { dataDir, logLevel, mailFrom, port, publicUrl, smtpUrl }: Settings,
  database: DatabaseAddress,
): WorkThreadData {
  return { settings: { dataDir, logLevel, mailFrom, port, publicUrl, smtpUrl }, database }
}

async function openDatabase(
  settings: Settings,
  clock: Clock,
  logger: Logger,
): Promise<{ readonly address: DatabaseAddress; readonly stop: () => Promise<void> }> {
  const none = { stop: async () => undefined }
  if (settings.databaseUrl !== null) {
    return { address: { connectionString: settings.databaseUrl }, ...none }
  }
  if (!needsDatabase(settings)) return { address: { connectionString: '' }, ...none }
  const server = await startEmbeddedPostgres({ dataDir: settings.dataDir, clock, logger })
  return { address: server.address, stop: () => server.stop() }
}

export function needsDatabase({ roles }: Settings): boolean {
  return roles.has('tasks') || roles.has('serve') || roles.has('work')
}

function needsRules({ roles }: Settings): boolean {
  return roles.has('tasks') || roles.has('serve')
}

/** Where tasks run, files are read and tables are made; elsewhere the rules are what these have made. */
function openRules({
  settings,
  database,
  ...rest
}: Pick<RuleBookOptions, 'clock' | 'logger' | 'onChange'> & {
  readonly settings: Settings
  readonly database: PostgresDatabase
}): RuleBook {
  const folder = join(settings.dataDir, 'rules')
  return new RuleBook({
    ...rest,
    topics: ruleTopics,
    store: createRuleStore(database),
    references: createReferenceStore(database),
    files: settings.roles.has('tasks') ? ruleFilesIn(folder) : null,
  })
}

/** The log, with its topics. A process beside the one that writes finds them there. */
async function openTopics(settings: Settings, clock: Clock): Promise<Log> {
  const writes = mayWriteLog(settings)
  const log = await openLog(settings, { clock, mode: writes ? 'write' : 'read' })
  try {
    for (const topic of writes ? neededTopics : []) {
      await log.ensureTopic(topicName(settings, topic), {
        partitions: partitionsOf(settings, topic),
      })
    }
    return log
  } catch (error) {
    await log.close()
    throw error
  }
}

/** Doors speak our names of topics; the log may know them by others. */
function renamed(log: Log, settings: Settings): Pick<Log, 'append'> {
  return { append: (topic, records) => log.append(topicName(settings, topic), records) }
}

/** How long alerts took is known best where they are told. */
function measured(publisher: ViewPublisher, metrics: Metrics, clock: Clock): ViewPublisher {
  return {
    put: (entries) => publisher.put(entries),
    async publishAlerts(alerts) {
      await publisher.publishAlerts(alerts)
      for (const alert of alerts) observeLatency(metrics, alert, clock)
    },
  }
}

function observeLatency(metrics: Metrics, alert: Alert, clock: Clock): void {
  if (alert.revision !== 1 || alert.status === 'resolved') return
  metrics.observeAlertLatency(Math.max(0, clock.nowMs() - alert.receivedAtMs) / 1_000)
}

function observeReport(metrics: Metrics, report: TaskReport): void {
  for (const { rule, count } of report.ruleFailures) metrics.countRuleFailures({ rule }, count)
  for (const { topic, counts } of report.counts) {
    metrics.countEvents({ topic, result: 'processed' }, counts.events)
    metrics.countEvents({ topic, result: 'duplicate' }, counts.duplicates)
    metrics.countEvents({ topic, result: 'late' }, counts.late)
    metrics.countEvents({ topic, result: 'rejected' }, counts.rejected)
  }
  for (const events of report.batchEvents) metrics.observeBatch(events)
  for (const elapsedMs of report.checkpointMs) metrics.observeCheckpoint(elapsedMs / 1_000)
}
