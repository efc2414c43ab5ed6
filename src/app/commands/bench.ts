// `outrider bench`: measures the program on this machine against its own limits. The benchmark stands
// outside of the program, in bench/, and runs in a process of its own.

import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { fileURLToPath } from 'node:url'
import type { Command } from 'commander'
import { carryOut, FAILED } from '../command-line.ts'

const BENCHMARK = fileURLToPath(new URL('../../../bench/main.ts', import.meta.url))

interface BenchFlags {
  readonly quick?: true
  readonly json?: true
  readonly cluster?: true
}

export function registerBench(program: Command): void {
  program
    .command('bench')
    .description('measure speed and memory on this machine: some five minutes, with --quick one')
    .option('--quick', 'smaller loads: a rough picture within a minute')
    .option(
      '--cluster',
      'several processes over Kafka, PostgreSQL and Redis, against the embedded default',
    )
    .option('--json', 'one JSON document on standard output')
    .action((flags: BenchFlags, command: Command) => carryOut(command, () => bench(flags)))
}

async function bench({ quick, json, cluster }: BenchFlags): Promise<number> {
  const given = { quick, json, cluster }
  const flags = Object.entries(given).flatMap(([name, on]) => (on === true ? [`--${name}`] : []))
  const child = spawn(process.execPath, [BENCHMARK, ...flags], { stdio: 'inherit' })
  // A signal reaches the whole group; the benchmark cleans up, and we wait for it.
  const wait = (): void => undefined
  process.on('SIGINT', wait).on('SIGTERM', () => child.kill('SIGTERM'))
  await once(child, 'exit')
  return child.exitCode ?? FAILED
}
