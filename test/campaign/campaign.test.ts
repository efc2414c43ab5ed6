import { deepEqual, ok } from 'node:assert/strict'
import { test } from 'node:test'
import { requireOrSkip } from '../requirements.ts'
import { runCampaign } from './campaign.ts'
import { seededDice } from './dice.ts'
import { FAULTS, faultOrder } from './faults.ts'
import { stageMissing } from './stage.ts'

const MINUTES = 1.5
const TIMEOUT_MS = 600_000

test('a campaign against the whole cluster breaks no promise', {
  timeout: TIMEOUT_MS,
}, async (t) => {
  const missing = stageMissing()
  if (!requireOrSkip(t, 'Kafka, PostgreSQL and Redis', missing.length === 0, missing.join('; ')))
    return
  const report = await runCampaign({ seed: 1, minutes: MINUTES, say: (line) => t.diagnostic(line) })
  t.diagnostic(JSON.stringify(report))
  deepEqual(report.violations, [])
  ok(report.acknowledged > 1_000)
  ok(Object.keys(report.faults).length >= 3)
})

test('the same seed gives the same order of faults, and each round has all of them', () => {
  const first = (seed: number): readonly string[] => {
    const order = faultOrder(seededDice(seed), FAULTS)
    return Array.from({ length: FAULTS.length }, () => String(order.next().value))
  }
  deepEqual(first(7), first(7))
  deepEqual([...first(7)].sort(), [...FAULTS].sort())
})

test('a campaign of some faults has only those', () => {
  const order = faultOrder(seededDice(1), ['task-killed', 'link-cut'])
  const six = Array.from({ length: 6 }, () => String(order.next().value))
  deepEqual(six.sort(), [...Array(3).fill('link-cut'), ...Array(3).fill('task-killed')])
})
