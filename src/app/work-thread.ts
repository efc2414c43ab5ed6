// The main thread's side of the thread for workflows: starts it, starts it again where it died, and stops it.

import { Worker } from 'node:worker_threads'
import { type DurationMs, SECOND_MS } from '../kernel/time.ts'
import type { Clock } from '../ports/clock.ts'
import type { Logger } from '../ports/logger.ts'
import { answerDeskCalls, type ToWorkThread, type WorkDesk } from './desk-calls.ts'
import type { DurableWork, WorkThreadData } from './durable-work.ts'

const RESTART_MS: DurationMs = SECOND_MS
/** Handing over what is under way may take this long at the end; then the thread is ended. */
const STOP_TIMEOUT_MS: DurationMs = 5 * SECOND_MS

export function startWorkThread({
  data,
  desk,
  clock,
  logger,
}: {
  readonly data: WorkThreadData
  /** Null where this process can't write the log: changes of appointments then wait for one that can. */
  readonly desk: WorkDesk | null
  readonly clock: Clock
  readonly logger: Logger
}): DurableWork {
  const stop = new AbortController()
  let worker: Worker | null = null
  const say = (message: ToWorkThread): void => worker?.postMessage(message)
  const ended = (async () => {
    while (!stop.signal.aborted) {
      const started = new Worker(new URL('./work-worker.ts', import.meta.url), {
        workerData: data,
        name: 'work',
      })
      worker = started
      answerDeskCalls(started, desk)
      await exitOf(started, logger)
      worker = null
      if (!stop.signal.aborted) await clock.sleep(RESTART_MS, stop.signal)
    }
  })()
  return {
    async stop() {
      stop.abort()
      say({ type: 'stop' })
      const gone = new AbortController()
      const late = clock.sleep(STOP_TIMEOUT_MS, gone.signal).then(async () => {
        if (gone.signal.aborted) return
        logger.warn('work-thread-ended')
        await worker?.terminate()
      })
      await ended
      gone.abort()
      await late
    },
  }
}

function exitOf(worker: Worker, logger: Logger): Promise<void> {
  worker.on('error', (error) => logger.error('work-thread-failed', error))
  return new Promise((resolve) => worker.once('exit', () => resolve()))
}
