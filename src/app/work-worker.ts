// A thread of its own for workflows and messages: DBOS lives once in a thread, and a mail server that is slow
// delays no page and no warning.

import { type MessagePort, parentPort, workerData } from 'node:worker_threads'
import { systemClock } from '../adapters/clock/system-clock.ts'
import { createPinoLogger } from '../adapters/logger/pino-logger.ts'
import { randomRunId } from '../adapters/random/system-random.ts'
import { assert } from '../kernel/errors.ts'
import type { ToWorkThread } from './desk-calls.ts'
import { remoteDesk } from './desk-calls.ts'
import { openDurableWork, type WorkThreadData } from './durable-work.ts'

assert(parentPort !== null, 'work-worker.ts runs as a worker thread.')
await runWork(parentPort, workerData)

async function runWork(main: MessagePort, data: WorkThreadData): Promise<void> {
  const logger = createPinoLogger({ level: data.settings.logLevel, bindings: { thread: 'work' } })
  const desk = remoteDesk(main)
  const work = await openDurableWork({
    ...data,
    desk,
    executorId: randomRunId(),
    clock: systemClock(),
    logger,
  })
  main.on('message', (message: ToWorkThread) => {
    if (message.type !== 'stop') return
    work
      .stop()
      .catch((error: unknown) => logger.error('work-not-stopped', error))
      // Workflows that sleep hold timers: the thread is ended rather than left to end.
      .finally(() => process.exit(0))
  })
}
