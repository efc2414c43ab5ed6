import { randomUUID } from 'node:crypto'
import { silentLogger, testPostgres } from '../../../test/postgres-server.ts'
import { describeWorkflowEngine } from '../../ports/workflow-engine.contract.ts'
import { systemClock } from '../clock/system-clock.ts'
import { createPool } from '../postgres/database.ts'
import { startDbosEngine } from './dbos-engine.ts'

describeWorkflowEngine('DBOS', {
  nowMs: () => Date.now(),
  newId: () => randomUUID(),
  async store(t) {
    const { address } = await testPostgres(t)
    return async (options) => {
      const pool = createPool({ address, maxConnections: 6, isPipelined: true })
      const engine = await startDbosEngine({
        ...options,
        pool,
        clock: systemClock(),
        logger: silentLogger,
      })
      let isOpen = true
      return {
        ...engine,
        async stop() {
          if (!isOpen) return
          isOpen = false
          await engine.stop()
          await pool.end()
        },
      }
    }
  },
})
