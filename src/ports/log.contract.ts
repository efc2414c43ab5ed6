// What every log promises, as one suite that each adapter's own test runs against its real engine.

import { deepEqual, equal, ok, rejects } from 'node:assert/strict'
import { describe, test } from 'node:test'
import { array, assert, asyncProperty, constantFrom, nat, record, uint8Array } from 'fast-check'
import type { PlatformErrorCode } from '../kernel/errors.ts'
import { partitionOf } from '../kernel/partitioner.ts'
import { type Log, type LogRecord, type NewRecord, type ReadLimit, ReadMemory } from './log.ts'

/** Gives one more handle on the same log; the suite closes it. */
export type OpenLog = () => Promise<Log>

const PARTITIONS = 4
const NO_LIMIT: ReadLimit = { records: 1_000_000, bytes: 1_000_000_000 }
/** Long enough that only a lost wake-up lasts so long. */
const LONG_MS = 20_000
/** Arrival times in the suite count from here. */
const START_MS = 1_700_000_000_000

const never = (): AbortSignal => new AbortController().signal

let topicsUsed = 0
const newTopicName = (): string => `contract-${process.pid}-${topicsUsed++}`

function event(key: string, text: string, receivedAtMs = START_MS): NewRecord {
  return { key, value: Buffer.from(text), receivedAtMs, tenantId: 'default' }
}

function numbered(count: number, keyOf: (number: number) => string): readonly NewRecord[] {
  return Array.from({ length: count }, (_, number) => event(keyOf(number), String(number)))
}

const textOf = ({ value }: NewRecord): string => Buffer.from(value).toString()
const textsOf = (records: readonly NewRecord[]): readonly string[] => records.map(textOf)
const rejectsWith = (promise: Promise<unknown>, code: PlatformErrorCode): Promise<void> =>
  rejects(promise, { name: 'PlatformError', code })

/** Everything from `fromOffset` on, in as many reads as the limit asks for. */
async function readAll(
  log: Log,
  place: { readonly topic: string; readonly partition: number },
  fromOffset = 0,
  limit = NO_LIMIT,
): Promise<readonly LogRecord[]> {
  const { topic, partition } = place
  const { endOffset } = await log.bounds(topic, partition)
  const records: LogRecord[] = []
  for (let next = fromOffset; next < endOffset; ) {
    const batch = await log.read(topic, partition, next, limit)
    for (const read of batch.records)
      ok(read.offset >= next, 'no record below the offset asked for')
    records.push(...batch.records)
    next = batch.nextOffset
  }
  return records
}

async function readTopic(log: Log, topic: string): Promise<readonly LogRecord[]> {
  const partitions = Array.from({ length: PARTITIONS }, (_, partition) =>
    readAll(log, { topic, partition }),
  )
  return (await Promise.all(partitions)).flat()
}

export interface LogTraits {
  /** Who drops old records: the log when it is told to, or a server by settings of its own. */
  readonly retention: 'when-told' | 'by-the-server'
}

