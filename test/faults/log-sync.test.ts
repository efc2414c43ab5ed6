// Acknowledged means on disk, read off the system calls: SIGKILL could not show it, because the page
// cache survives the process.

import { deepEqual, equal, ok } from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'
import {
  checkKept,
  requireStrace,
  runAppender,
  temporaryDirectory,
} from './log-appender-process.ts'

const TRACED = 'openat,write,writev,pwrite64,pwritev,pwritev2,fsync,fdatasync,msync'
/** Longer than any write of these tests, so that the trace shows the records themselves. */
const TRACED_BYTES = 65_536

for (const concurrency of [1, 8]) {
  test(`every acknowledgement leaves after its record is synced, ${concurrency} appends at a time`, async (t) => {
    if (!requireStrace(t)) return
    const directory = temporaryDirectory(t)
    const trace = join(directory, 'trace')
    const outcome = await runAppender({
      directory: join(directory, 'log'),
      count: 200,
      concurrency,
      under: ['strace', '-f', '-y', '-s', `${TRACED_BYTES}`, '-e', `trace=${TRACED}`, '-o', trace],
    })
    equal(outcome.acked.length, 200, outcome.stderr)
    const unsynced = acknowledgedTooEarly(readFileSync(trace, 'latin1'))
    deepEqual(unsynced.early, [])
    equal(unsynced.checked, 200)
    t.diagnostic(`${unsynced.checked} of 200 acknowledgements came after the sync of their record`)
  })
}

test('the trace check notices an acknowledgement that came too early', () => {
  const data = '/log/data.mdb'
  const trace = [
    `7 openat(AT_FDCWD</>, "${data}", O_RDWR|O_CREAT, 0664) = 20<${data}>`,
    `7 openat(AT_FDCWD</>, "${data}", O_RDWR|O_DSYNC|O_CLOEXEC, 0664) = 21<${data}>`,
    `7 pwrite64(20<${data}>, "marker-0;...", 12, 8192) = 12`,
    `7 fdatasync(20<${data}> <unfinished ...>`,
    '8 write(1<UNIX-STREAM:[1]>, "ack 0\\n", 6) = 6',
    '7 <... fdatasync resumed>) = 0',
    `7 pwrite64(21<${data}>, "meta", 4, 0) = 4`,
    `7 pwrite64(20<${data}>, "marker-1;...", 12, 8192) = 12`,
    `7 fdatasync(20<${data}>) = -1 EIO (Input/output error) (INJECTED)`,
    `7 pwrite64(21<${data}>, "meta", 4, 0) = 4`,
    '8 write(1<UNIX-STREAM:[1]>, "ack 1\\n", 6) = 6',
    `7 pwrite64(20<${data}>, "marker-2;...", 12, 8192) = 12`,
    `7 fdatasync(20<${data}>) = 0`,
    '8 write(1<UNIX-STREAM:[1]>, "ack 2\\n", 6) = 6',
    `7 pwrite64(21<${data}>, "meta", 4, 0) = 4`,
    '8 write(1<UNIX-STREAM:[1]>, "ack 2\\n", 6) = 6',
  ].join('\n')
  deepEqual(acknowledgedTooEarly(trace), { checked: 4, early: [0, 1, 2] })
})

// The second sync of the writer, a later one, and one in the middle of eight appends at a time.
for (const [failing, concurrency] of [
  [3, 1],
  [20, 1],
  [9, 8],
] as const) {
  test(`after sync number ${failing} fails nothing is acknowledged, and what was before is kept (${concurrency} at a time)`, async (t) => {
    if (!requireStrace(t)) return
    const directory = join(temporaryDirectory(t), 'log')
    const outcome = await runAppender({
      directory,
      count: 60,
      concurrency,
      // Only this one fails: a second try would succeed, and must not be made.
      under: straceFailing('fdatasync', 'EIO', failing),
    })
    ok(outcome.ended, outcome.stderr)
    ok(outcome.acked.length > 0 && outcome.refused.length > 0, outcome.lines.join('\n'))
    await checkStopped(directory, outcome)
  })
}

test('a failed sync stops every handle of the process, also those that write in other threads', async (t) => {
  if (!requireStrace(t)) return
  const directory = join(temporaryDirectory(t), 'log')
  const outcome = await runAppender({
    directory,
    count: 400,
    handles: 2,
    under: straceFailing('fdatasync', 'EIO', 6),
  })
  ok(outcome.ended, outcome.stderr)
  const last = outcome.refused.slice(-100)
  deepEqual(
    last.map(({ number }) => number),
    Array.from({ length: 100 }, (_, index) => 300 + index),
  )
  for (const { code, retry } of outcome.refused) deepEqual([code, retry], ['log-failed', 'never'])
  await checkKept(directory, outcome.acked)
})

