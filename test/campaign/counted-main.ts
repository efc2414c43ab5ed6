// `npm run faults -- NUMBER [--seed S] [--share 0.1]`: one fault of FAULTS at its full count; exit 1 where a promise
// was broken.

import { parseArgs } from 'node:util'
import { COUNTED, type CountedReport, runCounted } from './counted.ts'
import { runDatabaseTrial } from './database-trial.ts'
import { stageMissing } from './stage.ts'

const DATABASE = '11'
const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: { seed: { type: 'string', default: '1' }, share: { type: 'string', default: '1' } },
})
const [number = ''] = positionals
const trial = COUNTED[number]
const seed = Number(values.seed)
const share = Number(values.share)
if ((trial === undefined && number !== DATABASE) || !Number.isInteger(seed) || !(share > 0)) {
  const numbers = [...Object.keys(COUNTED), DATABASE].sort((a, b) => Number(a) - Number(b))
  console.error(`Use: npm run faults -- ${numbers.join('|')} [--seed 1] [--share 1]`)
  process.exit(2)
}
const missing = stageMissing()
if (missing.length > 0) {
  console.error(`This can't be run here:\n  ${missing.join('\n  ')}`)
  process.exit(1)
}
const options = { seed, share, say: (line: string) => console.log(line) }
const report =
  trial === undefined ? await runDatabaseTrial(options) : await runCounted(trial, options)
console.log(text(report))
process.exit(report.violations.length === 0 ? 0 : 1)

function text({ title, seed: its, faults, figures, violations }: CountedReport): string {
  const rows = [...Object.entries(faults), ...Object.entries(figures)]
  return [
    `\n${title}, seed ${its}`,
    ...rows.map(([name, value]) => `  ${name.padEnd(32)}${value}`),
    `  ${'violations'.padEnd(32)}${violations.length}`,
    ...violations.map((violation) => `    ${violation}`),
  ].join('\n')
}