/** Registers the suite. Each test uses topics of its own, so that all may share one engine. */
export function logContract(
  name: string,
  open: OpenLog,
  traits: LogTraits = { retention: 'when-told' },
): void {
  /** Runs with `handles` handles and a topic; one partition where order over all keys matters. */
  async function withLog(
    partitions: number,
    work: (log: Log, topic: string, second: Log) => Promise<void>,
  ): Promise<void> {
    const log = await open()
    const second = await open()
    const topic = newTopicName()
    try {
      await log.ensureTopic(topic, { partitions })
      await work(log, topic, second)
    } finally {
      await second.close()
      await log.close()
    }
  }

  describe(`${name}: topics`, () => {
    test('a topic is listed with its partitions, and making it again changes nothing', () =>
      withLog(3, async (log, topic, second) => {
        await second.ensureTopic(topic, { partitions: 3 })
        await log.ensureTopic(topic, { partitions: 2 })
        const found = (await second.topics()).filter((entry) => entry.topic === topic)
        deepEqual(found, [{ topic, partitions: 3 }])
      }))

    test('asking for more partitions than a topic has is refused', () =>
      withLog(3, (log, topic) =>
        rejectsWith(log.ensureTopic(topic, { partitions: 4 }), 'bad-setting'),
      ))

    test('a topic without partitions or with a name that is none is refused', () =>
      withLog(1, async (log, topic) => {
        await rejectsWith(log.ensureTopic(`${topic}-none`, { partitions: 0 }), 'bad-setting')
        await rejectsWith(log.ensureTopic('not a name', { partitions: 1 }), 'bad-setting')
      }))

    test('several handles that make one topic at once agree on it', () =>
      withLog(1, async (log, topic, second) => {
        const name = `${topic}-shared`
        await Promise.all(
          [log, second, log, second].map((handle) => handle.ensureTopic(name, { partitions: 2 })),
        )
        await log.append(name, [event('a', '1')])
        await second.append(name, [event('a', '2')])
        deepEqual(textsOf(await readAll(log, { topic: name, partition: partitionOf('a', 2) })), [
          '1',
          '2',
        ])
      }))

    test('a topic or partition that does not exist is not found', () =>
      withLog(2, async (log, topic) => {
        const missing = `${topic}-missing`
        await rejectsWith(log.append(missing, [event('a', '1')]), 'not-found')
        await rejectsWith(log.read(missing, 0, 0, NO_LIMIT), 'not-found')
        await rejectsWith(log.read(topic, 2, 0, NO_LIMIT), 'not-found')
        await rejectsWith(log.bounds(topic, 2), 'not-found')
        await rejectsWith(log.endOffsets(topic, 3), 'not-found')
      }))

    test('the ends of all partitions are found at once', () =>
      withLog(4, async (log, topic) => {
        deepEqual(await log.endOffsets(topic, 4), [0, 0, 0, 0])
        const keys = ['a', 'b', 'c', 'd', 'e', 'f', 'g']
        await log.append(
          topic,
          keys.map((key) => event(key, key)),
        )
        const expected = [0, 0, 0, 0]
        for (const key of keys) {
          const partition = partitionOf(key, 4)
          expected[partition] = (expected[partition] ?? 0) + 1
        }
        deepEqual(await log.endOffsets(topic, 4), expected)
        deepEqual(await log.endOffsets(topic, 2), expected.slice(0, 2))
      }))
  })

  describe(`${name}: append and read`, () => {
    test('a record comes back as it was, whatever is in it', () =>
      withLog(1, async (log, topic) => {
        const records: readonly NewRecord[] = [
          { key: 'a', value: Buffer.from('{}'), receivedAtMs: START_MS, tenantId: 'default' },
          { key: 'Kühlwagen-東京-🚚', value: Buffer.from('é'), receivedAtMs: 1, tenantId: 'Ünït' },
          { key: 'empty', value: new Uint8Array(0), receivedAtMs: START_MS + 1, tenantId: 'b' },
          { key: 'bytes', value: Uint8Array.of(0, 255, 128), receivedAtMs: 2, tenantId: 'b' },
          {
            key: 'large',
            value: new Uint8Array(300_000).fill(7),
            receivedAtMs: START_MS,
            tenantId: 'a',
          },
        ]
        await log.append(topic, records)
        const read = await readAll(log, { topic, partition: 0 })
        deepEqual(
          read.map(({ key, value, receivedAtMs, tenantId, offset }) => ({
            key,
            value: [...value],
            receivedAtMs,
            tenantId,
            offset,
          })),
          records.map((sent, offset) => ({ ...sent, value: [...sent.value], offset })),
        )
      }))

    test('a key goes to the partition that Kafka would give it, and stays in order there', () =>
      withLog(PARTITIONS, async (log, topic) => {
        const keyOf = (number: number): string => `truck-${number % 37}`
        for (let batch = 0; batch < 5; batch++) await log.append(topic, numbered(200, keyOf))
        for (let partition = 0; partition < PARTITIONS; partition++) {
          const sent = numbered(200, keyOf).filter(
            ({ key }) => partitionOf(key, PARTITIONS) === partition,
          )
          const read = await readAll(log, { topic, partition })
          deepEqual(
            read.map(({ offset }) => offset),
            read.map((_, index) => index),
          )
          deepEqual(textsOf(read), Array.from({ length: 5 }, () => textsOf(sent)).flat())
        }
      }))

    test('an empty batch is taken and leaves nothing', () =>
      withLog(1, async (log, topic) => {
        await log.append(topic, [])
        deepEqual(await log.bounds(topic, 0), { startOffset: 0, endOffset: 0 })
      }))

    test('what is acknowledged can be read at once through another handle', () =>
      withLog(1, async (log, topic, second) => {
        for (let number = 0; number < 50; number++) {
          await log.append(topic, [event('a', String(number))])
          const batch = await second.read(topic, 0, number, NO_LIMIT)
          deepEqual(textsOf(batch.records), [String(number)])
        }
      }))

    test('a read stops at the number of records asked for', () =>
      withLog(1, async (log, topic) => {
        await log.append(
          topic,
          numbered(10, () => 'a'),
        )
        for (const records of [1, 3, 9]) {
          const batch = await log.read(topic, 0, 1, { records, bytes: NO_LIMIT.bytes })
          equal(batch.records.length, records)
          equal(batch.nextOffset, 1 + records)
        }
      }))

    test('a read stops before it exceeds the bytes asked for, but brings one record at least', () =>
      withLog(1, async (log, topic) => {
        const values = Array.from({ length: 6 }, () => 'x'.repeat(1_000))
        await log.append(
          topic,
          values.map((value) => event('a', value)),
        )
        const three = await log.read(topic, 0, 0, { records: 100, bytes: 3_500 })
        equal(three.records.length, 3)
        equal(three.nextOffset, 3)
        const one = await log.read(topic, 0, 5, { records: 100, bytes: 1 })
        equal(one.records.length, 1)
        equal(one.nextOffset, 6)
      }))

    test('reads with memory of the reader bring the same, and leave alone what others read', () =>
      withLog(1, async (log, topic) => {
        const values = Array.from(
          { length: 40 },
          (_, index) => `${index}-${'x'.repeat(index * 997)}`,
        )
        for (const value of values) await log.append(topic, [event('a', value)])
        const memory = new ReadMemory()
        const all = await log.read(topic, 0, 0, NO_LIMIT)
        for (const bytes of [1, 5_000, 100_000, 2_000_000]) {
          const found: string[] = []
          for (let next = 0; next < values.length; ) {
            const batch = await log.read(topic, 0, next, { records: 100, bytes, memory })
            found.push(...textsOf(batch.records))
            next = batch.nextOffset
          }
          deepEqual(found, values)
        }
        deepEqual(textsOf(all.records), values)
      }))

    test('a read from the middle starts there; at the end there is nothing', () =>
      withLog(1, async (log, topic) => {
        await log.append(
          topic,
          numbered(5, () => 'a'),
        )
        deepEqual(textsOf(await readAll(log, { topic, partition: 0 }, 3)), ['3', '4'])
        deepEqual(await log.read(topic, 0, 5, NO_LIMIT), { records: [], nextOffset: 5 })
      }))

    test('appends made at once keep their order and none is lost', () =>
      withLog(PARTITIONS, async (log, topic, second) => {
        const senders = [log, second, log, second].map(async (handle, sender) => {
          for (let batch = 0; batch < 20; batch++) {
            const taken = handle.append(
              topic,
              Array.from({ length: 10 }, (_, index) =>
                event(`s${sender}`, `${batch * 10 + index}`),
              ),
            )
            // Two senders wait for each batch, so that the handles take turns at writing.
            if (sender < 2 || batch === 19) await taken
          }
        })
        await Promise.all(senders)
        const read = await readTopic(log, topic)
        for (let sender = 0; sender < 4; sender++) {
          const own = read.filter(({ key }) => key === `s${sender}`)
          deepEqual(
            textsOf(own),
            Array.from({ length: 200 }, (_, number) => String(number)),
          )
        }
        equal(read.length, 800)
      }))

    test('any batches come back as one sequence, whatever the limits of the reads', () =>
      withLog(1, async (log, topic) => {
        const newRecord = record({
          key: constantFrom('a', 'b', 'ü'),
          value: uint8Array({ maxLength: 40 }),
          receivedAtMs: nat(),
          tenantId: constantFrom('default', 'other'),
        })
        const limit = record({ records: nat(8), bytes: nat(120) })
        let fromOffset = 0
        await assert(
          asyncProperty(
            array(array(newRecord, { maxLength: 8 })),
            limit,
            async (batches, limits) => {
              await Promise.all(batches.map((batch) => log.append(topic, batch)))
              const sent = batches.flat()
              const read = await readAll(log, { topic, partition: 0 }, fromOffset, limits)
              deepEqual(
                read.map((found) => ({ ...found, value: [...found.value] })),
                sent.map((expected, index) => ({
                  ...expected,
                  value: [...expected.value],
                  offset: fromOffset + index,
                })),
              )
              fromOffset += sent.length
            },
          ),
          { numRuns: 25 },
        )
      }))
  })

  describe(`${name}: waiting`, () => {
    test('waiting ends at once where the record is there already', () =>
      withLog(1, async (log, topic) => {
        await log.append(topic, [event('a', '1')])
        equal(await log.waitForRecords(topic, 0, 0, { maxWaitMs: LONG_MS, signal: never() }), true)
      }))

    test('waiting ends when a record arrives, through the same handle or another', () =>
      withLog(1, async (log, topic, second) => {
        for (const [number, sender] of [log, second, second, log].entries()) {
          const arrived = log.waitForRecords(topic, 0, number, {
            maxWaitMs: LONG_MS,
            signal: never(),
          })
          await sender.append(topic, [event('a', String(number))])
          equal(await arrived, true)
          equal((await log.bounds(topic, 0)).endOffset, number + 1)
        }
      }))

    test('waiting for a later record goes on until that one arrives', () =>
      withLog(1, async (log, topic) => {
        let over = false
        const arrived = log
          .waitForRecords(topic, 0, 2, { maxWaitMs: LONG_MS, signal: never() })
          .then(() => {
            over = true
          })
        await log.append(topic, [event('a', '0'), event('a', '1')])
        await log.read(topic, 0, 0, NO_LIMIT)
        equal(over, false)
        await log.append(topic, [event('a', '2')])
        await arrived
      }))

    test('waiting ends by itself after the time given', () =>
      withLog(1, async (log, topic) => {
        equal(await log.waitForRecords(topic, 0, 0, { maxWaitMs: 30, signal: never() }), false)
      }))

    test('waiting ends on abort, also where it was aborted before', () =>
      withLog(1, async (log, topic) => {
        const stop = new AbortController()
        const ended = log.waitForRecords(topic, 0, 0, { maxWaitMs: LONG_MS, signal: stop.signal })
        stop.abort()
        await ended
        const again = { maxWaitMs: LONG_MS, signal: stop.signal }
        equal(await log.waitForRecords(topic, 0, 0, again), false)
      }))
  })

  describe(`${name}: retention`, () => {
    /** Ten appends of five records, one millisecond apart, so that parts of it can be dropped. */
    async function fill(log: Log, topic: string): Promise<void> {
      for (let batch = 0; batch < 10; batch++) {
        await log.append(
          topic,
          Array.from({ length: 5 }, (_, index) =>
            event('a', String(batch * 5 + index).padEnd(1_000), START_MS + batch),
          ),
        )
      }
    }

    if (traits.retention === 'by-the-server') {
      test('nothing is dropped on our word, however old or large', () =>
        withLog(1, async (log, topic) => {
          await fill(log, topic)
          const startOffset = await log.retain(topic, 0, {
            keepFromOffset: 50,
            olderThanMs: START_MS + 1_000,
            maxBytes: 0,
          })
          equal(startOffset, 0)
          equal((await readAll(log, { topic, partition: 0 })).length, 50)
        }))
      return
    }

    test('old records are dropped, but never at or above the offset that is still needed', () =>
      withLog(1, async (log, topic, second) => {
        await fill(log, topic)
        const startOffset = await log.retain(topic, 0, {
          keepFromOffset: 20,
          olderThanMs: START_MS + 1_000,
          maxBytes: Number.MAX_SAFE_INTEGER,
        })
        ok(startOffset > 0 && startOffset <= 20, `start is ${startOffset}`)
        deepEqual(await second.bounds(topic, 0), { startOffset, endOffset: 50 })
        const kept = await readAll(second, { topic, partition: 0 }, startOffset)
        equal(kept.length, 50 - startOffset)
        equal(kept[0]?.offset, startOffset)
        await rejectsWith(second.read(topic, 0, startOffset - 1, NO_LIMIT), 'log-truncated')
      }))

    test('records that are young stay where size allows it', () =>
      withLog(1, async (log, topic) => {
        await fill(log, topic)
        const startOffset = await log.retain(topic, 0, {
          keepFromOffset: 50,
          olderThanMs: START_MS,
          maxBytes: Number.MAX_SAFE_INTEGER,
        })
        equal(startOffset, 0)
      }))

    test('a partition that is too large loses its oldest records, however young', () =>
      withLog(1, async (log, topic) => {
        await fill(log, topic)
        const startOffset = await log.retain(topic, 0, {
          keepFromOffset: 50,
          olderThanMs: START_MS,
          maxBytes: 30_000,
        })
        ok(startOffset > 0 && startOffset < 30, `start is ${startOffset}`)
      }))

    test('a log that dropped everything goes on at the same offsets', () =>
      withLog(1, async (log, topic, second) => {
        await fill(log, topic)
        const startOffset = await log.retain(topic, 0, {
          keepFromOffset: 50,
          olderThanMs: START_MS + 1_000,
          maxBytes: 0,
        })
        equal(startOffset, 50)
        await second.append(topic, [event('a', 'next')])
        deepEqual(await log.bounds(topic, 0), { startOffset: 50, endOffset: 51 })
        deepEqual(textsOf(await readAll(log, { topic, partition: 0 }, 50)), ['next'])
      }))
  })

  describe(`${name}: closing`, () => {
    test('what was taken before closing is there afterwards', async () => {
      const topic = newTopicName()
      const first = await open()
      await first.ensureTopic(topic, { partitions: 1 })
      const taken = Array.from({ length: 20 }, (_, number) =>
        first.append(topic, [event('a', String(number))]),
      )
      await first.close()
      await Promise.all(taken)
      const again = await open()
      try {
        deepEqual(
          textsOf(await readAll(again, { topic, partition: 0 })),
          Array.from({ length: 20 }, (_, number) => String(number)),
        )
      } finally {
        await again.close()
      }
    })

    test('closing twice is no error, and a closed log takes nothing', async () => {
      const topic = newTopicName()
      const log = await open()
      await log.ensureTopic(topic, { partitions: 1 })
      await log.close()
      await log.close()
      await rejectsWith(log.append(topic, [event('a', '1')]), 'log-unavailable')
    })

    test('closing ends whoever waits', async () => {
      const topic = newTopicName()
      const log = await open()
      await log.ensureTopic(topic, { partitions: 1 })
      const waiting = log.waitForRecords(topic, 0, 0, { maxWaitMs: LONG_MS, signal: never() })
      await log.close()
      await waiting
    })
  })
}
