// `npm run faults -- NUMBER [--seed S] [--share 0.1]`: one fault of FAULTS at its full count; exit 1 where a promise
// was broken.

import { parseArgs } from 'node:util'
import { COUNTED, type CountedReport, runCounted } from './counted.ts'
import { runDatabaseTrial } from './database-trial.ts'
import { stageMissing } from './stage.ts'
import { runWebhookTrial } from './webhook-trial.ts'

/** Those that have a stage of their own, and whether they need the servers of the others. */
const OWN = {
  '11': { run: runDatabaseTrial, needsServers: true },
  '13': { run: runWebhookTrial, needsServers: false },
} as const
const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    seed: { type: 'string', default: '1' },
    share: { type: 'string', default: '1' },
    help: { type: 'boolean', default: false },
  },
})
const [number = ''] = positionals
const trial = COUNTED[number]
const own = number === '11' || number === '13' ? OWN[number] : undefined
const seed = Number(values.seed)
const share = Number(values.share)
const isRunnable = trial !== undefined || own !== undefined
if (values.help || !isRunnable || !Number.isInteger(seed) || !(share > 0)) {
  const numbers = [...Object.keys(COUNTED), ...Object.keys(OWN)].sort(
    (a, b) => Number(a) - Number(b),
  )
  console.error(`Use: npm run faults -- ${numbers.join('|')} [--seed 1] [--share 1]`)
  process.exit(values.help ? 0 : 2)
}
const missing = own?.needsServers === false ? [] : stageMissing()
if (missing.length > 0) {
  console.error(`This can't be run here:\n  ${missing.join('\n  ')}`)
  process.exit(1)
}
const options = { seed, share, say: (line: string) => console.log(line) }
const report = trial === undefined ? await own?.run(options) : await runCounted(trial, options)
if (report === undefined) process.exit(2)
console.log(text(report))
process.exit(report.violations.length === 0 ? 0 : 1)

function text({ title, seed: its, faults, figures, violations }: CountedReport): string {
  const rows = [...Object.entries(faults), ...Object.entries(figures)]
  return [
    `\n${title}${share === 1 ? '' : `, ${share} of the full count`}, seed ${its}`,
    ...rows.map(([name, value]) => `  ${name.padEnd(32)}${value}`),
    `  ${'violations'.padEnd(32)}${violations.length}`,
    ...violations.map((violation) => `    ${violation}`),
  ].join('\n')
}
