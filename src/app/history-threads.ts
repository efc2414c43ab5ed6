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

/** Rejects with `server-failed` where the thread ends before it has a result. */
export function inHistoryThread(
  work: HistoryWork,
  onProgress: (events: number, ofEvents: number) => void,
  signal: AbortSignal,
): Promise<HistoryMessage> {
  const worker = new Worker(new URL('./history-worker.ts', import.meta.url), {
    workerData: work,
    name: 'history',
  })
  const stop = (): void => void worker.terminate()
  signal.addEventListener('abort', stop, { once: true })
  return new Promise<HistoryMessage>((resolve, reject) => {
    worker.on('message', (message: HistoryMessage) => {
      if (message.type === 'progress') onProgress(message.events, message.ofEvents)
      else resolve(message)
    })
    worker.once('error', reject)
    worker.once('exit', () => {
      const error = `The run over ${work.topic} ended before it had a result.`
      reject(new PlatformError('server-failed', error, { retry: 'later' }))
    })
  }).finally(() => signal.removeEventListener('abort', stop))
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
}

/**
 * All partitions of a topic, by this thread and as many more as there are further cores, each taking the next
 * one when it is done with one. For commands: in the running program this thread has other things to do.
 */
export function topicInThreads(run: TopicRun): HistoryRun {
  return async (onAlert, onProgress) => {
    const found = await partitionsOf(run.database, run.pipeline)
    const partitions = [...found].sort((a, b) => b.toOffset - a.toOffset)
    const ofEvents = partitions.reduce((sum, { toOffset }) => sum + toOffset, 0)
    const threads = Math.min(availableParallelism(), MAX_HISTORY_THREADS, partitions.length)
    const taken = new Int32Array(new SharedArrayBuffer(Int32Array.BYTES_PER_ELEMENT))
    const done = new Array<number>(threads).fill(0)
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
    const others = Array.from({ length: threads - 1 }, (_, index) =>
      inHistoryThread(
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
