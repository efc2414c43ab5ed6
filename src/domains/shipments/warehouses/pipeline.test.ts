// What warehouses promise, against a task of the engine with nothing else around it.

import { deepEqual, equal } from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { memoryEncoder } from '../../../../test/simulation/memory-encoder.ts'
import { NO_INPUTS } from '../../../streams/batch.ts'
import { Task } from '../../../streams/task.ts'
import { warehouseEvents } from './events.ts'
import { warehousesPipeline } from './pipeline.ts'
import { stockTable } from './stock-table.ts'
import { warehouseHourTable } from './throughput.ts'

const START_MS = Date.UTC(2026, 0, 31, 8)
const HOUR_S = 3_600

interface Sent {
  /** Seconds after the start. */
  readonly at: number
  readonly type: string
  readonly quantity: number
  readonly [field: string]: unknown
}

/** Runs movements of one warehouse and gives the rows in the end, by table. */
function run(...events: readonly Sent[]) {
  const task = new Task({
    pipeline: warehousesPipeline,
    topic: warehouseEvents.name,
    partition: 0,
    encoder: memoryEncoder(warehouseEvents.archive),
  })
  const records = events.map(({ at, ...rest }, offset) => ({
    offset,
    key: 'w1',
    value: Buffer.from(
      JSON.stringify({
        warehouseId: 'w1',
        recordedAt: START_MS + at * 1_000,
        merchantId: 'acme',
        sku: 'TEA',
        ...rest,
      }),
    ),
    receivedAtMs: START_MS + 24 * HOUR_S * 1_000 + offset,
    tenantId: 'default',
  }))
  const output = task.process(records, records.length, NO_INPUTS)
  const rowsOf = (table: typeof stockTable | typeof warehouseHourTable) =>
    output.rows
      .filter((row) => row.table.name === table.name)
      .map(({ values }) =>
        Object.fromEntries(table.columns.map(({ name }, at) => [name, values?.[at] ?? null])),
      )
  return {
    stock: rowsOf(stockTable),
    hours: rowsOf(warehouseHourTable),
    alerts: output.alerts,
    letters: output.deadLetters,
  }
}

test('stock is what came less what went, for each merchant and sku', () => {
  const { stock } = run(
    { at: 0, type: 'received', quantity: 100 },
    { at: 60, type: 'stored', quantity: 100, bin: 'A-01' },
    { at: 120, type: 'picked', quantity: 30 },
    { at: 180, type: 'dispatched', quantity: 20 },
    { at: 240, type: 'adjusted', quantity: -5 },
    { at: 300, type: 'received', quantity: 7, merchantId: 'other' },
  )
  deepEqual(
    stock.map(({ merchant_id, on_hand, picked, bin }) => [merchant_id, on_hand, picked, bin]),
    [
      ['acme', 75, 10, 'A-01'],
      ['other', 7, 0, null],
    ],
  )
})

test('the order of arrival never changes what is on hand', () => {
  const movements: readonly Sent[] = [
    { at: 0, type: 'received', quantity: 100 },
    { at: HOUR_S, type: 'dispatched', quantity: 40 },
    { at: 2 * HOUR_S, type: 'counted', quantity: 55 },
    { at: 3 * HOUR_S, type: 'dispatched', quantity: 15 },
    { at: 4 * HOUR_S, type: 'received', quantity: 10 },
    { at: 5 * HOUR_S, type: 'adjusted', quantity: -2 },
  ]
  fc.assert(
    fc.property(fc.shuffledSubarray([...movements], { minLength: 6 }), (shuffled) => {
      const [line] = run(...shuffled).stock
      equal(line?.on_hand, 48)
    }),
  )
})

test('a count tells what was amiss', () => {
  const [line] = run(
    { at: 0, type: 'received', quantity: 100 },
    { at: 60, type: 'counted', quantity: 97 },
  ).stock
  equal(line?.on_hand, 97)
  equal(line?.count_difference, -3)
})

test('units that were there longest go first, and tell how long they stayed', () => {
  const [line] = run(
    { at: 0, type: 'received', quantity: 10 },
    { at: HOUR_S, type: 'received', quantity: 10 },
    { at: 2 * HOUR_S, type: 'dispatched', quantity: 15 },
  ).stock
  equal(line?.dwell_units, 15)
  equal(line?.dwell_unit_s, 10 * 2 * HOUR_S + 5 * HOUR_S)
  equal(line?.oldest_at, START_MS + HOUR_S * 1_000)
})

test('more dispatched than was there is negative stock, flagged and alarmed', () => {
  const { stock, alerts } = run(
    { at: 0, type: 'received', quantity: 20 },
    { at: 60, type: 'dispatched', quantity: 25 },
  )
  equal(stock[0]?.on_hand, -5)
  equal(stock[0]?.negative, true)
  deepEqual(alerts.map(({ rule, severity }) => [rule, severity]).sort(), [
    ['stock-low', 'minor'],
    ['stock-negative', 'major'],
  ])
})

test('each hour counts what moved in it', () => {
  const { hours } = run(
    { at: 0, type: 'received', quantity: 20 },
    { at: 600, type: 'dispatched', quantity: 5 },
    { at: HOUR_S, type: 'dispatched', quantity: 6 },
  )
  deepEqual(
    hours.map(({ movements, received, dispatched }) => [movements, received, dispatched]),
    [
      [2, 20, 5],
      [1, 0, 6],
    ],
  )
})

test('only an adjustment may be negative', () => {
  const { letters, stock } = run({ at: 0, type: 'received', quantity: -1 })
  equal(letters[0]?.path, '/quantity')
  deepEqual(stock, [])
})
