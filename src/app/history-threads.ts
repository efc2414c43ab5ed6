// Runs over history in threads of their own: one for a rule that is tried, several for a whole topic, whose
// partitions know nothing of each other.

import { availableParallelism } from 'node:os'
import { Worker } from 'node:worker_threads'
import type { DatabaseAddress } from '../adapters/postgres/address.ts'
import { PlatformError } from '../kernel/errors.ts'
import type { CheckpointStore } from '../ports/checkpoint-store.ts'
import type { Database } from '../ports/database.ts'
import type { Log } from '../ports/log.ts'
import type { ReferenceStore } from '../ports/reference-source.ts'
import type { RuleDocument } from '../rules/rule-document.ts'
import type { HistoryMessage, HistoryWork } from './history-worker.ts'
import { type HistoryRun, partitionsInTurn, partitionsOf } from './replay.ts'
import { historyPipeline } from './rule-trial.ts'
import type { Settings } from './settings.ts'

/** Each has two connections and the state of its partitions in memory. */
const MAX_HISTORY_THREADS = 8

/** A thread that has loaded the program, or does so, and runs pieces of work one after the other. */
export interface HistoryThread {
  /** Rejects with `server-failed` where the thread ends before it has a result. */
  run(
    work: HistoryWork,
    onProgress: (events: number, ofEvents: number) => void,
    signal: AbortSignal,
  ): Promise<HistoryMessage>
  /** Once there is no more work for it. What it is at is given up. */
  end(): void
}

export function startHistoryThread(): HistoryThread {
  const worker = new Worker(new URL('./history-worker.ts', import.meta.url), { name: 'history' })
  // One that is idle after work may still be closing what it opened, and ends by itself.
  let isIdle = false
  const end = (): void => {
    if (isIdle) worker.postMessage(null)
    else void worker.terminate()
  }
  // It may fail before anybody waits for it; whoever gives it work hears of it then.
  let failure: unknown
  worker.once('error', (error) => {
    failure = error
  })
  return {
    run(work, onProgress, signal) {
      isIdle = false
      signal.addEventListener('abort', end, { once: true })
      let forget = (): void => undefined
      return new Promise<HistoryMessage>((resolve, reject) => {
        const fail = (): void => {
          const error = `The run over ${work.topic} ended before it had a result.`
          reject(failure ?? new PlatformError('server-failed', error, { retry: 'later' }))
        }
        const hear = (message: HistoryMessage): void => {
          if (message.type === 'progress') onProgress(message.events, message.ofEvents)
          else {
            isIdle = true
            resolve(message)
          }
        }
        worker.on('message', hear).once('exit', fail)
        forget = () => void worker.off('message', hear).off('exit', fail)
        if (worker.threadId === -1) fail()
        else worker.postMessage(work)
      }).finally(() => {
        forget()
        signal.removeEventListener('abort', end)
      })
    },
    end,
  }
}

/** As many as a run over a topic can use beside the thread of the command; they load while the database starts. */
export async function withHistoryThreads<T>(
  work: (threads: readonly HistoryThread[]) => Promise<T>,
): Promise<T> {
  const count = Math.min(availableParallelism(), MAX_HISTORY_THREADS) - 1
  const threads = Array.from({ length: count }, startHistoryThread)
  try {
    return await work(threads)
  } finally {
    for (const thread of threads) thread.end()
  }
}

export interface TopicRun {
  readonly settings: Settings
  readonly address: DatabaseAddress
  readonly database: Database
  readonly store: CheckpointStore
  readonly references: ReferenceStore
  readonly log: Log
  /** By our name, and as the log calls it. */
  readonly declared: string
  readonly topic: string
  readonly pipeline: string
  /** Rules to try; null for those in force. */
  readonly documents: readonly RuleDocument[] | null
  readonly threads: readonly HistoryThread[]
}

/**
 * All partitions of a topic, by this thread and those given, each taking the next one when it is done with one.
 * For commands: in the running program this thread has other things to do.
 */
export function topicInThreads(run: TopicRun): HistoryRun {
  return async (onAlert, onProgress) => {
    const found = await partitionsOf(run.database, run.pipeline)
    const partitions = [...found].sort((a, b) => b.toOffset - a.toOffset)
    const ofEvents = partitions.reduce((sum, { toOffset }) => sum + toOffset, 0)
    const taken = new Int32Array(new SharedArrayBuffer(Int32Array.BYTES_PER_ELEMENT))
    const done = new Array<number>(run.threads.length + 1).fill(0)
    const noteProgress = (thread: number, events: number): void => {
      done[thread] = events
      onProgress(
        done.reduce((sum, each) => sum + each, 0),
        ofEvents,
      )
    }
    // Whoever fails, nobody begins another partition.
    const failed = new AbortController()
    const { settings, address, topic, declared, documents } = run
    const others = run.threads.map((thread, index) =>
      thread.run(
        {
          ...{ settings, database: address, topic },
          work: { kind: 'run', declared, documents, partitions, taken },
        },
        (events) => noteProgress(index + 1, events),
        failed.signal,
      ),
    )
    const here = async (): Promise<number> => {
      const pipeline = await historyPipeline(run.database, declared, documents)
      const inTurn = partitionsInTurn({ ...run, pipeline, partitions, taken })
      return inTurn(onAlert, (each) => noteProgress(0, each))
    }
    const [events, ...results] = await Promise.all([here(), ...others]).finally(() => {
      Atomics.store(taken, 0, partitions.length)
      failed.abort()
    })
    return results.reduce((sum, result) => {
      if (result.type !== 'ran') return sum
      for (const alert of result.alerts) onAlert(alert)
      return sum + result.events
    }, events)
  }
}
