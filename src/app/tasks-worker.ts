// A thread of its own for tasks, so that a slow query or page never delays a warning.

import { type MessagePort, parentPort, workerData } from 'node:worker_threads'
import { systemClock } from '../adapters/clock/system-clock.ts'
import { createPinoLogger } from '../adapters/logger/pino-logger.ts'
import { createCheckpointStore } from '../adapters/postgres/checkpoint-store.ts'
import { connectDatabase } from '../adapters/postgres/database.ts'
import { createReferenceStore } from '../adapters/postgres/reference-store.ts'
import { registeredTables } from '../adapters/postgres/rule-store.ts'
import { createViewPublisherPort } from '../adapters/views/view-publisher-port.ts'
import { assert, PlatformError } from '../kernel/errors.ts'
import type { DurationMs } from '../kernel/time.ts'
import type { Alert } from '../ports/alert.ts'
import type { Log } from '../ports/log.ts'
import type { ReferenceSource } from '../ports/reference-source.ts'
import type { ViewPublisher } from '../ports/views.ts'
import { RULE_TABLE_PREFIX } from '../streams/pipeline.ts'
import { ReferenceTables } from '../streams/shared-feeds.ts'
import { TaskHost } from '../streams/task-host.ts'
import { alertMessage } from './alert-message.ts'
import { openAssignment, openLog } from './open-log.ts'
import { openReferenceSource } from './reference-source.ts'
import { reportingObserver } from './task-observer.ts'
import type { FromTaskThread, TaskThreadData, ToTaskThread } from './thread-protocol.ts'
import {
  ALERTS_TOPIC,
  allPipelines,
  checkReference,
  partitionsOf,
  pipelinesUnder,
  topicName,
} from './topics.ts'

const REPORT_INTERVAL_MS: DurationMs = 250
/** Alerts on their way to the alerts topic; beyond it they are told again later. */
const MAX_ALERTS_UNDER_WAY = 10_000

assert(parentPort !== null, 'tasks-worker.ts runs as a worker thread.')
await runTasks(parentPort, workerData as TaskThreadData)

async function runTasks(main: MessagePort, data: TaskThreadData): Promise<void> {
  const { settings, database: address, thread, threads } = data
  const clock = systemClock()
  const logger = createPinoLogger({
    level: settings.logLevel,
    bindings: { thread: `tasks-${thread}` },
  })
  const log = await openLog(settings, { clock, mode: 'write' })
  const database = connectDatabase({ address, maxConnections: 2 })
  const store = createCheckpointStore({ address, clock })
  const viewPort = createViewPublisherPort(data.viewPort)
  const references = new ReferenceTables(createReferenceStore(database))
  const observer = reportingObserver({
    logger,
    clock,
    topicOf: (name) => allPipelines.find((each) => each.name === name)?.topic.name ?? name,
  })
  const pipelines = pipelinesUnder(settings).map((pipeline) => ({
    pipeline,
    topic: topicName(settings, pipeline.topic.name),
  }))
  const topics = new Map(
    pipelines.map(({ pipeline, topic }) => [topic, partitionsOf(settings, pipeline.topic.name)]),
  )
  const host = new TaskHost({
    pipelines,
    assignment: await openAssignment({
      ...{ settings, database: address, topics, thread, threads },
      ...{ clock, logger },
    }),
    log,
    store,
    speedLayer: withAlertsTopic(viewPort, log, topicName(settings, ALERTS_TOPIC)),
    references,
    referenceSource: together(
      openReferenceSource(data),
      registeredTables(database, RULE_TABLE_PREFIX),
    ),
    checkReference,
    clock,
    observer,
    logger,
  })
  const stop = new AbortController()
  const say = (message: FromTaskThread): void => main.postMessage(message)
  main.on('message', (message: ToTaskThread) => {
    if (message.type === 'stop') stop.abort()
    else if (message.type === 'refresh') host.refreshReferences()
    else host.showAll()
  })
  const reports = report()
  await host.run(stop.signal)
  await reports
  await viewPort.flush()
  viewPort.close()
  data.viewPort.close()
  await store.close()
  await database.close()
  await log.close()
  say({ type: 'stopped' })
  main.close()

  async function report(): Promise<void> {
    while (!stop.signal.aborted) {
      await clock.sleep(REPORT_INTERVAL_MS, stop.signal)
      say({
        type: 'report',
        assigned: host.assigned,
        tasks: host.status(),
        referenceProblems: references.problems(),
        ruleFailures: allPipelines.flatMap(({ rules }) => rules?.takeFailures() ?? []),
        atMs: clock.nowMs(),
        ...observer.take(),
      })
    }
  }
}

function together(...sources: readonly ReferenceSource[]): ReferenceSource {
  return {
    async load() {
      const loaded = await Promise.all(sources.map((source) => source.load()))
      return {
        documents: loaded.flatMap(({ documents }) => documents),
        problems: loaded.flatMap(({ problems }) => problems),
      }
    },
  }
}

/** Alerts go to the live feed at once, and to their topic for whoever reads that. */
function withAlertsTopic(feed: ViewPublisher, log: Log, topic: string): ViewPublisher {
  let underWay = 0
  return {
    put: (entries) => feed.put(entries),
    async publishAlerts(alerts: readonly Alert[]) {
      await feed.publishAlerts(alerts)
      // One batch may be larger by itself, or it would never be told.
      if (underWay > 0 && underWay + alerts.length > MAX_ALERTS_UNDER_WAY) {
        throw new PlatformError('log-full', 'Too many alerts are on their way to their topic.', {
          retry: 'later',
        })
      }
      underWay += alerts.length
      try {
        await log.append(topic, alerts.map(alertMessage))
      } finally {
        underWay -= alerts.length
      }
    },
  }
}
