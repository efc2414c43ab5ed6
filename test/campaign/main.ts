// `npm run campaign -- --seed S --minutes M [--faults A,B]`: faults against the whole cluster; exit 1 where anything broke.

import { parseArgs } from 'node:util'
import { runCampaign } from './campaign.ts'
import { FAULTS } from './faults.ts'
import { stageMissing } from './stage.ts'

const { values } = parseArgs({
  options: {
    seed: { type: 'string', default: '1' },
    minutes: { type: 'string', default: '5' },
    faults: { type: 'string', default: FAULTS.join() },
  },
})
const seed = Number(values.seed)
const minutes = Number(values.minutes)
const named = values.faults.split(',')
const faults = FAULTS.filter((fault) => named.includes(fault))
if (!Number.isInteger(seed) || !(minutes > 0) || faults.length !== named.length) {
  console.error(`Use: npm run campaign -- --seed 1 --minutes 5 [--faults ${FAULTS.join()}]`)
  process.exit(2)
}
const missing = stageMissing()
if (missing.length > 0) {
  console.error(`A campaign can't run here:\n  ${missing.join('\n  ')}`)
  process.exit(1)
}
const report = await runCampaign({ seed, minutes, faults, say: (line) => console.log(line) })
console.log(`
Seed ${report.seed}
Faults
${FAULTS.map((fault) => `  ${fault.padEnd(18)}${report.faults[fault] ?? 0}`).join('\n')}
Events acknowledged   ${report.acknowledged.toLocaleString('en')} (${report.retries} requests were sent again)
Slowest answer        ${report.slowestAcknowledgementMs} ms
Checkpoints, claims   ${report.taskSteps}, of which ${report.claims} claims
Archived after        ${(report.drainedMs / 1_000).toFixed(1)} s once faults were over
Violations            ${report.violations.length}`)
for (const violation of report.violations) console.log(`  ${violation}`)
process.exit(report.violations.length === 0 ? 0 : 1)
