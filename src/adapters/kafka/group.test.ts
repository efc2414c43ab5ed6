import { deepEqual, equal, ok } from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { test } from 'node:test'
import { kafkaOrSkip, sharedKafka } from '../../../test/servers/shared-kafka.ts'
import type { Lifelines } from '../../ports/lifelines.ts'
import type { Logger } from '../../ports/logger.ts'
import type { Assigned, PartitionAssignment } from '../../ports/partition-assignment.ts'
import { systemClock } from '../clock/system-clock.ts'
import { joinClassicGroup } from './classic-group.ts'
import { type GroupOptions, joinConsumerGroup } from './consumer-group.ts'
import type { KafkaAddress } from './kafka-address.ts'
import { KafkaCluster } from './kafka-cluster.ts'
import { openKafkaLog } from './kafka-log.ts'

const clock = systemClock()
const silent: Logger = { debug() {}, info() {}, warn() {}, error() {} }
const PARTITIONS = 6
const TIMEOUT_MS = 90_000
let groups = 0

interface Member {
  readonly assigned: () => readonly string[]
  readonly assignment: PartitionAssignment
  stop(): Promise<void>
}

async function setUp(): Promise<Omit<GroupOptions, 'memberId' | 'instanceId'>> {
  const { addresses } = await sharedKafka()
  const address: KafkaAddress = { brokers: addresses, tls: null, sasl: null }
  const groupId = `group-${process.pid}-${groups++}`
  const topics = [`${groupId}-a`, `${groupId}-b`]
  const log = openKafkaLog({ address, clock })
  for (const topic of topics) await log.ensureTopic(topic, { partitions: PARTITIONS })
  await log.close()
  return { address, groupId, topics, lifelines: null, clock, logger: silent }
}

function start(
  join: (options: GroupOptions) => PartitionAssignment,
  options: GroupOptions,
  onLost: () => Promise<void> = async () => undefined,
): Member {
  const assignment = join(options)
  const over = new AbortController()
  let assigned: Assigned = new Map()
  const ended = assignment.run(async (taken) => {
    const lost = namesOf(assigned).some((name) => !namesOf(taken).includes(name))
    if (lost) await onLost()
    assigned = taken
  }, over.signal)
  return {
    assigned: () => namesOf(assigned),
    assignment,
    async stop() {
      over.abort()
      await ended
    },
  }
}

function namesOf(assigned: Assigned): readonly string[] {
  return [...assigned]
    .flatMap(([topic, partitions]) => partitions.map((partition) => `${topic}/${partition}`))
    .sort()
}

async function until(what: () => boolean): Promise<void> {
  const deadlineMs = clock.monotonicMs() + TIMEOUT_MS / 2
  while (!what()) {
    ok(clock.monotonicMs() < deadlineMs, 'in time')
    await clock.sleep(20)
  }
}

const MODULES = { consumer: './consumer-group.ts', classic: './classic-group.ts' } as const

/** In a process of its own, which is killed once it has partitions; resolves with them. */
async function killedMember(
  kind: keyof typeof MODULES,
  { clock: _clock, logger: _logger, ...options }: GroupOptions,
): Promise<readonly string[]> {
  const program = `
    const group = await import(${JSON.stringify(new URL(MODULES[kind], import.meta.url))})
    const { systemClock } = await import(${JSON.stringify(new URL('../clock/system-clock.ts', import.meta.url))})
    const none = () => undefined
    const logger = { debug: none, info: none, warn: none, error: none }
    const join = group.joinConsumerGroup ?? group.joinClassicGroup
    const options = { ...${JSON.stringify(options)}, clock: systemClock(), logger }
    await join(options).run(async (assigned) => {
      const names = [...assigned].flatMap(([t, ps]) => ps.map((p) => t + '/' + p)).sort()
      if (names.length === ${PARTITIONS}) console.log(JSON.stringify(names))
    }, new AbortController().signal)`
  const child = spawn(process.execPath, ['--input-type=module', '-e', program])
  const line = await new Promise<string>((resolve) =>
    child.stdout.once('data', (text: Buffer) => resolve(String(text))),
  )
  const gone = new Promise((resolve) => child.once('exit', resolve))
  child.kill('SIGKILL')
  await gone
  const names: unknown = JSON.parse(line)
  return Array.isArray(names) ? names.map(String) : []
}

