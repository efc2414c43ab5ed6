// Runs over history in threads of their own: one for a rule that is tried, several for a whole topic, whose
// partitions know nothing of each other.

import { availableParallelism } from 'node:os'
import { Worker } from 'node:worker_threads'
import type { DatabaseAddress } from '../adapters/postgres/address.ts'
import { PlatformError } from '../kernel/errors.ts'
import type { Database } from '../ports/database.ts'
import type { RuleDocument } from '../rules/rule-document.ts'
import type { HistoryMessage, HistoryWork } from './history-worker.ts'
import { type HistoryRun, type PartitionRange, partitionsOf } from './replay.ts'
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
  /** By our name, and as the log calls it. */
  readonly declared: string
  readonly topic: string
  readonly pipeline: string
  /** Rules to try; null for those in force. */
  readonly documents: readonly RuleDocument[] | null
}

/** All partitions of a topic, shared among as many threads as there are cores. */
export function topicInThreads(run: TopicRun): HistoryRun {
  return async (onAlert, onProgress) => {
    const partitions = await partitionsOf(run.database, run.pipeline)
    const ofEvents = partitions.reduce((sum, { toOffset }) => sum + toOffset, 0)
    const shares = sharesOf(partitions, Math.min(availableParallelism(), MAX_HISTORY_THREADS))
    const done = new Array<number>(shares.length).fill(0)
    const failed = new AbortController()
    const { settings, address, topic, declared, documents } = run
    const results = await Promise.all(
      shares.map((share, index) =>
        inHistoryThread(
          {
            settings,
            database: address,
            topic,
            work: { kind: 'run', declared, documents, partitions: share },
          },
          (events) => {
            done[index] = events
            onProgress(sum(done), ofEvents)
          },
          failed.signal,
        ),
      ),
    ).finally(() => failed.abort())
    let events = 0
    for (const result of results) {
      if (result.type !== 'ran') continue
      events += result.events
      for (const alert of result.alerts) onAlert(alert)
    }
    return events
  }
}

/** Longest first, each to the thread that has least. */
function sharesOf(
  partitions: readonly PartitionRange[],
  threads: number,
): readonly (readonly PartitionRange[])[] {
  const shares = Array.from({ length: threads }, () => ({
    events: 0,
    partitions: [] as PartitionRange[],
  }))
  for (const range of [...partitions].sort((a, b) => b.toOffset - a.toOffset)) {
    const least = shares.reduce((a, b) => (b.events < a.events ? b : a))
    least.events += range.toOffset
    least.partitions.push(range)
  }
  return shares.map((share) => share.partitions).filter((share) => share.length > 0)
}

function sum(numbers: readonly number[]): number {
  return numbers.reduce((total, each) => total + each, 0)
}
