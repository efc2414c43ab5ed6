import assert from 'node:assert/strict'
import { after, test } from 'node:test'
import { suitePostgres, testPostgres } from '../../../test/postgres-server.ts'
import { describeOutbox } from '../../ports/outbox.contract.ts'
import { systemClock } from '../clock/system-clock.ts'
import { createPool } from './database.ts'
import { OutboxEar } from './outbox-ear.ts'
import { createOutbox } from './outbox-store.ts'

const opened: { close(): Promise<void> }[] = []
after(async () => {
  for (const each of opened) await each.close()
})
const clock = systemClock()
const LISTENING =
  "FROM pg_stat_activity WHERE datname = current_database() AND query LIKE 'LISTEN%'"

describeOutbox('PostgreSQL', async () => {
  const { address, database } = await suitePostgres()
  const pool = createPool({ address, maxConnections: 3 })
  const ear = new OutboxEar({ address, clock })
  opened.push(ear, { close: () => pool.end() })
  return {
    outbox: createOutbox({ pool, ear }),
    nowMs: () => Date.now(),
    async write(effects) {
      for (const { id, kind, tenantId, payload, notBeforeMs } of effects) {
        await database.query(
          `INSERT INTO outbox (id, kind, tenant_id, payload, not_before)
           VALUES ($1, $2, $3, $4::jsonb, coalesce($5, now()))`,
          [
            ...[id, kind, tenantId, JSON.stringify(payload)],
            notBeforeMs === undefined ? null : new Date(notBeforeMs),
          ],
        )
      }
    },
    async age(executorId) {
      await database.query(
        "UPDATE work_executor SET seen_at = seen_at - interval '1 hour' WHERE id = $1",
        [executorId],
      )
    },
  }
})

test('an ear whose connection breaks looks often, hears again, and leaves no connection behind', async (t) => {
  const { address, database } = await testPostgres(t)
  const slept: number[] = []
  const ear = new OutboxEar({
    address,
    clock: {
      ...clock,
      sleep(durationMs, signal) {
        slept.push(durationMs)
        return clock.sleep(durationMs, signal)
      },
    },
  })
  const pool = createPool({ address, maxConnections: 1 })
  const outbox = createOutbox({ pool, ear })
  const { signal } = new AbortController()
  const listeners = async (): Promise<readonly unknown[]> =>
    database.query(`SELECT pid ${LISTENING}`)
  const waitFor = async (longestMs: number): Promise<void> => {
    for (let waits = 0; waits < 1_000 && slept.at(-1) !== longestMs; waits++) {
      await outbox.waitForEffects(50, signal)
    }
    assert.equal(slept.at(-1), longestMs)
  }
  await waitFor(50)
  assert.equal((await listeners()).length, 1)
  const broken = outbox.waitForEffects(60_000, signal)
  await database.query(`SELECT pg_terminate_backend(pid) ${LISTENING}`)
  await broken
  await waitFor(40)
  await waitFor(50)
  assert.equal((await listeners()).length, 1)
  await ear.close()
  await pool.end()
  for (let looks = 0; looks < 100 && (await listeners()).length > 0; looks++) await clock.sleep(20)
  assert.equal((await listeners()).length, 0)
})
