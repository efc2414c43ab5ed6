// Runs the simulation by itself, or one seed of it again:
//
//   node test/simulation/run.ts --seed S [--trial crash|wild] [--points N]
//   node test/simulation/run.ts --seeds N [--from S] [--trial crash|wild] [--points N]
//   node test/simulation/run.ts --plant NAME ...       with a bug planted on purpose
//
// Prints counts; ends with 1 at the first seed where something is wrong, and with the command that
// replays it.

import { parseArgs } from 'node:util'
import { plant } from './plant.ts'
import { plants } from './plants.ts'

const { values } = parseArgs({
  options: {
    seed: { type: 'string' },
    seeds: { type: 'string' },
    from: { type: 'string', default: '0' },
    trial: { type: 'string' },
    points: { type: 'string', default: '100' },
    plant: { type: 'string' },
    list: { type: 'boolean', default: false },
  },
})

if (values.list) {
  for (const { name, story } of plants) process.stdout.write(`${name}: ${story}\n`)
  process.exit(0)
}
if (values.plant !== undefined) {
  const found = plants.find(({ name }) => name === values.plant)
  if (found === undefined) throw new Error(`There is no plant ${values.plant}.`)
  plant(found)
}

// Only now, so that what is planted is in it.
const { crashTrial, wildTrial } = await import('./trials.ts')

const first = Number(values.seed ?? values.from)
const end = values.seed === undefined ? first + Number(values.seeds ?? 100) : first + 1
const trials = values.trial === undefined ? ['crash', 'wild'] : [values.trial]
const points = Number(values.points)
const startedMs = Date.now()
const nothing = { worlds: 0, crashes: 0, lives: 0, commits: 0, told: 0 }
const tally = { ...nothing, seeds: 0 }

for (let seed = first; seed < end; seed++) {
  tally.seeds++
  for (const trial of trials) {
    const report = await (trial === 'crash' ? crashTrial(seed, points) : wildTrial(seed)).catch(
      (error: unknown) => ({ ...nothing, problems: [String(error)] }),
    )
    tally.worlds += report.worlds
    tally.crashes += report.crashes
    tally.lives += report.lives
    tally.commits += report.commits
    tally.told += report.told
    if (report.problems.length === 0) continue
    const planted = values.plant === undefined ? '' : ` --plant ${values.plant}`
    process.stdout.write(
      `Seed ${seed} (${trial}) failed:\n${report.problems.slice(0, 5).join('\n')}\n` +
        `Replay: node test/simulation/run.ts --seed ${seed} --trial ${trial} --points ${points}${planted}\n`,
    )
    print()
    process.exit(1)
  }
}
print()

function print(): void {
  const seconds = ((Date.now() - startedMs) / 1_000).toFixed(1)
  process.stdout.write(`${JSON.stringify({ trials, ...tally, seconds: Number(seconds) })}\n`)
}
