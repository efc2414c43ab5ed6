// A process that carries out workflows and kills itself just before its n-th statement that writes, counted from
// the first effect that it took.

import { writeSync } from 'node:fs'
import pg from 'pg'
import { systemClock } from '../../src/adapters/clock/system-clock.ts'
import { connectDatabase } from '../../src/adapters/postgres/database.ts'
import { openDurableWork } from '../../src/app/durable-work.ts'
import { createArrivalDesk } from '../../src/domains/arrivals/desk.ts'
import { silentLogger } from '../postgres-server.ts'

const { address, smtpUrl, dataDir, killAt, executorId } = JSON.parse(process.env.VICTIM ?? '{}')
/** Once nothing more is written, the workflow waits or is over: the end comes anyway. */
const IDLE_MS = 1_500

const isWrite = /^\s*(?:INSERT|UPDATE|DELETE|WITH)/i
/** What it does besides: says that it lives, looks for effects and for what is due. */
const isBeside =
  /work_executor|streams|queues|WITH me AS|CASE WHEN is_debounced|workflow_deadline_epoch_ms </
const TAKE = 'WITH me AS'
let writes = 0
let idle: NodeJS.Timeout | undefined
let armed = false
/** Connections in a transaction that wrote. */
const written = new WeakSet<pg.Client>()

function counts(client: pg.Client, text: string): boolean {
  if (/^(?:BEGIN|COMMIT)/.test(text)) return written.delete(client) && text.startsWith('COMMIT')
  if (!isWrite.test(text) || isBeside.test(text)) return false
  written.add(client)
  return true
}

/** Says first what it died of. */
function die(said: string): void {
  writeSync(1, said)
  process.kill(process.pid, 'SIGKILL')
}

const original = pg.Client.prototype.query
Object.assign(pg.Client.prototype, {
  query(this: pg.Client, ...given: Parameters<typeof original>) {
    const [query] = given
    const text = typeof query === 'string' ? query : String(Object(query).text ?? '')
    if (counts(this, text) && armed) {
      writes += 1
      if (writes === killAt) die('at a boundary')
      clearTimeout(idle)
      idle = setTimeout(() => die('idle'), IDLE_MS)
    }
    const last: unknown = given.at(-1)
    if (!text.startsWith(TAKE) || typeof last !== 'function') {
      return Reflect.apply(original, this, given)
    }
    const told = (...answer: readonly unknown[]): unknown => {
      armed ||= Number(Object(answer[1]).rowCount) > 0
      return Reflect.apply(last, null, answer)
    }
    return Reflect.apply(original, this, [...given.slice(0, -1), told])
  },
})

const database = connectDatabase({ address })
await openDurableWork({
  settings: {
    dataDir,
    logLevel: 'warn',
    mailFrom: 'outrider@test.example',
    port: 8080,
    publicUrl: 'https://outrider.test.example',
    smtpUrl,
  },
  database: address,
  desk: createArrivalDesk({ database, tell: async () => undefined }),
  executorId,
  clock: systemClock(),
  logger: silentLogger,
})
