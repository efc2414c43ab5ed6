import { equal, ok } from 'node:assert/strict'
import { test } from 'node:test'
import { SNAPSHOT_TIME_SHARE, SnapshotBudget } from './snapshot-budget.ts'

test('tasks that all want snapshots all the time take them one after the other, in their share of the time', () => {
  const budget = new SnapshotBudget()
  const steps = 25
  const stepMs = 2
  const left = new Array<number>(8).fill(0)
  let nowMs = 0
  let spentMs = 0
  while (nowMs < 60_000) {
    for (const [task, stepsLeft] of left.entries()) {
      if (stepsLeft === 0 && !budget.allows(nowMs)) continue
      left[task] = (stepsLeft === 0 ? steps : stepsLeft) - 1
      nowMs += stepMs
      spentMs += stepMs
      budget.spend(nowMs, { tookMs: stepMs, keys: 40, ahead: 0 })
      ok(left.filter((each) => each > 0).length <= 1)
    }
    nowMs += 1
  }
  ok(spentMs / nowMs <= SNAPSHOT_TIME_SHARE + 0.001, `${spentMs} of ${nowMs} ms`)
  ok(spentMs / nowMs > 0.9 * SNAPSHOT_TIME_SHARE, `${spentMs} of ${nowMs} ms`)
})

test('what took no time lets the next one begin at once', () => {
  const budget = new SnapshotBudget()
  equal(budget.allows(0), true)
  budget.spend(5, { tookMs: 0, keys: 0, ahead: 0 })
  equal(budget.allows(5), true)
  budget.spend(7, { tookMs: 3, keys: 40, ahead: 0 })
  equal(budget.allows(7 + 3 / SNAPSHOT_TIME_SHARE - 1), false)
  equal(budget.allows(7 + 3 / SNAPSHOT_TIME_SHARE), true)
})

test('keys written among events count as long as the others took', () => {
  const budget = new SnapshotBudget()
  budget.spend(0, { tookMs: 6, keys: 0, ahead: 0 })
  budget.spend(100, { tookMs: 2, keys: 40, ahead: 0 })
  budget.spend(104, { tookMs: 0, keys: 0, ahead: 1_000 })
  const costMs = 2 + (1_000 / 40) * 2
  const freeAtMs = 100 + costMs / SNAPSHOT_TIME_SHARE
  equal(budget.allows(freeAtMs - 1), false)
  equal(budget.allows(freeAtMs + 1), true)
})
