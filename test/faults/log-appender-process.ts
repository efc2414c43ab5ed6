// Runs the appending program, alone or under strace, and checks what it left in the log.

import { deepEqual, equal, ok } from 'node:assert/strict'
import { type ChildProcess, spawn, spawnSync } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import type { TestContext } from 'node:test'
import { fileURLToPath } from 'node:url'
import { systemClock } from '../../src/adapters/clock/system-clock.ts'
import { openLmdbLog } from '../../src/adapters/log/lmdb-log.ts'
import type { Log, LogRecord } from '../../src/ports/log.ts'
import { requireOrSkip } from '../requirements.ts'

const PROGRAM = fileURLToPath(new URL('./log-appender.ts', import.meta.url))
export const TOPIC = 'faults'
export const PARTITIONS = 2
const NO_LIMIT = { records: 1_000_000, bytes: 1_000_000_000 }

export interface AppenderOptions {
  readonly directory: string
  readonly first?: number
  readonly count: number
  readonly concurrency?: number
  readonly handles?: number
  readonly valueBytes?: number
  /** strace and its arguments, before the program's own. */
  readonly under?: readonly string[]
}

export interface Refusal {
  readonly number: number
  readonly code: string
  readonly retry: string
}

export interface AppenderOutcome {
  readonly acked: readonly number[]
  readonly refused: readonly Refusal[]
  /** Every line in the order it was said. */
  readonly lines: readonly string[]
  readonly ended: boolean
  readonly stderr: string
}

export interface RunningAppender {
  readonly process: ChildProcess
  /** Resolves after so many acknowledgements, or when the program ends. */
  acks(count: number): Promise<void>
  readonly outcome: Promise<AppenderOutcome>
}

export function temporaryDirectory(t: TestContext): string {
  const directory = mkdtempSync(join(tmpdir(), 'outrider-log-'))
  t.after(() => rmSync(directory, { recursive: true, force: true }))
  return directory
}

export function requireStrace(t: TestContext): boolean {
  const probe = spawnSync('strace', ['-f', '-e', 'trace=none', 'true'], { encoding: 'utf8' })
  const reason =
    probe.error === undefined
      ? `strace can't trace here: ${probe.stderr.trim()}`
      : 'strace is not installed'
  return requireOrSkip(t, 'strace', probe.status === 0, reason)
}

export function startAppender(options: AppenderOptions): RunningAppender {
  const { directory, first = 0, count, concurrency = 1, handles = 1 } = options
  const { valueBytes = 100, under = [] } = options
  const [command = process.execPath, ...commandArguments] = [
    ...under,
    process.execPath,
    PROGRAM,
    `--directory=${directory}`,
    `--first=${first}`,
    `--count=${count}`,
    `--concurrency=${concurrency}`,
    `--handles=${handles}`,
    `--valueBytes=${valueBytes}`,
  ]
  const child = spawn(command, commandArguments, { stdio: ['ignore', 'pipe', 'pipe'] })
  const lines: string[] = []
  const errors: string[] = []
  const waiting: { readonly count: number; readonly resolve: () => void }[] = []
  let acked = 0
  let over = false
  const wake = (): void => {
    for (const { count: wanted, resolve } of waiting) if (over || acked >= wanted) resolve()
  }
  child.stderr.setEncoding('utf8').on('data', (text: string) => errors.push(text))
  const reader = createInterface({ input: child.stdout })
  reader.on('line', (line) => {
    lines.push(line)
    if (line.startsWith('ack ')) acked++
    wake()
  })
  const closed = Promise.all([once(child, 'close'), once(reader, 'close')])
  return {
    process: child,
    acks: (wanted) =>
      new Promise((resolve) => {
        waiting.push({ count: wanted, resolve })
        wake()
      }),
    outcome: closed.then(() => {
      over = true
      wake()
      return outcomeOf(lines, errors.join(''))
    }),
  }
}

export function runAppender(options: AppenderOptions): Promise<AppenderOutcome> {
  return startAppender(options).outcome
}

function outcomeOf(lines: readonly string[], stderr: string): AppenderOutcome {
  const acked: number[] = []
  const refused: Refusal[] = []
  for (const line of lines) {
    const [word, number, code = '', retry = ''] = line.split(' ')
    if (word === 'ack') acked.push(Number(number))
    if (word === 'refused') refused.push({ number: Number(number), code, retry })
  }
  return { acked, refused, lines, ended: lines.at(-1) === 'end', stderr }
}

export function openLog(directory: string): Promise<Log> {
  return openLmdbLog({ directory, clock: systemClock(), mode: 'write' })
}

/** All records of the topic by partition, after a check that their offsets leave no gap. */
export async function readPartitions(log: Log): Promise<readonly (readonly LogRecord[])[]> {
  const partitions: (readonly LogRecord[])[] = []
  for (let partition = 0; partition < PARTITIONS; partition++) {
    const { startOffset, endOffset } = await log.bounds(TOPIC, partition)
    const { records, nextOffset } = await log.read(TOPIC, partition, startOffset, NO_LIMIT)
    equal(nextOffset, endOffset)
    deepEqual(
      records.map(({ offset }) => offset),
      Array.from({ length: endOffset - startOffset }, (_, index) => startOffset + index),
    )
    partitions.push(records)
  }
  return partitions
}

export const numberOf = ({ value }: LogRecord): number =>
  Number(/^marker-(\d+);/.exec(Buffer.from(value).toString())?.[1])

/** Each acknowledged record is there once; whatever else is there is there once and in order. */
export async function checkKept(directory: string, acked: readonly number[]): Promise<void> {
  const log = await openLog(directory)
  try {
    const found = new Set<number>()
    for (const records of await readPartitions(log)) {
      let before = -1
      for (const record of records) {
        const number = numberOf(record)
        ok(number > before, `record ${number} comes after ${before}`)
        before = number
        found.add(number)
      }
    }
    const lost = acked.filter((number) => !found.has(number))
    deepEqual(lost, [], 'acknowledged records that are missing')
  } finally {
    await log.close()
  }
}
