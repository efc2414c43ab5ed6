import { deepEqual, equal, ok, rejects, throws } from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, type TestContext, test } from 'node:test'
import { Worker } from 'node:worker_threads'
import { SECOND_MS } from '../../kernel/time.ts'
import type { Clock } from '../../ports/clock.ts'
import { logContract } from '../../ports/log.contract.ts'
import type { Log, NewRecord } from '../../ports/log.ts'
import { systemClock } from '../clock/system-clock.ts'
import { openLmdbLog } from './lmdb-log.ts'
import { MAX_PENDING_BYTES } from './log-writer-client.ts'
import { chunkKey, openStore } from './store.ts'

const root = mkdtempSync(join(tmpdir(), 'outrider-log-'))
after(() => rmSync(root, { recursive: true }))

const clock = systemClock()
const NO_LIMIT = { records: 1_000_000, bytes: 1_000_000_000 }
const LONG_MS = 20_000

logContract('LMDB log', () =>
  openLmdbLog({ directory: join(root, 'shared'), clock, mode: 'write' }),
)

let directories = 0
const newDirectory = (): string => join(root, `log.${directories++}`)

async function openForTest(t: TestContext, directory = newDirectory()): Promise<Log> {
  const log = await openLmdbLog({ directory, clock, mode: 'write' })
  t.after(() => log.close())
  await log.ensureTopic('t', { partitions: 1 })
  return log
}

const event = (text: string): NewRecord => ({
  key: 'a',
  value: Buffer.from(text),
  receivedAtMs: 0,
  tenantId: 'default',
})

async function texts(log: Log): Promise<readonly string[]> {
  const { records } = await log.read('t', 0, 0, NO_LIMIT)
  return records.map(({ value }) => Buffer.from(value).toString())
}

test('reading a log that does not exist is refused, and creates nothing', async () => {
  const directory = newDirectory()
  const options = { directory, clock, mode: 'read' } as const
  await rejects(openLmdbLog(options), { code: 'not-found', retry: 'later' })
  mkdirSync(directory)
  await rejects(openLmdbLog(options), { code: 'not-found' })
})

test('a log opened for reading sees what is written, and refuses to write', async (t) => {
  const directory = newDirectory()
  const log = await openForTest(t, directory)
  const reader = await openLmdbLog({ directory, clock, mode: 'read' })
  t.after(() => reader.close())
  await log.append('t', [event('1')])
  deepEqual(await texts(reader), ['1'])
  await rejects(reader.append('t', [event('2')]), { code: 'invariant-broken' })
  await rejects(reader.ensureTopic('new', { partitions: 1 }), { code: 'invariant-broken' })
  await reader.ensureTopic('t', { partitions: 1 })
})

test('another process notices new records within the time of a few looks', async (t) => {
  const directory = newDirectory()
  const log = await openForTest(t, directory)
  const program = `
    const { openLmdbLog } = await import(${JSON.stringify(new URL('./lmdb-log.ts', import.meta.url))})
    const { systemClock } = await import(${JSON.stringify(new URL('../clock/system-clock.ts', import.meta.url))})
    const log = await openLmdbLog({
      directory: ${JSON.stringify(directory)}, clock: systemClock(), mode: 'read',
    })
    const signal = new AbortController().signal
    process.send('ready')
    for (let next = 0; next < 5; ) {
      await log.waitForRecords('t', 0, next, { maxWaitMs: ${LONG_MS}, signal })
      const batch = await log.read('t', 0, next, { records: 10, bytes: 1000 })
      next = batch.nextOffset
      process.send(batch.records.map(({ value }) => Buffer.from(value).toString()).join())
    }
    await log.close()
    process.disconnect()`
  const child = spawn(process.execPath, ['--input-type=module', '-e', program], {
    stdio: ['ignore', 'inherit', 'inherit', 'ipc'],
  })
  t.after(() => child.kill())
  deepEqual((await once(child, 'message'))[0], 'ready')
  const closed = once(child, 'close')
  const startedMs = clock.monotonicMs()
  for (let number = 0; number < 5; number++) {
    const seen = once(child, 'message')
    await log.append('t', [event(String(number))])
    equal((await seen)[0], String(number))
  }
  const tookMs = (clock.monotonicMs() - startedMs) / 5
  t.diagnostic(`${tookMs.toFixed(1)} ms from append to another process`)
  ok(tookMs < LONG_MS / 10)
  deepEqual(await closed, [0, null])
})

