// Appends batches to a log as they are, as a producer that knows Kafka and nothing of us: what is wrong with an event
// is found where it is read.

import { isRetryable } from '../../kernel/errors.ts'
import { DEFAULT_TENANT } from '../../kernel/tenants.ts'
import { type DurationMs, SECOND_MS } from '../../kernel/time.ts'
import type { Clock } from '../../ports/clock.ts'
import type { Log } from '../../ports/log.ts'
import type { Send } from './run-simulation.ts'

const FIRST_WAIT_MS: DurationMs = 250
const LONGEST_WAIT_MS: DurationMs = 10 * SECOND_MS

export interface LogSenderOptions {
  readonly log: Pick<Log, 'append' | 'ensureTopic'>
  /** How the log calls a topic of ours, and the partitions that one gets which is not there yet. */
  readonly topicOf: (topic: string) => { readonly name: string; readonly partitions: number }
  readonly clock: Clock
  readonly signal: AbortSignal
  /** Told what keeps a batch from being taken, each time it is put off. */
  readonly onDelay?: (message: string) => void
}

/**
 * Tries again until a batch is taken; one that was taken though nobody said so is there twice. Rejects on what trying
 * again can't mend, and once the signal has come.
 */
export function logSender(options: LogSenderOptions): Send {
  const { log, clock, signal, topicOf, onDelay } = options
  const ready = new Set<string>()
  return async (topic, ndjsonBatch, count, keys) => {
    const { name, partitions } = topicOf(topic)
    const receivedAtMs = clock.nowMs()
    const records = ndjsonBatch
      .trimEnd()
      .split('\n')
      .map((line, index) => ({
        key: keys[index] ?? '',
        value: Buffer.from(line),
        receivedAtMs,
        tenantId: DEFAULT_TENANT,
      }))
    for (let waitMs = FIRST_WAIT_MS; ; waitMs = Math.min(LONGEST_WAIT_MS, 2 * waitMs)) {
      try {
        if (!ready.has(name)) await log.ensureTopic(name, { partitions })
        ready.add(name)
        await log.append(name, records)
        return { accepted: count, rejected: 0 }
      } catch (error) {
        if (!isRetryable(error) || signal.aborted) throw error
        onDelay?.(error instanceof Error ? error.message : String(error))
      }
      await clock.sleep(waitMs, signal)
    }
  }
}
