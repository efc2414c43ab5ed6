// Everything that workflows stand on, opened and closed together: the outbox, the engine, the messages and their
// transports.

import { startDbosEngine } from '../adapters/dbos/dbos-engine.ts'
import type { DatabaseAddress } from '../adapters/postgres/address.ts'
import { createAlertReader } from '../adapters/postgres/alert-reader.ts'
import { createAnswerStore } from '../adapters/postgres/answer-store.ts'
import { createArrivalReader } from '../adapters/postgres/arrival-reader.ts'
import { createChannelStore } from '../adapters/postgres/channel-store.ts'
import { createPool, databaseOf } from '../adapters/postgres/database.ts'
import { createMessageStore } from '../adapters/postgres/message-store.ts'
import { OutboxEar } from '../adapters/postgres/outbox-ear.ts'
import { createOutbox } from '../adapters/postgres/outbox-store.ts'
import { joinBegin, prepareStatements } from '../adapters/postgres/prepared-statements.ts'
import { newSecret } from '../adapters/random/system-random.ts'
import { tokenHash } from '../api/access.ts'
import { type DurationMs, SECOND_MS } from '../kernel/time.ts'
import type { Clock } from '../ports/clock.ts'
import type { Logger } from '../ports/logger.ts'
import { customerWorkflows } from '../workflows/customers/milestone-workflow.ts'
import { excursionWorkflow } from '../workflows/excursion/excursion.ts'
import { lateArrivalWorkflow } from '../workflows/late-arrival/late-arrival.ts'
import type { ChannelBook } from '../workflows/messages/channel-book.ts'
import { RETRY_POLICIES } from '../workflows/messages/delivery.ts'
import { messageWorkflows } from '../workflows/messages/message-workflows.ts'
import { startWork } from '../workflows/work.ts'
import { channelBook } from './channels-file.ts'
import type { WorkDesk } from './desk-calls.ts'
import { messageTemplates } from './message-templates.ts'
import { openTransports } from './message-transports.ts'
import type { Settings } from './settings.ts'

const RELOAD_MS: DurationMs = 2 * SECOND_MS
/** For what steps do, which is permanent before anybody is told. */
const MAX_CONNECTIONS = 4
/** For the engine's own notes and its ear for signals. */
const MAX_ENGINE_CONNECTIONS = 6

/** Plain data, handed to the thread as it is. */
export interface WorkThreadData {
  readonly settings: Pick<
    Settings,
    'dataDir' | 'logLevel' | 'mailFrom' | 'port' | 'publicUrl' | 'smtpUrl'
  >
  readonly database: DatabaseAddress
}

export interface DurableWorkOptions extends WorkThreadData {
  readonly desk: WorkDesk
  /** Names this run of the program; never used again by another. */
  readonly executorId: string
  /** How often and how far apart each kind of channel is tried; the program's own where it is not given. */
  readonly policies?: typeof RETRY_POLICIES
  readonly clock: Clock
  readonly logger: Logger
}

export interface DurableWork {
  stop(): Promise<void>
}

export async function openDurableWork(options: DurableWorkOptions): Promise<DurableWork> {
  const { settings, database, executorId, clock, logger } = options
  const pool = createPool({
    address: database,
    maxConnections: MAX_CONNECTIONS,
    isPipelined: true,
  })
  // What the engine notes is permanent with the next thing a step commits, and before anything leaves: the server
  // loses no commit without losing all later ones. A step whose note is lost is done again, as after any crash.
  const enginePool = createPool({
    address: database,
    maxConnections: MAX_ENGINE_CONNECTIONS,
    isRepeatable: true,
    isPipelined: true,
  })
  prepareStatements(pool)
  prepareStatements(enginePool)
  joinBegin(enginePool)
  const ear = new OutboxEar({ address: database, clock })
  const outbox = createOutbox({ pool, notePool: enginePool, ear })
  const store = createChannelStore(databaseOf(pool))
  const channels = channelBook(settings.dataDir, store, logger)
  await channels.reload()
  const transport = openTransports({ settings, clock, channels: () => channels.table })
  const common = {
    store: createMessageStore(pool),
    alerts: createAlertReader(pool),
    templates: messageTemplates,
    transport,
    clock,
    channels: () => channels.table,
    nowMs: () => clock.nowMs(),
    publicUrl: settings.publicUrl ?? `http://localhost:${settings.port}`,
    policies: options.policies ?? RETRY_POLICIES,
  }
  const workflows = [
    ...messageWorkflows(common),
    lateArrivalWorkflow({
      ...common,
      arrivals: createArrivalReader(pool),
      answers: createAnswerStore(pool),
      desk: options.desk,
    }),
    excursionWorkflow(common),
    ...customerWorkflows({
      ...common,
      database: databaseOf(pool),
      newSecret,
      hashOf: tokenHash,
    }),
  ]
  const engine = await startDbosEngine({
    pool: enginePool,
    executorId,
    clock,
    logger,
    onEnd: (id, end) => outbox.ended(id, end),
    workflows,
  })
  const work = startWork({ executorId, outbox, engine, workflows, clock, logger })
  const stop = new AbortController()
  const reloading = reload(channels, clock, stop.signal)
  return {
    async stop() {
      stop.abort()
      await reloading
      await work.stop()
      await engine.stop()
      await transport.close()
      await ear.close()
      await enginePool.end()
      await pool.end()
    },
  }
}

async function reload(channels: ChannelBook, clock: Clock, stop: AbortSignal): Promise<void> {
  while (!stop.aborted) {
    await clock.sleep(RELOAD_MS, stop)
    if (!stop.aborted) await channels.reload()
  }
}
