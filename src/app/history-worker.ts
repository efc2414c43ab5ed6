// A thread of its own for what runs long over history: replays of rules that are tried, and explanations.

import { type MessagePort, parentPort } from 'node:worker_threads'
import { systemClock } from '../adapters/clock/system-clock.ts'
import type { DatabaseAddress } from '../adapters/postgres/address.ts'
import { createCheckpointStore } from '../adapters/postgres/checkpoint-store.ts'
import { connectDatabase } from '../adapters/postgres/database.ts'
import { createReferenceStore } from '../adapters/postgres/reference-store.ts'
import { assert } from '../kernel/errors.ts'
import type { EpochMs } from '../kernel/time.ts'
import type { Alert } from '../ports/alert.ts'
import type { RuleDocument } from '../rules/rule-document.ts'
import type { AnyPipeline } from '../streams/pipeline.ts'
import { type ExplainRequest, type Explanation, explain } from './explain.ts'
import { openLog } from './open-log.ts'
import {
  type PartitionRange,
  partitionsInTurn,
  partitionsOf,
  partitionsOfEntity,
  type ReplayReport,
  replay,
} from './replay.ts'
import { historyPipeline } from './rule-trial.ts'
import type { Settings } from './settings.ts'

export interface HistoryWork {
  readonly settings: Settings
  readonly database: DatabaseAddress
  /** Topic as the log calls it. */
  readonly topic: string
  readonly work:
    | {
        readonly kind: 'replay'
        readonly document: RuleDocument
        readonly tenantId: string
        readonly fromMs: EpochMs
        readonly toMs: EpochMs
      }
    | ({ readonly kind: 'explain' } & ExplainRequest)
    | {
        readonly kind: 'run'
        /** Topic by our name. */
        readonly declared: string
        /** Rules to try; null for those in force. */
        readonly documents: readonly RuleDocument[] | null
        readonly partitions: readonly PartitionRange[]
        /** How many of them threads have taken, each for itself. */
        readonly taken: Int32Array
      }
}

export type HistoryMessage =
  | { readonly type: 'progress'; readonly events: number; readonly ofEvents: number }
  | { readonly type: 'replayed'; readonly report: ReplayReport }
  | { readonly type: 'ran'; readonly events: number; readonly alerts: readonly Alert[] }
  | { readonly type: 'explained'; readonly explanation: Explanation | undefined }

/** Progress is told in steps of so many events. */
const PROGRESS_EVENTS = 20_000

assert(parentPort !== null, 'history-worker.ts runs as a worker thread.')
const main = parentPort
let before: Promise<void> = Promise.resolve()
// One piece of work after the other; null ends the thread.
main.on('message', (work: HistoryWork | null) => {
  before = before.then(() => (work === null ? main.close() : run(main, work)))
})

async function run(
  main: MessagePort,
  { settings, database: address, topic, work }: HistoryWork,
): Promise<void> {
  const say = (message: HistoryMessage): void => main.postMessage(message)
  const database = connectDatabase({ address, maxConnections: 2 })
  const store = createCheckpointStore({ address })
  const log = await openLog(settings, { clock: systemClock(), mode: 'read' })
  let told = 0
  const options = {
    topic,
    database,
    store,
    log,
    references: createReferenceStore(database),
    progress(events: number, ofEvents: number) {
      if (events - told < PROGRESS_EVENTS && events < ofEvents) return
      told = events
      say({ type: 'progress', events, ofEvents })
    },
  }
  try {
    if (work.kind === 'explain') {
      const partitions = (pipeline: AnyPipeline) =>
        partitionsOfEntity(database, pipeline, work.entityId)
      say({ type: 'explained', explanation: await explain({ ...options, partitions }, work) })
      return
    }
    if (work.kind === 'run') {
      const { declared, documents, partitions, taken } = work
      const pipeline = await historyPipeline(database, declared, documents)
      const alerts = new Map<string, Alert>()
      const run = partitionsInTurn({ ...options, pipeline, partitions, taken })
      const events = await run((alert) => alerts.set(alert.id, alert), options.progress)
      say({ type: 'ran', events, alerts: [...alerts.values()] })
      return
    }
    const { document, tenantId, fromMs, toMs } = work
    const pipeline = await historyPipeline(database, document.topic, [document])
    const rules = [document.name]
    const partitions = await partitionsOf(database, pipeline.name)
    const run = partitionsInTurn({ ...options, pipeline, partitions })
    const report = await replay({ ...options, run, rules, tenantId, fromMs, toMs })
    say({ type: 'replayed', report })
  } finally {
    await log.close()
    await store.close()
    await database.close()
  }
}
