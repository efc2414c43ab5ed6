// `outrider bench`: measures the program on this machine against its own limits. The benchmark stands
// outside of the program, in bench/, and runs in a process of its own.

import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { fileURLToPath } from 'node:url'
import type { Command } from 'commander'
import { carryOut, FAILED, UsageError } from '../command-line.ts'

const BENCHMARK = fileURLToPath(new URL('../../../bench/main.ts', import.meta.url))

interface BenchFlags {
  readonly quick?: true
  readonly only?: string
  readonly json?: true
  readonly cluster?: true
}

export function registerBench(program: Command): void {
  program
    .command('bench')
    .description(
      'measure speed and memory on this machine: forty minutes, with --quick four minutes',
    )
    .option('--quick', 'smaller loads: a rough picture')
    .option(
      '--only <parts>',
      'these parts, as archiving,fleets; a word that is none tells them all',
    )
    .option(
      '--cluster',
      'several processes over Kafka, PostgreSQL and Redis, against the embedded default',
    )
    .option('--json', 'one JSON document on standard output')
    .action((flags: BenchFlags, command: Command) => carryOut(command, () => bench(flags)))
}

async function bench({ only, ...given }: BenchFlags): Promise<number> {
  if (only !== undefined && given.cluster === true) {
    throw new UsageError(
      '--only chooses parts of the embedded default; --cluster measures its own.',
    )
  }
  const flags = Object.entries(given).flatMap(([name, on]) => (on === true ? [`--${name}`] : []))
  if (only !== undefined) flags.push(`--only=${only}`)
  const child = spawn(process.execPath, [BENCHMARK, ...flags], { stdio: 'inherit' })
  // A signal reaches the whole group; the benchmark cleans up, and we wait for it.
  const wait = (): void => undefined
  process.on('SIGINT', wait).on('SIGTERM', () => child.kill('SIGTERM'))
  await once(child, 'exit')
  return child.exitCode ?? FAILED
}
