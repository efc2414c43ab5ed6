// Gathers what tasks report until the thread sends it on; logs what an operator should know.

import type { Clock } from '../ports/clock.ts'
import type { Logger } from '../ports/logger.ts'
import { type BatchCounts, noCounts } from '../streams/batch.ts'
import type { TaskObserver } from '../streams/task-runner.ts'
import type { TaskReport } from './thread-protocol.ts'

/** Figures kept for one report; further ones of the same interval are left out of the histograms. */
const MAX_SAMPLES = 5_000

export interface ReportingObserver extends TaskObserver {
  /** Takes what was gathered since the call before. */
  take(): Pick<TaskReport, 'counts' | 'batchEvents' | 'checkpointMs'>
}

export function reportingObserver(options: {
  readonly logger: Logger
  readonly clock: Clock
  /** Topic of a pipeline, by name. */
  readonly topicOf: (pipeline: string) => string
}): ReportingObserver {
  const { logger, topicOf } = options
  let counts = new Map<string, BatchCounts>()
  let batchEvents: number[] = []
  let checkpointMs: number[] = []
  let databaseAway = false
  const name = (task: { readonly pipeline: string; readonly partition: number }): string =>
    `${task.pipeline}/${task.partition}`
  return {
    taskStarted: (task, facts) => logger.debug('task-started', { task: name(task), ...facts }),
    taskFenced: (task) => logger.warn('task-lost-partition', { task: name(task) }),
    batchProcessed(task, output) {
      const topic = topicOf(task.pipeline)
      const sum = counts.get(topic) ?? noCounts()
      counts.set(topic, addCounts(sum, output.counts))
      if (batchEvents.length < MAX_SAMPLES) batchEvents.push(output.counts.events)
    },
    publishFailed: (task, error) => logger.error('publish-failed', error, { task: name(task) }),
    committed(_checkpoint, elapsedMs) {
      if (databaseAway) logger.info('database-back')
      databaseAway = false
      if (checkpointMs.length < MAX_SAMPLES) checkpointMs.push(elapsedMs)
    },
    snapshotSaved: (snapshot, elapsedMs) =>
      logger.debug('snapshot-saved', {
        task: name(snapshot.task),
        keys: snapshot.entries.length,
        offset: snapshot.offset,
        elapsedMs: Math.round(elapsedMs),
      }),
    commitRetried(task, error) {
      if (!databaseAway) logger.error('database-away', error, { task: name(task) })
      databaseAway = true
    },
    take() {
      const taken = {
        counts: [...counts].map(([topic, sum]) => ({ topic, counts: sum })),
        batchEvents,
        checkpointMs,
      }
      counts = new Map()
      batchEvents = []
      checkpointMs = []
      return taken
    },
  }
}

function addCounts(a: Readonly<BatchCounts>, b: Readonly<BatchCounts>): BatchCounts {
  return {
    events: a.events + b.events,
    duplicates: a.duplicates + b.duplicates,
    late: a.late + b.late,
    future: a.future + b.future,
    rejected: a.rejected + b.rejected,
    unwindowed: a.unwindowed + b.unwindowed,
    reordered: a.reordered + b.reordered,
  }
}
