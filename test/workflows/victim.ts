// A process that carries out workflows and kills itself just before its n-th statement that writes, counted from
// the start of its first workflow.

import pg from 'pg'
import { systemClock } from '../../src/adapters/clock/system-clock.ts'
import { connectDatabase } from '../../src/adapters/postgres/database.ts'
import { openDurableWork } from '../../src/app/durable-work.ts'
import { createArrivalDesk } from '../../src/domains/arrivals/desk.ts'
import { silentLogger } from '../postgres-server.ts'

const { address, smtpUrl, dataDir, killAt, executorId } = JSON.parse(process.env.VICTIM ?? '{}')
/** Once nothing more is written, the workflow waits or is over: the end comes anyway. */
const IDLE_MS = 1_500

const isWrite = /^\s*(?:INSERT|UPDATE|DELETE|COMMIT|WITH)/i
const isBeat = /work_executor|streams|queues/
let writes = 0
let idle: NodeJS.Timeout | undefined
let armed = false

const original = pg.Client.prototype.query
Object.assign(pg.Client.prototype, {
  query(this: pg.Client, ...given: Parameters<typeof original>) {
    const [query] = given
    const text = typeof query === 'string' ? query : String(Object(query).text ?? '')
    armed ||= text.includes('workflow_status') && /^\s*INSERT/i.test(text)
    if (armed && isWrite.test(text) && !isBeat.test(text) && !text.includes('WITH due')) {
      writes += 1
      if (writes === killAt) process.kill(process.pid, 'SIGKILL')
      clearTimeout(idle)
      idle = setTimeout(() => process.kill(process.pid, 'SIGKILL'), IDLE_MS)
    }
    return Reflect.apply(original, this, given)
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