test('another thread appends to the same log, and wakes who waits in this one', async (t) => {
  const directory = newDirectory()
  const log = await openForTest(t, directory)
  const program = `
    const { parentPort } = require('node:worker_threads')
    void (async () => {
      const { openLmdbLog } = await import(${JSON.stringify(new URL('./lmdb-log.ts', import.meta.url))})
      const { systemClock } = await import(${JSON.stringify(new URL('../clock/system-clock.ts', import.meta.url))})
      const log = await openLmdbLog({
        directory: ${JSON.stringify(directory)}, clock: systemClock(), mode: 'write',
      })
      for (let number = 0; number < 200; number++) {
        await log.append('t', [{
          key: 'thread', value: Buffer.from(String(number)), receivedAtMs: 0, tenantId: 'default',
        }])
      }
      await log.close()
      parentPort.postMessage('done')
    })()`
  const thread = new Worker(program, { eval: true })
  const exited = once(thread, 'exit')
  const own = appendOneByOne(log, 200)
  const signal = new AbortController().signal
  let next = 0
  const found: string[] = []
  while (next < 400) {
    await log.waitForRecords('t', 0, next, { maxWaitMs: LONG_MS, signal })
    const { records, nextOffset } = await log.read('t', 0, next, NO_LIMIT)
    ok(nextOffset > next, 'woken for nothing')
    for (const { key, value } of records) found.push(`${key} ${Buffer.from(value)}`)
    next = nextOffset
  }
  await own
  await exited
  const numbers = Array.from({ length: 200 }, (_, number) => String(number))
  deepEqual(
    found.filter((text) => text.startsWith('thread')),
    numbers.map((number) => `thread ${number}`),
  )
  deepEqual(
    found.filter((text) => text.startsWith('a')),
    numbers.map((number) => `a ${number}`),
  )
})

async function appendOneByOne(log: Log, count: number): Promise<void> {
  for (let number = 0; number < count; number++) await log.append('t', [event(String(number))])
}

test('who waits is woken by the append itself, without looking again from time to time', async (t) => {
  const directory = newDirectory()
  const writer = await openForTest(t, directory)
  const stopped: Clock = {
    ...clock,
    sleep: (_durationMs, signal) =>
      new Promise((resolve) => signal?.addEventListener('abort', () => resolve())),
  }
  const waiter = await openLmdbLog({ directory, clock: stopped, mode: 'write' })
  t.after(() => waiter.close())
  const options = { maxWaitMs: LONG_MS, signal: new AbortController().signal }
  for (const [number, sender] of [writer, waiter, writer].entries()) {
    const arrived = waiter.waitForRecords('t', 0, number, options)
    await sender.append('t', [event('x')])
    await arrived
  }
})

test('who waits beside a writer looks again once a second, and often once that is closed', async (t) => {
  const directory = newDirectory()
  const slept = new Set<number>()
  const watched: Clock = {
    ...clock,
    sleep(durationMs, signal) {
      slept.add(durationMs)
      return clock.sleep(durationMs, signal)
    },
  }
  const writer = await openForTest(t, directory)
  const reader = await openLmdbLog({ directory, clock: watched, mode: 'read' })
  t.after(() => reader.close())
  const maxWaitMs = 60
  const wait = async (): Promise<void> => {
    slept.clear()
    await reader.waitForRecords('t', 0, 0, { maxWaitMs, signal: new AbortController().signal })
  }
  // The first look may come before the writer's answer.
  for (let tries = 0; tries < 50; tries++) {
    await wait()
    if (!slept.has(20)) break
  }
  deepEqual([...slept].sort(), [SECOND_MS, maxWaitMs])
  await writer.close()
  for (let tries = 0; tries < 50; tries++) {
    await wait()
    if (!slept.has(SECOND_MS)) break
  }
  deepEqual([...slept].sort(), [20, maxWaitMs])
})

