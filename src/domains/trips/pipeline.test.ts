// What trips promise, against a task of the engine with nothing else around it.

import { deepEqual, equal, ok } from 'node:assert/strict'
import { test } from 'node:test'
import { memoryEncoder } from '../../../test/simulation/memory-encoder.ts'
import type { RowChange } from '../../ports/row-table.ts'
import { NO_INPUTS } from '../../streams/batch.ts'
import { Task } from '../../streams/task.ts'
import { trips } from './events.ts'
import { tripsPipeline } from './pipeline.ts'
import { tripTable } from './trip.ts'

const START_MS = Date.UTC(2026, 0, 31, 8)

interface Sent {
  /** Seconds after the start. */
  readonly at: number
  readonly status?: string
  readonly [field: string]: unknown
}

/** Runs events of one trip and gives the row in the end, by column, with the alerts told. */
function run(...events: readonly Sent[]) {
  const task = new Task({
    pipeline: tripsPipeline,
    topic: trips.name,
    partition: 0,
    encoder: memoryEncoder(trips.archive),
  })
  const records = events.map(({ at, status = 'completed', ...rest }, offset) => {
    const recordedAt = START_MS + at * 1_000
    const event = { tripId: 't1', recordedAt, pickupAt: START_MS, status, ...rest }
    return {
      offset,
      key: 't1',
      value: Buffer.from(JSON.stringify(event)),
      receivedAtMs: START_MS + 3_600_000 + offset,
      tenantId: 'default',
    }
  })
  const output = task.process(records, records.length, NO_INPUTS)
  return { row: rowOf(output.rows), alerts: output.alerts, letters: output.deadLetters }
}

function rowOf(rows: readonly RowChange[]): Readonly<Record<string, unknown>> {
  const values = rows.at(-1)?.values ?? []
  return Object.fromEntries(tripTable.columns.map(({ name }, at) => [name, values[at] ?? null]))
}

function checkAnomalies(sent: Omit<Sent, 'at'>, expected: string): void {
  const { alerts } = run({ at: 600, ...sent })
  const [alert] = alerts
  equal(alert?.value.anomalies ?? '', expected)
  // Finished as it is, nobody can mend it: the alert is over with it.
  deepEqual(
    alerts.map(({ status }) => status),
    expected === '' ? [] : ['firing', 'resolved'],
  )
}

const at = (seconds: number): number => START_MS + seconds * 1_000

test('the row holds the last state by event time, whatever the order of arrival', () => {
  const begun = { at: 5, status: 'in-progress', pickupLocation: 'CBD', fare: '1.00' }
  const ended = { at: 20, status: 'completed', dropoffLocation: 'JKIA', fare: '12.345' }
  for (const events of [
    [begun, ended],
    [ended, begun],
  ] as const) {
    const { row } = run(...events)
    equal(row.status, 'completed')
    equal(row.fare, '12.345')
    equal(row.pickup_location, 'CBD')
    equal(row.dropoff_location, 'JKIA')
    equal(row.recorded_at, at(20))
  }
})

test('a payment method that is none of ours is unknown, and kept; one not recorded stays so', () => {
  const paid = (paymentMethod: string | null) => {
    const { row } = run({ at: 600, paymentMethod })
    return [row.payment_method, row.payment_method_original]
  }
  deepEqual(paid('No Charge'), ['no-charge', null])
  deepEqual(paid('seashells'), ['unknown', 'seashells'])
  deepEqual(paid(null), [null, null])
})

test('a trip is odd where its times, its speed or its fare are', () => {
  const usual = { dropoffAt: at(600), distanceKm: 5, fare: 20, currency: 'USD' }
  checkAnomalies(usual, '')
  checkAnomalies({ ...usual, dropoffAt: at(-1) }, 'dropoff-before-pickup')
  checkAnomalies({ ...usual, dropoffClockBeforePickup: true }, 'dropoff-before-pickup')
  checkAnomalies({ ...usual, dropoffAt: START_MS }, 'no-duration')
  checkAnomalies({ ...usual, distanceKm: 40, fare: 80 }, 'impossible-speed')
  checkAnomalies({ ...usual, fare: 500 }, 'fare-far-off')
  checkAnomalies({ ...usual, fare: '0.5' }, 'fare-far-off')
})

test('what is odd about a trip under way stays open until the trip is finished, and is told once', () => {
  const teleport = { dropoffAt: at(600), distanceKm: 900, fare: 20, currency: 'USD' }
  const { alerts } = run(
    { at: 60, status: 'in-progress', ...teleport },
    { at: 600, ...teleport },
    { at: 610, ...teleport },
  )
  deepEqual(
    alerts.map(({ status, endsAtMs }) => [status, endsAtMs]),
    [
      ['firing', null],
      ['firing', null],
      ['resolved', at(600)],
    ],
  )
  equal(new Set(alerts.map(({ id }) => id)).size, 1)
})

test('a fare that takes another back, one that was waived, and one of a canceled trip are not odd', () => {
  const usual = { dropoffAt: at(600), distanceKm: 5, currency: 'USD' }
  checkAnomalies({ ...usual, fare: -20 }, '')
  checkAnomalies({ ...usual, fare: 0 }, '')
  checkAnomalies({ ...usual, fare: 900, status: 'canceled' }, '')
  checkAnomalies({ ...usual, fare: 900, currency: 'XAU' }, '')
})

test('bad events are refused with the field and what it must be', () => {
  const refusal = (sent: Omit<Sent, 'at'>) => {
    const [letter] = run({ at: 600, ...sent }).letters
    ok(letter !== undefined)
    return [letter.code, letter.path, letter.message]
  }
  deepEqual(refusal({ fare: 'twelve' }), [
    'bad-value',
    '/fare',
    'fare must be an amount of money: a number, or a decimal as text; found "twelve".',
  ])
  deepEqual(refusal({ status: 'lost' }), [
    'bad-value',
    '/status',
    'status must be in-progress, completed, canceled; found "lost".',
  ])
  deepEqual(refusal({ pickupAt: 'yesterday' }).slice(0, 2), ['bad-time', '/pickupAt'])
})
