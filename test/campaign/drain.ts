// Waiting until a stage has archived all that its log holds.

import { systemClock } from '../../src/adapters/clock/system-clock.ts'
import { openKafkaLog } from '../../src/adapters/kafka/kafka-log.ts'
import { until } from '../waiting.ts'
import { query } from './audit.ts'
import type { Stage } from './stage.ts'

const DRAIN_MS = 90_000
/** Of what a process printed, where it lags. */
const MAX_SAID = 3_000

/** Waits until every task has committed what its partition holds; says what lags where that takes too long. */
export async function drained(stage: Stage): Promise<readonly string[]> {
  const log = openKafkaLog({
    address: { brokers: stage.kafka.addresses, tls: null, sasl: null },
    clock: systemClock(),
  })
  const lagging = async (): Promise<readonly string[]> => {
    const rows = await query(
      stage.postgres.url,
      `SELECT log_partition, epoch, next_offset FROM task WHERE pipeline = 'cold-chain'`,
    )
    const found = await Promise.all(
      rows.map(async (row) => {
        const { endOffset } = await log.bounds('truck-readings', Number(row.log_partition))
        const place = `partition ${row.log_partition} (epoch ${row.epoch})`
        return endOffset === Number(row.next_offset)
          ? []
          : [`${place} stands at ${row.next_offset} of ${endOffset}`]
      }),
    )
    return rows.length === 0 ? ['no task ever ran'] : found.flat()
  }
  try {
    await until('all is archived', async () => (await lagging()).length === 0, DRAIN_MS)
    return []
  } catch {
    const said = stage.tasks.map(
      ({ name, program }) => `${name}: ${program().output().slice(-MAX_SAID)}`,
    )
    return [...(await lagging()), ...said]
  } finally {
    await log.close()
  }
}
