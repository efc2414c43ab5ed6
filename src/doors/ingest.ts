// The way of every event from any door into the log: judged one by one, then appended together, and
// answered only once it is durable. What is refused goes to the dead letters before the answer.

import { setImmediate } from 'node:timers/promises'
import { failed, ok, type Result } from '../kernel/result.ts'
import type { EpochMs } from '../kernel/time.ts'
import type { Clock } from '../ports/clock.ts'
import type { Log, NewRecord } from '../ports/log.ts'
import { DEAD_LETTERS_TOPIC, encodeDeadLetter } from '../streams/dead-letters.ts'
import type { RejectCode, Rejection, StreamEvent, TopicDefinition } from '../streams/topic.ts'
import { readJson } from './strict-json.ts'

/** Longest key in UTF-16 units; a key is kept in memory by every task that meets it. */
export const MAX_KEY_LENGTH = 200
/** Events judged at a stretch before others get their turn on the event loop. */
export const JUDGED_AT_A_STRETCH = 200

export interface Delivery {
  readonly topic: string
  /** From the credential, never from the event. */
  readonly tenantId: string
  /** Which door it came through, as the dead letters name it: `http`, `import`, `mqtt` … */
  readonly door: string
  /** One event each, as it came. Kept until the append is done; not to be changed meanwhile. */
  readonly events: readonly Buffer[]
  /** `report` where they are dead letters already and need not become so again. Default `keep`. */
  readonly refused?: 'keep' | 'report'
}

export interface RejectedEvent {
  /** Place in the delivery, from 0. */
  readonly index: number
  readonly code: RejectCode
  readonly message: string
  /** JSON pointer to the offending value; empty for the whole event. */
  readonly path: string
}

export interface DeliveryOutcome {
  readonly accepted: number
  readonly rejected: readonly RejectedEvent[]
}

export interface IngestObservation {
  readonly topic: string
  readonly door: string
  readonly accepted: number
  readonly rejected: number
  readonly bytes: number
}

export interface IngestOptions {
  readonly log: Pick<Log, 'append'>
  /** The topics that doors may write to, by name. */
  readonly topics: ReadonlyMap<string, TopicDefinition<StreamEvent>>
  readonly clock: Clock
  /** Called after each delivery that was made durable, for metrics. */
  readonly observe?: (observation: IngestObservation) => void
}

export interface Ingest {
  readonly topics: ReadonlyMap<string, TopicDefinition<StreamEvent>>
  /** The key of a good event, or why it is refused. Pure, and bounded in time for any input. */
  judge(topic: TopicDefinition<StreamEvent>, event: Buffer): Result<string, Rejection>
  /**
   * Resolves once all good events and all dead letters are durable. Rejects as `Log.append` does; then
   * any part of the delivery may be in the log, and the sender should send all of it again.
   */
  accept(delivery: Delivery): Promise<DeliveryOutcome>
}

export function createIngest(options: IngestOptions): Ingest {
  const { log, topics, clock, observe } = options
  return { topics, judge, accept }

  async function accept(delivery: Delivery): Promise<DeliveryOutcome> {
    const receivedAtMs = clock.nowMs()
    const records: NewRecord[] = []
    const rejected: RejectedEvent[] = []
    const topic = topics.get(delivery.topic)
    for (let from = 0; from < delivery.events.length; from += JUDGED_AT_A_STRETCH) {
      if (from > 0) await setImmediate()
      judgeStretch(delivery, topic, from, receivedAtMs, records, rejected)
    }
    // Dead letters first: where the second append fails the sender sends all again, and then a dead
    // letter that is there twice does less harm than an event.
    if (rejected.length > 0 && delivery.refused !== 'report') {
      await log.append(DEAD_LETTERS_TOPIC, deadLetterRecords(delivery, rejected, receivedAtMs))
    }
    if (records.length > 0) await log.append(delivery.topic, records)
    observe?.({
      topic: delivery.topic,
      door: delivery.door,
      accepted: records.length,
      rejected: rejected.length,
      bytes: records.reduce((sum, record) => sum + record.value.length, 0),
    })
    return { accepted: records.length, rejected }
  }
}

function judgeStretch(
  delivery: Delivery,
  topic: TopicDefinition<StreamEvent> | undefined,
  from: number,
  receivedAtMs: EpochMs,
  records: NewRecord[],
  rejected: RejectedEvent[],
): void {
  const { events, tenantId } = delivery
  const to = Math.min(events.length, from + JUDGED_AT_A_STRETCH)
  for (let index = from; index < to; index++) {
    const value = events[index]
    if (value === undefined) continue
    const verdict = topic === undefined ? unknownTopic(delivery.topic) : judge(topic, value)
    if (verdict.ok) {
      records.push({ key: verdict.value, value, receivedAtMs, tenantId })
    } else {
      const { code, message, path } = verdict.error
      rejected.push({ index, code, message, path })
    }
  }
}

function judge(topic: TopicDefinition<StreamEvent>, event: Buffer): Result<string, Rejection> {
  const json = readJson(event)
  if (!json.ok) return json
  const parsed = topic.parse(json.value)
  if (!parsed.ok) return parsed
  const key = topic.keyOf(parsed.value)
  if (key.length === 0 || key.length > MAX_KEY_LENGTH) {
    return failed({
      code: 'bad-value',
      message: `The key must have 1 to ${MAX_KEY_LENGTH} characters; this one has ${key.length}.`,
      path: '',
    })
  }
  return ok(key)
}

function unknownTopic(topic: string): { readonly ok: false; readonly error: Rejection } {
  const named = topic.slice(0, MAX_KEY_LENGTH)
  return failed({ code: 'unknown-topic', message: `There is no topic "${named}".`, path: '' })
}

function deadLetterRecords(
  delivery: Delivery,
  rejected: readonly RejectedEvent[],
  receivedAtMs: EpochMs,
): NewRecord[] {
  const { tenantId, door } = delivery
  const topic = delivery.topic.slice(0, MAX_KEY_LENGTH)
  return rejected.map(({ index, code, message, path }) => ({
    key: topic,
    value: encodeDeadLetter({
      topic,
      tenantId,
      door,
      receivedAtMs,
      reason: { code, message, path },
      bytes: delivery.events[index] ?? Buffer.alloc(0),
    }),
    receivedAtMs,
    tenantId,
  }))
}
