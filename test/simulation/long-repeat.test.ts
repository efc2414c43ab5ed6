import assert from 'node:assert/strict'
import { test } from 'node:test'
import { coldChainPipeline } from '../../src/domains/cold-chain/pipeline.ts'
import type { LogRecord } from '../../src/ports/log.ts'
import { NO_INPUTS } from '../../src/streams/batch.ts'
import { RECENT_IDS } from '../../src/streams/recent-ids.ts'
import { Task } from '../../src/streams/task.ts'
import { memoryEncoder, rowsOf } from './memory-encoder.ts'

const EVENTS = 3 * RECENT_IDS
const START_MS = Date.UTC(2026, 0, 5)

test('a long history that is sent again changes nothing, the end of it included', () => {
  const task = new Task({
    pipeline: coldChainPipeline,
    topic: 'truck-readings',
    partition: 0,
    encoder: memoryEncoder(coldChainPipeline.topic.archive),
  })
  const first = task.process(history(0), EVENTS, NO_INPUTS)
  assert.equal(first.alerts.length > 0, true, 'the history holds an excursion')
  const again = task.process(history(EVENTS), 2 * EVENTS, NO_INPUTS)
  assert.deepEqual(again.alerts, [])
  assert.deepEqual(
    rowsOf(again.archive).filter(({ flags }) => flags === null),
    [],
    'each repeat is flagged, or late, so that the archive is asked',
  )
})

function history(fromOffset: number): LogRecord[] {
  return Array.from({ length: EVENTS }, (_, index) => ({
    offset: fromOffset + index,
    key: 'T1',
    tenantId: 'default',
    receivedAtMs: START_MS + fromOffset * 60_000 + index * 10_000,
    value: Buffer.from(
      JSON.stringify({
        truckId: 'T1',
        recordedAt: START_MS + index * 10_000,
        eventId: `e${index}`,
        temperatureC: index > 20 && index < 40 ? 9 : 4,
      }),
    ),
  }))
}
