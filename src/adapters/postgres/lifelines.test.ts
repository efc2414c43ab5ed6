import type { TestContext } from 'node:test'
import { testPostgres } from '../../../test/postgres-server.ts'
import type { Clock } from '../../ports/clock.ts'
import { type LifelinesUnderTest, lifelinesContract } from '../../ports/lifelines.contract.ts'
import { systemClock } from '../clock/system-clock.ts'
import { ENDED_AFTER_MS, openLifelines } from './lifelines.ts'

const LOOK_MS = 10

lifelinesContract('PostgreSQL', async (t: TestContext): Promise<LifelinesUnderTest> => {
  const { address, database } = await testPostgres(t)
  const real = systemClock()
  let nowMs = 0
  const clock: Clock = { ...real, monotonicMs: () => nowMs }
  const holders = async (name: string): Promise<readonly number[]> => {
    const rows = await database.query(
      `SELECT pid FROM pg_locks WHERE locktype = 'advisory' AND granted AND objsubid = 1
         AND (classid::bigint << 32) | objid::bigint = hashtextextended('outrider lifeline ' || $1, 0)`,
      [name],
    )
    return rows.map(({ pid }) => Number(pid))
  }
  let cutOff = 0
  const until = async (name: string, what: (pids: readonly number[]) => boolean): Promise<void> => {
    while (!what(await holders(name))) await real.sleep(LOOK_MS)
  }
  return {
    open() {
      const lifelines = openLifelines({ address, clock })
      t.after(() => lifelines.close())
      return lifelines
    },
    async cut(name) {
      cutOff = (await holders(name))[0] ?? 0
      await database.query('SELECT pg_terminate_backend($1::int)', [cutOff])
    },
    untilHeld: (name) => until(name, (pids) => pids.length > 0 && !pids.includes(cutOff)),
    untilFree: (name) => until(name, (pids) => pids.length === 0),
    advance() {
      nowMs += ENDED_AFTER_MS
    },
  }
})
