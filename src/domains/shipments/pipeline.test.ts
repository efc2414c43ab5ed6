// What shipments promise, against a task of the engine with nothing else around it.

import { deepEqual, equal } from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { memoryEncoder } from '../../../test/simulation/memory-encoder.ts'
import type { RowChange } from '../../ports/row-table.ts'
import { NO_INPUTS } from '../../streams/batch.ts'
import { Task } from '../../streams/task.ts'
import { shipmentEvents } from './events.ts'
import { shipmentsPipeline } from './pipeline.ts'
import { shipmentTable } from './shipment-table.ts'

const START_MS = Date.UTC(2026, 0, 31, 8)
const HOUR_S = 3_600

interface Sent {
  /** Seconds after the start. */
  readonly at: number
  readonly type: string
  /** Of the milestone, where it is not `at`. */
  readonly milestone?: number
  readonly [field: string]: unknown
}

const instant = (seconds: number): string => new Date(START_MS + seconds * 1_000).toISOString()

/** Runs events of one shipment, all of which arrive `arrival` seconds after the start, and then a tick. */
function run(
  events: readonly Sent[],
  { arrival = 0, tick }: { arrival?: number; tick?: number } = {},
) {
  const task = new Task({
    pipeline: shipmentsPipeline,
    topic: shipmentEvents.name,
    partition: 0,
    encoder: memoryEncoder(shipmentEvents.archive),
  })
  const records = events.map(({ at, milestone, ...rest }, offset) => {
    const event = {
      shipmentId: 's1',
      recordedAt: instant(at),
      merchantId: 'acme',
      ...(milestone === undefined ? {} : { milestoneAt: instant(milestone) }),
      ...rest,
    }
    return {
      offset,
      key: 's1',
      value: Buffer.from(JSON.stringify(event)),
      receivedAtMs: START_MS + Math.max(arrival, at) * 1_000 + offset,
      tenantId: 'default',
    }
  })
  const first = task.process(records, records.length, NO_INPUTS)
  const ticked =
    tick === undefined
      ? undefined
      : task.process([], records.length, { ...NO_INPUTS, tickMs: START_MS + tick * 1_000 })
  const rows = [...first.rows, ...(ticked?.rows ?? [])]
  return {
    row: rowOf(rows),
    alerts: [...first.alerts, ...(ticked?.alerts ?? [])],
    letters: first.deadLetters,
    journal: ticked?.journal ?? [],
  }
}

function rowOf(rows: readonly RowChange[]): Readonly<Record<string, unknown>> {
  const values = rows.at(-1)?.values ?? []
  return Object.fromEntries(shipmentTable.columns.map(({ name }, at) => [name, values[at] ?? null]))
}

function checkStatus(types: readonly string[], expected: string): void {
  equal(run(types.map((type, at) => ({ at: at * 60, type }))).row.status, expected)
}

test('each milestone leads to the status that the tracking vocabulary has for it', () => {
  checkStatus(['created'], 'InfoReceived')
  checkStatus(['created', 'picked-up'], 'InTransit')
  checkStatus(['created', 'departed', 'arrived', 'customs'], 'InTransit')
  checkStatus(['departed', 'out-for-delivery'], 'OutForDelivery')
  checkStatus(['out-for-delivery', 'attempt-failed'], 'AttemptFail')
  checkStatus(['attempt-failed', 'available-for-pickup'], 'AvailableForPickup')
  checkStatus(['out-for-delivery', 'delivered'], 'Delivered')
  checkStatus(['departed', 'exception'], 'Exception')
  checkStatus(['departed', 'exception', 'departed'], 'InTransit')
  checkStatus(['created', 'expired'], 'Expired')
  checkStatus(['delivered', 'returned'], 'Exception')
})

test('what is only planned or estimated is no status', () => {
  const { row } = run([{ at: 0, type: 'departed', timing: 'planned', milestone: 60 }])
  equal(row.status, 'Pending')
})

test('an event that comes hours late takes its place and does not turn the state back', () => {
  const { row } = run(
    [
      { at: 10 * HOUR_S, type: 'out-for-delivery', truckId: 'KCA 001A' },
      { at: 11 * HOUR_S, type: 'delivered' },
      { at: 2 * HOUR_S, type: 'departed', location: 'Nairobi', truckId: 'KCB 002B' },
      { at: 0, type: 'created' },
    ],
    { arrival: 12 * HOUR_S },
  )
  equal(row.status, 'Delivered')
  equal(row.created_at, START_MS)
  equal(row.delivered_at, START_MS + 11 * HOUR_S * 1_000)
  equal(row.truck_id, null)
})

