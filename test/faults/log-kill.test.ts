// SIGKILL of a process that appends. The page cache survives it, so this shows that the files are
// whole and that nothing is written twice; log-sync.test.ts shows that they are on disk.

import { deepEqual, equal, ok } from 'node:assert/strict'
import { test } from 'node:test'
import { seededRandom } from '../../src/adapters/random/seeded-random.ts'
import {
  checkKept,
  openLog,
  PARTITIONS,
  readPartitions,
  runAppender,
  startAppender,
  TOPIC,
  temporaryDirectory,
} from './log-appender-process.ts'

const KILLS = 12
const SEED = 20_260_101

test('after a SIGKILL at any time every acknowledged record is there once and in order', async (t) => {
  const directory = temporaryDirectory(t)
  const random = seededRandom(SEED)
  const acked: number[] = []
  for (let kill = 0; kill < KILLS; kill++) {
    const first = kill * 1_000_000
    const appender = startAppender({ directory, first, count: 1_000_000, concurrency: 8 })
    const wanted = 1 + Math.floor(random.next() * 400)
    await appender.acks(wanted)
    appender.process.kill('SIGKILL')
    const outcome = await appender.outcome
    ok(outcome.acked.length >= wanted, `seed ${SEED}, kill ${kill}: ${outcome.stderr}`)
    equal(outcome.ended, false)
    acked.push(...outcome.acked)
    await checkKept(directory, acked)
  }
  t.diagnostic(`${KILLS} kills, ${acked.length} acknowledged records, none lost or repeated`)
})

test('a process that is killed while it writes does not hold up another one', async (t) => {
  const directory = temporaryDirectory(t)
  const log = await openLog(directory)
  try {
    await log.ensureTopic(TOPIC, { partitions: PARTITIONS })
    for (let kill = 0; kill < 4; kill++) {
      const appender = startAppender({
        directory,
        first: kill * 1_000_000,
        count: 1_000_000,
        concurrency: 8,
      })
      await appender.acks(50)
      appender.process.kill('SIGKILL')
      await log.append(TOPIC, [
        { key: 'own', value: Buffer.from(`own ${kill}`), receivedAtMs: kill, tenantId: 'default' },
      ])
      await appender.outcome
    }
    const own = (await readPartitions(log)).flat().filter(({ key }) => key === 'own')
    deepEqual(
      own.map(({ value }) => Buffer.from(value).toString()),
      ['own 0', 'own 1', 'own 2', 'own 3'],
    )
  } finally {
    await log.close()
  }
})

test('the program that is killed in these tests ends well when it is not', async (t) => {
  const directory = temporaryDirectory(t)
  const outcome = await runAppender({ directory, count: 100, concurrency: 4 })
  equal(outcome.ended, true, outcome.stderr)
  equal(outcome.acked.length, 100)
  await checkKept(directory, outcome.acked)
})