test('a thousand waits leave no timer and no listener behind', async (t) => {
  const log = await openForTest(t)
  const stop = new AbortController()
  let listeners = 0
  stop.signal.addEventListener = (...added: unknown[]): void => {
    listeners++
    Reflect.apply(AbortSignal.prototype.addEventListener, stop.signal, added)
  }
  stop.signal.removeEventListener = (...removed: unknown[]): void => {
    listeners--
    Reflect.apply(AbortSignal.prototype.removeEventListener, stop.signal, removed)
  }
  const options = { maxWaitMs: LONG_MS, signal: stop.signal }
  for (let round = 0; round < 100; round++) {
    const waits = Array.from({ length: 10 }, () => log.waitForRecords('t', 0, round, options))
    await log.append('t', [event('x')])
    await Promise.all(waits)
  }
  equal(listeners, 0)
  await clock.sleep(1)
  const timers = process.getActiveResourcesInfo().filter((resource) => resource === 'Timeout')
  ok(timers.length <= 2, `${timers.length} timers are active`)
})

test('more than a bounded amount of waiting records is refused for now', async (t) => {
  const log = await openForTest(t)
  const large = { ...event(''), value: new Uint8Array(MAX_PENDING_BYTES / 4) }
  const first = Array.from({ length: 4 }, () => log.append('t', [large]))
  await rejects(log.append('t', [event('too much')]), { code: 'log-unavailable', retry: 'later' })
  await Promise.all(first)
  await log.append('t', [event('later')])
  equal((await log.bounds('t', 0)).endOffset, 5)
})

test('a batch with one record that does not fit is refused whole', async (t) => {
  const log = await openForTest(t)
  const bad = { ...event('2'), receivedAtMs: Number.NaN }
  await rejects(log.append('t', [event('1'), bad, event('3')]), { code: 'invariant-broken' })
  await log.append('t', [event('4')])
  deepEqual(await texts(log), ['4'])
})

test('reading beyond the end is refused: the log is not the one that the reader knew', async (t) => {
  const log = await openForTest(t)
  await log.append('t', [event('0')])
  deepEqual(await log.read('t', 0, 1, NO_LIMIT), { records: [], nextOffset: 1 })
  await rejects(log.read('t', 0, 2, NO_LIMIT), { code: 'log-corrupt', retry: 'never' })
})

for (const [what, damage] of [
  ['missing', () => undefined],
  ['damaged', (chunk: Uint8Array) => chunk.map((byte, index) => (index === 30 ? byte ^ 1 : byte))],
] as const) {
  test(`a chunk that is ${what} is reported, and what lies before it can be read`, async (t) => {
    const directory = newDirectory()
    const log = await openForTest(t, directory)
    for (let number = 0; number < 5; number++) await log.append('t', [event(String(number))])
    await log.close()
    const store = openStore(directory, { create: true })
    const key = chunkKey(1, 0, 2)
    const damaged = damage(store.get(key) ?? new Uint8Array())
    if (damaged === undefined) store.removeSync(key)
    else store.putSync(key, damaged)
    await store.close()
    const again = await openForTest(t, directory)
    equal((await again.read('t', 0, 0, NO_LIMIT)).nextOffset, 2)
    await rejects(again.read('t', 0, 2, NO_LIMIT), { code: 'log-corrupt', retry: 'never' })
    equal((await again.read('t', 0, 3, NO_LIMIT)).records.length, 2)
  })
}

test('a log that a newer version wrote is refused by name', async (t) => {
  const directory = newDirectory()
  const log = await openForTest(t, directory)
  await log.close()
  const store = openStore(directory, { create: true })
  store.putSync(Uint8Array.of(0), Uint8Array.of(99))
  await store.close()
  const options = { directory, clock, mode: 'write' } as const
  await rejects(openLmdbLog(options), { code: 'state-format', retry: 'never' })
  throws(() => openStore(directory, { create: false }), { code: 'state-format' })
})

test('a directory that can not be made is reported as a failed log', async () => {
  const file = newDirectory()
  writeFileSync(file, '')
  const directory = join(file, 'below')
  const options = { directory, clock, mode: 'write' } as const
  await rejects(openLmdbLog(options), { code: 'log-failed', retry: 'never' })
})

test('retention drops many chunks, a part at a time, while appends go on', async (t) => {
  const log = await openForTest(t)
  for (let number = 0; number < 300; number++) await log.append('t', [event(String(number))])
  const dropped = log.retain('t', 0, {
    keepFromOffset: 290,
    olderThanMs: 1,
    maxBytes: Number.MAX_SAFE_INTEGER,
  })
  await log.append('t', [event('during')])
  equal(await dropped, 290)
  deepEqual(await log.bounds('t', 0), { startOffset: 290, endOffset: 301 })
})
