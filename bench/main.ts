// The benchmark as a process: a table or a document on standard output, progress on standard error.

import { parseArgs } from 'node:util'
import { PARTS, runBenchmark } from './benchmark.ts'
import { cleanUp } from './clean-up.ts'
import { tableOf } from './report.ts'

const { values } = parseArgs({
  options: {
    quick: { type: 'boolean' },
    only: { type: 'string' },
    json: { type: 'boolean' },
    cluster: { type: 'boolean' },
  },
})
const quick = values.quick === true
const wanted = values.only?.split(',') ?? PARTS
const only = new Set(PARTS.filter((part) => wanted.includes(part)))
if (only.size < new Set(wanted).size) {
  process.stderr.write(`"${values.only}" names what is no part. There are ${PARTS.join(', ')}.\n`)
  process.exit(2)
}

for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) {
  process.once(signal, () => {
    void cleanUp().then(() => process.exit(1))
  })
}

const report = await runBenchmark({
  quick,
  only,
  cluster: values.cluster === true,
  say: (text) => process.stderr.write(`${text} …\n`),
})
if (values.json === true) process.stdout.write(`${JSON.stringify(report)}\n`)
else {
  const { machine, seconds, problems } = report
  const lines = [
    '',
    tableOf(report),
    '',
    `${machine.cores} cores of ${machine.cpu}, ${machine.memoryGb} GB, Node ${machine.node}; ` +
      `${Math.round(seconds)} s; load average before: ${machine.loadBefore.toFixed(1)}`,
    ...problems.map((problem) => `PROBLEM: ${problem}`),
  ]
  process.stdout.write(`${lines.join('\n')}\n`)
}
process.exitCode = report.problems.length > 0 ? 1 : 0
