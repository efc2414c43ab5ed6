// The main thread's side of the task threads: starts them, hears their reports, starts one again that
// died, and stops them in order.

import { MessageChannel, Worker } from 'node:worker_threads'
import type { DatabaseAddress } from '../adapters/postgres/address.ts'
import { receiveViewMessages } from '../adapters/views/view-publisher-port.ts'
import { type DurationMs, SECOND_MS } from '../kernel/time.ts'
import type { Clock } from '../ports/clock.ts'
import type { Logger } from '../ports/logger.ts'
import type { ViewPublisher } from '../ports/views.ts'
import type { TaskStatus } from '../streams/task-runner.ts'
import type { Settings } from './settings.ts'
import type { FromTaskThread, TaskReport, TaskThreadData, ToTaskThread } from './thread-protocol.ts'

const RESTART_MS: DurationMs = SECOND_MS
/** Committing what was processed may take this long at the end; then the thread is ended. */
const STOP_TIMEOUT_MS: DurationMs = 7 * SECOND_MS
/** A thread that reported nothing for so long is not ready. */
export const REPORT_STALE_MS: DurationMs = 5 * SECOND_MS

export interface TaskThreadsOptions {
  readonly threads: number
  readonly settings: Settings
  /** Simulated fleets run in this program. */
  readonly simulated: boolean
  readonly database: DatabaseAddress
  readonly views: ViewPublisher
  readonly clock: Clock
  readonly logger: Logger
  readonly onReport: (report: TaskReport) => void
}

export interface TaskThreads {
  tasks(): readonly TaskStatus[]
  referenceProblems(): TaskReport['referenceProblems']
  /** Why the tasks are not ready; null where they are. */
  notReady(): string | null
  /** Has every task put all its keys into the views again. */
  showAll(): void
  /** Reference tables have changed: tasks take them over without waiting for their next look. */
  refresh(): void
  stop(): Promise<void>
}

export function startTaskThreads(options: TaskThreadsOptions): TaskThreads {
  const stopping = new AbortController()
  const threads = Array.from({ length: options.threads }, (_, index) =>
    keepThreadRunning(index, options, stopping.signal),
  )
  return {
    tasks: () => threads.flatMap(({ last }) => last()?.tasks ?? []),
    referenceProblems: () => threads[0]?.last()?.referenceProblems ?? [],
    notReady() {
      const nowMs = options.clock.nowMs()
      for (const { last } of threads) {
        const report = last()
        if (report === null || nowMs - report.atMs > REPORT_STALE_MS) return 'tasks do not report'
        if (!report.assigned) return 'tasks wait to be assigned partitions'
        const waiting = report.tasks.filter((task) => !task.ready).length
        if (waiting > 0) return `${waiting} tasks are being restored`
      }
      return null
    },
    showAll() {
      for (const { say } of threads) say({ type: 'show-all' })
    },
    refresh() {
      for (const { say } of threads) say({ type: 'refresh' })
    },
    async stop() {
      stopping.abort()
      await Promise.all(threads.map(({ ended }) => ended))
    },
  }
}

interface KeptThread {
  last(): TaskReport | null
  /** To the thread that runs at the moment, if one does. */
  say(message: ToTaskThread): void
  readonly ended: Promise<void>
}

function keepThreadRunning(
  index: number,
  options: TaskThreadsOptions,
  signal: AbortSignal,
): KeptThread {
  let last: TaskReport | null = null
  let worker: Worker | null = null
  const ended = (async () => {
    while (!signal.aborted) {
      await runThread(index, options, signal, {
        onStart(started) {
          worker = started
        },
        onReport(report) {
          last = report
          options.onReport(report)
        },
      })
      last = null
      worker = null
      if (!signal.aborted) await options.clock.sleep(RESTART_MS, signal)
    }
  })()
  return { last: () => last, say: (message) => worker?.postMessage(message), ended }
}

/** Resolves once the thread is gone, whatever the reason. */
async function runThread(
  index: number,
  options: TaskThreadsOptions,
  signal: AbortSignal,
  on: {
    readonly onStart: (worker: Worker) => void
    readonly onReport: (report: TaskReport) => void
  },
): Promise<void> {
  const { settings, simulated, database, views, clock, logger, threads } = options
  const { port1, port2 } = new MessageChannel()
  const data: TaskThreadData = {
    thread: index,
    threads,
    settings,
    simulated,
    database,
    viewPort: port2,
  }
  const worker = new Worker(new URL('./tasks-worker.ts', import.meta.url), {
    workerData: data,
    transferList: [port2],
    name: `tasks-${index}`,
  })
  const endViews = receiveViewMessages(port1, views, (error) => logger.error('views-failed', error))
  on.onStart(worker)
  const say = (message: ToTaskThread): void => worker.postMessage(message)
  worker.on('message', (message: FromTaskThread) => {
    if (message.type === 'report') on.onReport(message)
  })
  worker.on('error', (error) => logger.error('task-thread-failed', error, { thread: index }))
  const gone = new AbortController()
  const exited = new Promise<void>((resolve) =>
    worker.once('exit', () => {
      gone.abort()
      resolve()
    }),
  )
  const onStop = (): void => {
    say({ type: 'stop' })
    void clock.sleep(STOP_TIMEOUT_MS, gone.signal).then(() => {
      if (!gone.signal.aborted) logger.warn('task-thread-ended', { thread: index })
      return gone.signal.aborted ? undefined : worker.terminate()
    })
  }
  if (signal.aborted) onStop()
  else signal.addEventListener('abort', onStop, { once: true })
  await exited
  signal.removeEventListener('abort', onStop)
  endViews()
  port1.close()
}
