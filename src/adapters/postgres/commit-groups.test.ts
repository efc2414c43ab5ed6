import assert from 'node:assert/strict'
import { test } from 'node:test'
import { setImmediate as turn } from 'node:timers/promises'
import { HOUR_MS } from '../../kernel/time.ts'
import type { Checkpoint, CommitOutcome } from '../../ports/checkpoint-store.ts'
import { systemClock } from '../clock/system-clock.ts'
import { CommitGroups, type CommitGroupsOptions, LARGE_GROUP_BYTES } from './commit-groups.ts'

interface Running {
  readonly partitions: readonly number[]
  readonly together: boolean
  end(outcome: CommitOutcome | Error): Promise<void>
}

function rig(
  most: number,
  apart: CommitGroupsOptions['apart'] = null,
): {
  readonly groups: CommitGroups
  readonly running: Running[]
  commit(partition: number, bytes?: number): Promise<CommitOutcome>
} {
  const running: Running[] = []
  const begin = (group: readonly Checkpoint[], together: boolean): Promise<CommitOutcome> =>
    new Promise((resolve, reject) => {
      running.push({
        partitions: group.map(({ task }) => task.partition),
        together,
        async end(outcome) {
          if (outcome instanceof Error) reject(outcome)
          else resolve(outcome)
          await turn()
        },
      })
    })
  const groups = new CommitGroups({
    most,
    apart,
    commitTogether: (group) => begin(group, true),
    commitAlone: (checkpoint) => begin([checkpoint], false),
  })
  return {
    groups,
    running,
    commit: (partition, bytes = 100) => groups.commit(checkpoint(partition, bytes)),
  }
}

function checkpoint(partition: number, bytes: number): Checkpoint {
  return {
    task: { pipeline: 'tested', partition },
    ...{ epoch: 1, fromOffset: 0, toOffset: 1, watermarkMs: 0, bytes },
    ...{ archive: [], alerts: [], untold: [], deadLetters: [], outbox: [] },
    ...{ windows: [], rows: [], journal: [] },
  }
}

function at<T>(list: readonly T[], index: number): T {
  const found = list[index]
  assert.ok(found !== undefined, `there is no number ${index} yet`)
  return found
}

test('the first goes at once, and what comes meanwhile goes together', async () => {
  const { running, commit } = rig(4)
  const outcomes = [commit(0), commit(1), commit(2)]
  assert.deepEqual(
    running.map(({ partitions }) => partitions),
    [[0]],
  )
  await at(running, 0).end('committed')
  assert.deepEqual(at(running, 1).partitions, [1, 2])
  outcomes.push(commit(3))
  assert.equal(running.length, 2)
  await at(running, 1).end('committed')
  await at(running, 2).end('committed')
  assert.deepEqual(await Promise.all(outcomes), Array(4).fill('committed'))
})

test('large ones run beside the others, as many as there may be', async () => {
  const { running, commit } = rig(3)
  void commit(0)
  void commit(1, LARGE_GROUP_BYTES)
  void commit(2, LARGE_GROUP_BYTES)
  void commit(3, LARGE_GROUP_BYTES)
  assert.deepEqual(
    running.map(({ partitions }) => partitions),
    [[0], [1], [2]],
  )
  await at(running, 1).end('committed')
  assert.deepEqual(at(running, 3).partitions, [3])
})

test('a small one does not wait for a large one', () => {
  const { running, commit } = rig(2)
  void commit(0, LARGE_GROUP_BYTES)
  void commit(1)
  assert.deepEqual(
    running.map(({ partitions }) => partitions),
    [[0], [1]],
  )
})

test('small ones begin some time apart, unless somebody waits for them', async () => {
  const { groups, running, commit } = rig(4, { clock: systemClock(), intervalMs: HOUR_MS })
  void commit(0)
  await at(running, 0).end('committed')
  void commit(1)
  void commit(2)
  await turn()
  assert.equal(running.length, 1)
  groups.hurry()
  while (running.length < 2) await turn()
  assert.deepEqual(at(running, 1).partitions, [1, 2])
  await at(running, 1).end('committed')
  void commit(3)
  void commit(4, LARGE_GROUP_BYTES)
  assert.deepEqual(at(running, 2).partitions, [3, 4])
  groups.hurry()
})

test('once that time is over, what came meanwhile goes together', async () => {
  const { running, commit } = rig(4, { clock: systemClock(), intervalMs: 20 })
  void commit(0)
  await at(running, 0).end('committed')
  void commit(1)
  void commit(2)
  while (running.length < 2) await turn()
  assert.deepEqual(at(running, 1).partitions, [1, 2])
})

for (const [what, end] of [
  ['of which one is fenced', 'fenced'],
  ['that fails', new Error('connection lost')],
] as const) {
  test(`each of a group ${what} is tried alone, and learns what became of its own`, async () => {
    const { running, commit } = rig(4)
    const first = commit(0)
    const fenced = commit(1)
    const good = commit(2)
    const failing = assert.rejects(commit(3), /no room/)
    await at(running, 0).end('committed')
    await at(running, 1).end(end)
    const alone = running.slice(2)
    assert.deepEqual(
      alone.map(({ partitions, together }) => [...partitions, together]),
      [
        [1, false],
        [2, false],
        [3, false],
      ],
    )
    await at(alone, 0).end('fenced')
    await at(alone, 1).end('committed')
    void commit(4)
    assert.equal(running.length, 5)
    await at(alone, 2).end(new Error('no room'))
    await failing
    assert.deepEqual(await Promise.all([first, fenced, good]), ['committed', 'fenced', 'committed'])
    assert.deepEqual(at(running, 5).partitions, [4])
  })
}