test('the order of arrival never changes what becomes of a shipment', () => {
  const journey: readonly Sent[] = [
    { at: 0, type: 'created', promisedAt: instant(20 * HOUR_S) },
    { at: HOUR_S, type: 'picked-up', truckId: 'T1', location: 'Nairobi' },
    { at: 2 * HOUR_S, type: 'departed', truckId: 'T2' },
    { at: 5 * HOUR_S, type: 'arrived', warehouseId: 'MBA', location: 'Mombasa', region: 'coast' },
    { at: 6 * HOUR_S, type: 'out-for-delivery', truckId: 'T3' },
    { at: 7 * HOUR_S, type: 'attempt-failed', reason: 'nobody in' },
    { at: 9 * HOUR_S, type: 'delivered', carrier: 'Twiga' },
  ]
  const { row: expected } = run(journey, { arrival: 10 * HOUR_S })
  fc.assert(
    fc.property(fc.shuffledSubarray([...journey], { minLength: journey.length }), (shuffled) => {
      deepEqual(run(shuffled, { arrival: 10 * HOUR_S }).row, expected)
    }),
  )
})

test('a departure after the delivery opens an exception, which a new delivery settles', () => {
  const delivered: readonly Sent[] = [
    { at: 0, type: 'departed' },
    { at: HOUR_S, type: 'delivered' },
  ]
  const contradicted: readonly Sent[] = [...delivered, { at: 2 * HOUR_S, type: 'departed' }]
  const { row, alerts } = run(contradicted)
  equal(row.status, 'Exception')
  equal(row.contradiction, 'departed after delivered')
  deepEqual(
    alerts.map(({ rule, severity, status }) => [rule, severity, status]),
    [['shipment-exception', 'major', 'firing']],
  )
  const settled = run([...contradicted, { at: 3 * HOUR_S, type: 'delivered' }])
  equal(settled.row.status, 'Delivered')
  equal(settled.alerts.at(-1)?.status, 'resolved')
})

test('a promise that passes by the clock is late, though nobody says anything', () => {
  const sent: readonly Sent[] = [{ at: 0, type: 'departed', promisedAt: instant(HOUR_S) }]
  const before = run(sent, { tick: HOUR_S - 1 })
  equal(before.row.promise, 'on-track')
  deepEqual(before.alerts, [])
  const after = run(sent, { tick: HOUR_S + 1 })
  equal(after.row.promise, 'late')
  equal(after.journal.length, 1)
  deepEqual(
    after.alerts.map(({ rule, severity, startsAtMs }) => [rule, severity, startsAtMs]),
    [['shipment-late', 'major', START_MS + HOUR_S * 1_000]],
  )
  equal(after.alerts[0]?.summary, 'Late: the promised time has passed')
})

test('a delay on the way moves the expected delivery past the promise', () => {
  const plan: readonly Sent[] = [
    {
      at: 0,
      type: 'arrived',
      timing: 'planned',
      location: 'Voi',
      milestone: 4 * HOUR_S,
      promisedAt: instant(9 * HOUR_S),
    },
    { at: 0, type: 'delivered', timing: 'planned', milestone: 8 * HOUR_S },
  ]
  const { row, alerts } = run([...plan, { at: 6 * HOUR_S, type: 'arrived', location: 'Voi' }])
  equal(row.promise, 'at-risk')
  equal(row.expected_by, 'delay')
  equal(row.expected_at, START_MS + 10 * HOUR_S * 1_000)
  equal(alerts.at(-1)?.severity, 'warning')
  equal(alerts.at(-1)?.summary, 'At risk: expected 60 min after its promise')
})

test('a delivery after the promise is late and no longer an alert', () => {
  const { row, alerts } = run([
    { at: 0, type: 'departed', promisedAt: instant(HOUR_S) },
    { at: 2 * HOUR_S, type: 'arrived' },
    { at: 3 * HOUR_S, type: 'delivered' },
  ])
  equal(row.promise, 'late')
  equal(row.late_by_s, 2 * HOUR_S)
  equal(alerts.at(-1)?.status, 'resolved')
})

test('an event that names another merchant is no news of the shipment', () => {
  const { row } = run([
    { at: 0, type: 'departed' },
    { at: 60, type: 'delivered', merchantId: 'other' },
  ])
  equal(row.status, 'InTransit')
  equal(row.merchant_id, 'acme')
})

test('an unknown type is refused, with the ones there are', () => {
  const { letters } = run([{ at: 0, type: 'teleported' }])
  equal(letters[0]?.code, 'bad-value')
  equal(letters[0]?.path, '/type')
})