for (const [name, join] of [
  ['consumer', joinConsumerGroup],
  ['classic', joinClassicGroup],
] as const) {
  const options = { timeout: TIMEOUT_MS }

  test(
    `${name} group: members share all partitions, each has one owner, and a leaver's go to the rest`,
    options,
    async (t) => {
      if (!kafkaOrSkip(t)) return
      const group = await setUp()
      const all = group.topics.flatMap((topic) =>
        Array.from({ length: PARTITIONS }, (_, partition) => `${topic}/${partition}`),
      )
      const first = start(join, { ...group, memberId: 'one', instanceId: null })
      t.after(() => first.stop())
      await until(() => first.assigned().length === all.length)
      deepEqual(first.assigned(), all)
      const second = start(join, { ...group, memberId: 'two', instanceId: null })
      const together = (): readonly string[] => [...first.assigned(), ...second.assigned()].sort()
      await until(() => second.assigned().length > 0 && together().length === all.length)
      deepEqual(together(), all)
      await second.stop()
      deepEqual(second.assigned(), [])
      await until(() => first.assigned().length === all.length)
    },
  )

  test(
    `${name} group: a member that comes later gets its share of each topic`,
    options,
    async (t) => {
      if (!kafkaOrSkip(t)) return
      const group = await setUp()
      const first = start(join, { ...group, memberId: 'one', instanceId: null })
      t.after(() => first.stop())
      await until(() => first.assigned().length === 2 * PARTITIONS)
      const second = start(join, { ...group, memberId: 'two', instanceId: null })
      t.after(() => second.stop())
      const evenly = ({ assigned }: Member): boolean =>
        group.topics.every(
          (topic) =>
            assigned().filter((name) => name.startsWith(`${topic}/`)).length === PARTITIONS / 2,
        )
      await until(() => evenly(first) && evenly(second))
    },
  )

  test(
    `${name} group: a member that others take for dead has to leave, and joins again`,
    options,
    async (t) => {
      if (!kafkaOrSkip(t)) return
      const group = await setUp()
      const died: unknown[] = []
      let isDead = false
      const lifelines: Lifelines = {
        hold: async () => undefined,
        ended: async (names) => (isDead ? names : []),
        close: async () => undefined,
      }
      const logger: Logger = {
        ...silent,
        warn: (what, facts) => {
          if (what !== 'group-member-died') return
          died.push(facts)
          isDead = false
        },
      }
      const first = start(join, {
        ...{ ...group, memberId: 'one', instanceId: null },
        ...{ lifelines, logger },
      })
      t.after(() => first.stop())
      await until(() => first.assigned().length === 2 * PARTITIONS)
      const second = start(join, { ...group, memberId: 'two', instanceId: null })
      t.after(() => second.stop())
      const shared = (): boolean =>
        second.assigned().length === PARTITIONS && first.assigned().length === PARTITIONS
      await until(shared)
      isDead = true
      // The broker had it as a member, or the request to leave had failed.
      await until(() => died.length > 0)
      await second.assignment.confirmed(new AbortController().signal)
      await until(shared)
      equal(died.length, 1)
    },
  )

  test(`${name} group: a member is confirmed anew after a while`, options, async (t) => {
    if (!kafkaOrSkip(t)) return
    const group = await setUp()
    const member = start(join, { ...group, memberId: 'one', instanceId: null })
    t.after(() => member.stop())
    await until(() => member.assigned().length > 0)
    await member.assignment.confirmed(new AbortController().signal)
    const aborted = AbortSignal.abort()
    await member.assignment.confirmed(aborted)
  })

  test(
    `${name} group: committed offsets are mirrored for tools that watch the lag`,
    options,
    async (t) => {
      if (!kafkaOrSkip(t)) return
      const group = await setUp()
      const [topic = ''] = group.topics
      const member = start(join, { ...group, memberId: 'one', instanceId: null })
      t.after(() => member.stop())
      await until(() => member.assigned().length > 0)
      const cluster = new KafkaCluster(group.address, clock)
      t.after(() => cluster.close())
      const mirrored = async (): Promise<number | undefined> => {
        await member.assignment.mirror([{ topic, partition: 3, offset: 42 }])
        const [found] = await cluster.admin.listConsumerGroupOffsets({
          groups: [{ groupId: group.groupId, topics: [{ name: topic, partitionIndexes: [3] }] }],
        })
        return Number(found?.topics[0]?.partitions[0]?.committedOffset ?? -1)
      }
      let offset = await mirrored()
      while (offset !== 42) offset = await mirrored()
      equal(offset, 42)
    },
  )

  test(
    `${name} group: a static member that comes back has its partitions again`,
    options,
    async (t) => {
      if (!kafkaOrSkip(t)) return
      const group = await setUp()
      const other = start(join, { ...group, memberId: 'other', instanceId: null })
      t.after(() => other.stop())
      // It has all of them first, so that what the next one has is its share for good.
      await until(() => other.assigned().length === group.topics.length * PARTITIONS)
      const identity = { memberId: 'fixed', instanceId: 'fixed' }
      const before = await killedMember(name, { ...group, ...identity })
      // The broker still counts on the first life.
      const second = start(join, { ...group, ...identity })
      t.after(() => second.stop())
      // They may come in several steps.
      await until(() => second.assigned().length >= before.length)
      deepEqual(second.assigned(), before)
    },
  )
}

test('consumer group: a partition goes to the next owner only after its task ended', {
  timeout: TIMEOUT_MS,
}, async (t) => {
  if (!kafkaOrSkip(t)) return
  const group = await setUp()
  let release = (): void => undefined
  const released = new Promise<void>((resolve) => {
    release = resolve
  })
  let asked = false
  const first = start(joinConsumerGroup, { ...group, memberId: 'one', instanceId: null }, () => {
    asked = true
    return released
  })
  t.after(() => first.stop())
  await until(() => first.assigned().length === 2 * PARTITIONS)
  const second = start(joinConsumerGroup, { ...group, memberId: 'two', instanceId: null })
  t.after(() => second.stop())
  await until(() => asked)
  await second.assignment.confirmed(new AbortController().signal)
  deepEqual(second.assigned(), [])
  release()
  await until(() => second.assigned().length > 0)
})
