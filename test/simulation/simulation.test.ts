// The simulation as part of the tests: a short form always, the whole of it with OUTRIDER_SIMULATION=long.
// `node test/simulation/run.ts --seed S` runs one seed again.

import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { type TestContext, test } from 'node:test'
import { fileURLToPath } from 'node:url'
import { PLANT_FAILED } from './plant.ts'
import { type Plant, plants } from './plants.ts'

const long = process.env.OUTRIDER_SIMULATION === 'long'
const run = fileURLToPath(new URL('run.ts', import.meta.url))
const planted = fileURLToPath(new URL('planted.ts', import.meta.url))
const properties = fileURLToPath(new URL('properties.test.ts', import.meta.url))
const examples = fileURLToPath(new URL('../../src/streams/task.test.ts', import.meta.url))
/** Child processes at a time. */
const AT_ONCE = 2

interface Ended {
  readonly code: number | null
  readonly output: string
}

function start(args: readonly string[], environment: NodeJS.ProcessEnv = {}): Promise<Ended> {
  return new Promise((resolve, reject) => {
    const { NODE_TEST_CONTEXT: _, ...own } = process.env
    const child = spawn(process.execPath, args, { env: { ...own, ...environment } })
    let output = ''
    child.stdout.on('data', (text: Buffer) => {
      output += text.toString()
    })
    child.stderr.on('data', (text: Buffer) => {
      output += text.toString()
    })
    child.on('error', reject)
    child.on('close', (code) => resolve({ code, output }))
  })
}

async function everySeed(
  t: TestContext,
  trial: 'crash' | 'wild',
  amount: { readonly seeds: number; readonly points: number },
): Promise<void> {
  const share = Math.ceil(amount.seeds / AT_ONCE)
  const parts = Array.from({ length: AT_ONCE }, (_, part) => {
    const size = Math.min(share, amount.seeds - part * share)
    const seeds = ['--from', String(part * share), '--seeds', String(size)]
    return start([run, '--trial', trial, '--points', String(amount.points), ...seeds])
  })
  for (const { code, output } of await Promise.all(parts)) {
    assert.equal(code, 0, output)
    t.diagnostic(output.trim())
  }
}

test('a crash at any call leaves the archive, alerts, windows and state of a run without one', (t) =>
  everySeed(t, 'crash', long ? { seeds: 1_000, points: 101 } : { seeds: 12, points: 12 }))

test('errors, delays, deaths and zombies lose nothing, repeat nothing and end when faults stop', (t) =>
  everySeed(t, 'wild', long ? { seeds: 10_000, points: 0 } : { seeds: 80, points: 0 }))

/** Which of them the short form tries: those that show within a second or two. */
const QUICK = new Set([
  'no-fence',
  'fence-by-offset-only',
  'offset-before-output',
  'retry-with-other-content',
  'journal-not-written',
  'repeats-not-dropped',
  'restore-skips-the-log',
  'tick-while-lagging',
])

test('bugs planted on purpose are noticed, every one', async (t) => {
  const waiting = plants.filter(({ name }) => long || QUICK.has(name))
  const tried = waiting.length
  const unnoticed: string[] = []
  const work = async (): Promise<void> => {
    for (let next = waiting.shift(); next !== undefined; next = waiting.shift()) {
      const { code, output } = await trialOf(next)
      if (code === 1) continue
      unnoticed.push(code === PLANT_FAILED ? output : `${next.name}: ${next.story}`)
    }
  }
  await Promise.all(Array.from({ length: AT_ONCE }, work))
  assert.deepEqual(unnoticed, [])
  t.diagnostic(`${tried} of ${tried} noticed`)
})

function trialOf({ name, noticedBy }: Plant): Promise<Ended> {
  if (noticedBy !== undefined) {
    const file = noticedBy === 'properties' ? properties : examples
    return start(['--import', planted, '--test', file], { OUTRIDER_PLANT: name })
  }
  return start([run, '--plant', name, '--seeds', '300', '--points', '8'])
}
