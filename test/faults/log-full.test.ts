// A disk that is full: new events are refused, what was taken is kept, and the log goes on by itself
// as soon as there is room again.

import { deepEqual, equal, ok } from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import { mkdtempSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { type TestContext, test } from 'node:test'
import { systemClock } from '../../src/adapters/clock/system-clock.ts'
import { openLmdbLog } from '../../src/adapters/log/lmdb-log.ts'
import { PlatformError } from '../../src/kernel/errors.ts'
import type { Log } from '../../src/ports/log.ts'
import { requireOrSkip } from '../requirements.ts'
import {
  numberOf,
  openLog,
  readPartitions,
  requireStrace,
  runAppender,
  TOPIC,
  temporaryDirectory,
} from './log-appender-process.ts'

const BATCH = 50
const VALUE_BYTES = 1_000

/** A file system of our own of so many MB, gone after the test. */
function tinyDisk(t: TestContext, sizeMb = 4): string | undefined {
  const directory = mkdtempSync(join(tmpdir(), 'outrider-disk-'))
  const mounted = spawnSync('mount', ['-t', 'tmpfs', '-o', `size=${sizeMb}m`, 'tmpfs', directory], {
    encoding: 'utf8',
  })
  t.after(() => {
    if (mounted.status === 0) spawnSync('umount', [directory])
    rmSync(directory, { recursive: true })
  })
  const reason = mounted.error?.message ?? mounted.stderr.trim()
  if (!requireOrSkip(t, 'a file system of its own', mounted.status === 0, reason)) return undefined
  return directory
}

/** Appends numbered batches until one is refused; returns the numbers that were acknowledged. */
async function appendUntilFull(log: Log, first: number): Promise<readonly number[]> {
  const acked: number[] = []
  for (let number = first; ; number += BATCH) {
    const refusal = await appendBatch(log, number)
    if (refusal !== undefined) {
      deepEqual([refusal.code, refusal.retry], ['log-full', 'later'])
      return acked
    }
    for (let index = 0; index < BATCH; index++) acked.push(number + index)
    ok(acked.length < 100_000, 'the disk never fills')
  }
}

async function appendBatch(
  log: Log,
  first: number,
  count = BATCH,
): Promise<PlatformError | undefined> {
  const records = Array.from({ length: count }, (_, index) => ({
    key: 'key',
    value: Buffer.from(`marker-${first + index};`.padEnd(VALUE_BYTES, '.')),
    receivedAtMs: first,
    tenantId: 'default',
  }))
  try {
    await log.append(TOPIC, records)
    return undefined
  } catch (error) {
    if (error instanceof PlatformError) return error
    throw error
  }
}

async function kept(log: Log): Promise<readonly number[]> {
  return (await readPartitions(log)).flat().map(numberOf)
}

/** Drops the older half of what is there; one key fills one partition. */
async function dropHalf(log: Log): Promise<void> {
  for (let partition = 0; partition < 2; partition++) {
    const { startOffset, endOffset } = await log.bounds(TOPIC, partition)
    await log.retain(TOPIC, partition, {
      keepFromOffset: Math.floor((startOffset + endOffset) / 2),
      olderThanMs: Number.MAX_SAFE_INTEGER,
      maxBytes: 0,
    })
  }
}

test('a full disk refuses new events, keeps what it took, and goes on once a file is deleted', async (t) => {
  const disk = tinyDisk(t)
  if (disk === undefined) return
  const ballast = join(disk, 'ballast')
  writeFileSync(ballast, new Uint8Array(1_500_000))
  const directory = join(disk, 'log')
  const log = await openLog(directory)
  try {
    await log.ensureTopic(TOPIC, { partitions: 2 })
    const before = await appendUntilFull(log, 0)
    ok(before.length > 0)
    equal((await appendBatch(log, 1_000_000))?.code, 'log-full')
    deepEqual(await kept(log), before)
    rmSync(ballast)
    const after = await appendUntilFull(log, 10_000)
    ok(after.length > 0, 'nothing was taken after there was room')
    deepEqual(await kept(log), [...before, ...after])
  } finally {
    await log.close()
  }
  const again = await openLog(directory)
  ok((await kept(again)).length > 0)
  await again.close()
})

test('a disk that the log filled itself takes events again each time old ones are dropped', async (t) => {
  const disk = tinyDisk(t)
  if (disk === undefined) return
  const log = await openLog(join(disk, 'log'))
  try {
    await log.ensureTopic(TOPIC, { partitions: 2 })
    let all: readonly number[] = []
    for (let round = 0; round < 6; round++) {
      const acked = await appendUntilFull(log, round * 10_000)
      ok(acked.length > 0, `round ${round}: nothing was taken after records were dropped`)
      all = [...all, ...acked]
      await dropHalf(log)
      const left = await kept(log)
      deepEqual(left, all.slice(all.length - left.length))
      ok(left.length > 0 && left.length < all.length)
    }
  } finally {
    await log.close()
  }
})

test('on a disk without one free byte dropping old events makes room for new ones', async (t) => {
  const disk = tinyDisk(t)
  if (disk === undefined) return
  const log = await openLog(join(disk, 'log'))
  try {
    await log.ensureTopic(TOPIC, { partitions: 2 })
    let all = await appendUntilFull(log, 0)
    fillToTheLastByte(join(disk, 'ballast'))
    for (let round = 1; round < 6; round++) {
      await dropHalf(log)
      const acked = await appendUntilFull(log, round * 10_000)
      ok(acked.length > 0, `round ${round}: nothing was taken after records were dropped`)
      all = [...all, ...acked]
      const left = await kept(log)
      deepEqual(left, all.slice(all.length - left.length))
    }
  } finally {
    await log.close()
  }
})

test('what was dropped last is room for the very next append, even for a large one', async (t) => {
  const disk = tinyDisk(t, 24)
  if (disk === undefined) return
  const log = await openLog(join(disk, 'log'))
  try {
    await log.ensureTopic(TOPIC, { partitions: 2 })
    let large = 0
    while ((await appendBatch(log, large, 1_000)) === undefined) large += 1_000
    const small = await appendUntilFull(log, large)
    fillToTheLastByte(join(disk, 'ballast'))
    // Few enough chunks that one transaction drops them all.
    await log.retain(TOPIC, await usedPartition(log), {
      keepFromOffset: 7_500,
      olderThanMs: Number.MAX_SAFE_INTEGER,
      maxBytes: 0,
    })
    equal(await appendBatch(log, 1_000_000, 1_000), undefined)
    deepEqual((await kept(log)).slice(-1_001), [
      small.at(-1) ?? large - 1,
      ...Array.from({ length: 1_000 }, (_, index) => 1_000_000 + index),
    ])
  } finally {
    await log.close()
  }
})

/** One key fills one partition. */
async function usedPartition(log: Log): Promise<number> {
  return (await log.bounds(TOPIC, 0)).endOffset > 0 ? 0 : 1
}

test('a disk that others filled to the last byte refuses without a word on standard error', async (t) => {
  const disk = tinyDisk(t)
  if (disk === undefined) return
  const directory = join(disk, 'log')
  const first = await runAppender({ directory, count: 5 })
  equal(first.acked.length, 5, first.stderr)
  fillToTheLastByte(join(disk, 'ballast'))
  const second = await runAppender({ directory, first: 100, count: 2_000, valueBytes: 4_000 })
  ok(second.ended, second.stderr)
  ok(second.refused.length > 0)
  for (const { code, retry } of second.refused) deepEqual([code, retry], ['log-full', 'later'])
  equal(second.stderr, '')
  rmSync(join(disk, 'ballast'))
  const third = await runAppender({ directory, first: 10_000, count: 5 })
  equal(third.acked.length, 5, third.stderr)
  const log = await openLog(directory)
  deepEqual(
    (await kept(log)).toSorted((a, b) => a - b),
    [...first.acked, ...second.acked, ...third.acked],
  )
  await log.close()
})

test('a quota that shows only when writing refuses events for as long as it lasts', async (t) => {
  if (!requireStrace(t)) return
  const directory = join(temporaryDirectory(t), 'log')
  // The file is extended on the first append; the third try of it succeeds.
  const inject = 'inject=pwrite64:error=EDQUOT:when=5..6'
  const outcome = await runAppender({
    directory,
    count: 20,
    under: ['strace', '-f', '-e', 'trace=pwrite64', '-e', inject, '-o', '/dev/null'],
  })
  ok(outcome.ended, outcome.stderr)
  for (const { code, retry } of outcome.refused) deepEqual([code, retry], ['log-full', 'later'])
  ok(outcome.refused.length > 0 && outcome.acked.length > 0, outcome.lines.join('\n'))
  const log = await openLog(directory)
  deepEqual(
    (await kept(log)).toSorted((a, b) => a - b),
    outcome.acked,
  )
  await log.close()
})

test('a log with a size of its own refuses at it, and takes events again after old ones are dropped', async (t) => {
  const directory = join(temporaryDirectory(t), 'log')
  const maxBytes = 3_000_000
  const log = await openLmdbLog({ directory, clock: systemClock(), mode: 'write', maxBytes })
  try {
    await log.ensureTopic(TOPIC, { partitions: 2 })
    const before = await appendUntilFull(log, 0)
    ok(before.length * VALUE_BYTES > maxBytes / 2, `${before.length} records fit`)
    ok(before.length * VALUE_BYTES < maxBytes)
    equal((await appendBatch(log, 1_000_000))?.code, 'log-full')
    await dropHalf(log)
    ok((await appendUntilFull(log, 10_000)).length > 0)
    ok(statSync(join(directory, 'data.mdb')).size < 4 * maxBytes)
  } finally {
    await log.close()
  }
})

function fillToTheLastByte(file: string): void {
  const filled = spawnSync('dd', ['if=/dev/zero', `of=${file}`, 'bs=4096'], { encoding: 'utf8' })
  ok(/No space left/.test(filled.stderr), filled.stderr)
}
