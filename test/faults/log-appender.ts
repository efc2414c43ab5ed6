// A small program for the fault tests: appends numbered records and says on standard output, without
// any buffering, what became of each: `ack N`, or `refused N CODE RETRY`; `end` when it is through.

import { writeSync } from 'node:fs'
import { parseArgs } from 'node:util'
import { systemClock } from '../../src/adapters/clock/system-clock.ts'
import { openLmdbLog } from '../../src/adapters/log/lmdb-log.ts'
import { PlatformError } from '../../src/kernel/errors.ts'
import type { Log, NewRecord } from '../../src/ports/log.ts'

const TOPIC = 'faults'
const PARTITIONS = 2

const { values: options } = parseArgs({
  options: {
    directory: { type: 'string', default: '' },
    first: { type: 'string', default: '0' },
    count: { type: 'string', default: '1' },
    /** Appends under way at a time. */
    concurrency: { type: 'string', default: '1' },
    /** Handles on the log, each with a writer thread of its own, used in turn. */
    handles: { type: 'string', default: '1' },
    valueBytes: { type: 'string', default: '100' },
  },
})

const last = Number(options.first) + Number(options.count)
const valueBytes = Number(options.valueBytes)
const logs = await Promise.all(Array.from({ length: Number(options.handles) }, open))
let next = Number(options.first)
await Promise.all(Array.from({ length: Number(options.concurrency) }, appendInTurn))
for (const log of logs) await log.close()
say('end')

async function open(): Promise<Log> {
  const { directory } = options
  const log = await openLmdbLog({ directory, clock: systemClock(), mode: 'write' })
  await log.ensureTopic(TOPIC, { partitions: PARTITIONS })
  return log
}

async function appendInTurn(): Promise<void> {
  while (next < last) {
    const number = next++
    try {
      await logs[number % logs.length]?.append(TOPIC, [recordOf(number)])
      say(`ack ${number}`)
    } catch (error) {
      if (!(error instanceof PlatformError)) throw error
      say(`refused ${number} ${error.code} ${error.retry}`)
    }
  }
}

function recordOf(number: number): NewRecord {
  return {
    key: `key-${number % 7}`,
    value: Buffer.from(`marker-${number};`.padEnd(valueBytes, '.')),
    receivedAtMs: number,
    tenantId: 'default',
  }
}

function say(line: string): void {
  for (;;) {
    try {
      writeSync(1, `${line}\n`)
      return
    } catch (error) {
      // Whoever reads is behind; waiting for them here is the point.
      if (!(error instanceof Error && 'code' in error && error.code === 'EAGAIN')) throw error
    }
  }
}
