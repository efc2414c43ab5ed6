// What must hold for every history, with histories drawn at random.

import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { Crank, type CrankResult } from './crank.ts'
import { anyHistory, runStep, type Step, stepsOf } from './probe-history.ts'
import { probePipeline } from './probe-pipeline.ts'

const RUNS = Number(process.env.OUTRIDER_PROPERTY_RUNS ?? 150)

type Interruption = 'none' | 'cut' | 'snapshot' | 'restart' | 'snapshot-and-restart'

async function runHistory(
  steps: readonly Step[],
  after: (index: number) => Interruption,
): Promise<CrankResult> {
  const crank = new Crank(probePipeline({ broadcast: true }))
  for (const [index, step] of steps.entries()) {
    await runStep(crank, step)
    const interruption = after(index)
    if (interruption === 'none') continue
    crank.turn()
    if (interruption.startsWith('snapshot')) crank.snapshot()
    if (interruption.endsWith('restart')) await crank.restart()
  }
  crank.turn()
  return crank.result()
}

const interruptions = fc.array(
  fc.constantFrom<Interruption>(
    'none',
    'none',
    'none',
    'cut',
    'snapshot',
    'restart',
    'snapshot-and-restart',
  ),
  { minLength: 90, maxLength: 90 },
)

test('a batch split anywhere gives the same alerts, archive, windows and state', async () => {
  await fc.assert(
    fc.asyncProperty(
      anyHistory,
      fc.array(fc.boolean(), { minLength: 90, maxLength: 90 }),
      async (drawn, cuts) => {
        const steps = stepsOf(drawn)
        const whole = await runHistory(steps, () => 'none')
        const split = await runHistory(steps, (index) => (cuts[index] === true ? 'cut' : 'none'))
        assert.deepEqual(split, whole)
      },
    ),
    { numRuns: RUNS },
  )
})

test('a restart from any checkpoint gives the same output as no restart', async () => {
  await fc.assert(
    fc.asyncProperty(anyHistory, interruptions, async (drawn, drawnInterruptions) => {
      const steps = stepsOf(drawn)
      const whole = await runHistory(steps, () => 'none')
      const broken = await runHistory(steps, (index) => drawnInterruptions[index] ?? 'none')
      assert.deepEqual(broken, whole)
    }),
    { numRuns: RUNS },
  )
})