test('after any write of pages or of the root fails nothing is acknowledged', async (t) => {
  if (!requireStrace(t)) return
  let refusing = 0
  for (const failing of [4, 6, 7, 8, 9, 11]) {
    const directory = join(temporaryDirectory(t), 'log')
    const outcome = await runAppender({
      directory,
      count: 10,
      under: straceFailing('pwrite64', 'EIO', failing),
    })
    // The store's way out of a failed page write is unsafe: the process may die of it instead.
    if (outcome.refused.length > 0) refusing++
    await checkStopped(directory, outcome)
  }
  ok(refusing > 0)
})

function straceFailing(call: string, error: string, when: number): readonly string[] {
  const inject = `inject=${call}:error=${error}:when=${when}`
  return ['strace', '-f', '-e', `trace=${call}`, '-e', inject, '-o', '/dev/null']
}

async function checkStopped(
  directory: string,
  outcome: Awaited<ReturnType<typeof runAppender>>,
): Promise<void> {
  ok(outcome.acked.length < outcome.lines.length || !outcome.ended, 'nothing failed')
  for (const { code, retry } of outcome.refused) deepEqual([code, retry], ['log-failed', 'never'])
  const firstRefusal = outcome.lines.findIndex((line) => line.startsWith('refused'))
  const lastAck = outcome.lines.findLastIndex((line) => line.startsWith('ack'))
  ok(firstRefusal === -1 || lastAck < firstRefusal, 'an acknowledgement after the failure')
  // A new process may go on, and finds what was acknowledged before.
  const first = 1_000
  const again = await runAppender({ directory, first, count: 5 })
  equal(again.acked.length, 5, again.stderr)
  await checkKept(directory, [...outcome.acked, ...again.acked])
}

interface SystemCall {
  readonly name: string
  readonly rest: string
  /** Line on which it began. */
  readonly startedAt: number
}

interface SyncCheck {
  readonly checked: number
  readonly early: readonly number[]
}

/**
 * Follows each record through the trace: a completed write of a page that holds its marker; then a
 * sync that began after it and succeeded; then the write of the root through a descriptor that is
 * itself synchronous. Only then may its acknowledgement be written.
 */
function acknowledgedTooEarly(trace: string): SyncCheck {
  const writtenAt = new Map<number, number>()
  const synchronousFiles = new Set<string>()
  /** Start of the newest successful sync, and of the newest one that a root write followed. */
  let syncedFrom = -1
  let rootedFrom = -1
  const early: number[] = []
  let checked = 0
  for (const { name, rest, startedAt, endedAt } of completedCalls(trace)) {
    const descriptor = /^(\d+)</.exec(rest)?.[1] ?? ''
    if (name === 'openat') {
      const opened = /O_D?SYNC.* = (\d+)<.*data\.mdb>/.exec(rest)?.[1]
      if (opened !== undefined) synchronousFiles.add(opened)
    } else if (/^1</.test(rest)) {
      const number = /"ack (\d+)\\n"/.exec(rest)?.[1]
      if (number === undefined) continue
      checked++
      // The acknowledgement may have left as soon as its call began.
      const isSafe = (writtenAt.get(Number(number)) ?? Number.POSITIVE_INFINITY) < rootedFrom
      if (!isSafe) early.push(Number(number))
    } else if (!rest.includes('data.mdb>')) {
    } else if (/sync$/.test(name)) {
      if (/= 0$/.test(rest)) syncedFrom = Math.max(syncedFrom, startedAt)
    } else if (synchronousFiles.has(descriptor)) {
      if (!/= -1 /.test(rest)) rootedFrom = syncedFrom
    } else {
      for (const [, number] of rest.matchAll(/marker-(\d+);/g)) {
        if (!writtenAt.has(Number(number))) writtenAt.set(Number(number), endedAt)
      }
    }
  }
  return { checked, early }
}

/** The calls in the order of their ends; writes to a pipe in the order of their beginnings. */
function* completedCalls(trace: string): Generator<SystemCall & { readonly endedAt: number }> {
  const unfinished = new Map<string, SystemCall>()
  for (const [index, line] of trace.split('\n').entries()) {
    const [, thread = '', rest = ''] = /^(\d+) +(.*)$/.exec(line) ?? []
    const resumed = /^<\.\.\. (\w+) resumed>(.*)$/.exec(rest)
    const begun = /^(\w+)\((.*)$/.exec(rest)
    if (resumed !== null) {
      const call = unfinished.get(thread)
      unfinished.delete(thread)
      if (call === undefined || /^1</.test(call.rest)) continue
      yield { ...call, rest: call.rest + (resumed[2] ?? ''), endedAt: index }
    } else if (begun !== null) {
      const call = { name: begun[1] ?? '', rest: begun[2] ?? '', startedAt: index }
      const isUnfinished = call.rest.endsWith('<unfinished ...>')
      if (isUnfinished) unfinished.set(thread, call)
      if (!isUnfinished || /^1</.test(call.rest)) yield { ...call, endedAt: index }
    }
  }
}
