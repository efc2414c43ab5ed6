import { deepEqual, equal, ok } from 'node:assert/strict'
import { test } from 'node:test'
import { memoryEncoder } from '../../../test/simulation/memory-encoder.ts'
import { seededRandom } from '../../adapters/random/seeded-random.ts'
import { DAY_MS, HOUR_MS, MINUTE_MS, SECOND_MS } from '../../kernel/time.ts'
import type { RowChange } from '../../ports/row-table.ts'
import { type BatchOutput, NO_INPUTS } from '../../streams/batch.ts'
import { Task } from '../../streams/task.ts'
import { FAULTS } from '../faults.ts'
import { domains } from '../registry.ts'
import type { SimulatedFleet, SimulationOptions } from '../simulation.ts'
import { type ShipmentEvent, shipmentEvents } from './events.ts'
import { shipmentsPipeline } from './pipeline.ts'
import { shipmentTable } from './shipment-table.ts'
import { shipmentFleet } from './simulate.ts'
import { warehouseEvents } from './warehouses/events.ts'
import { warehousesPipeline } from './warehouses/pipeline.ts'
import { warehouseFleet } from './warehouses/simulate.ts'
import { stockTable } from './warehouses/stock-table.ts'

const START_MS = Date.UTC(2026, 2, 2, 6)

function linesOf(
  fleet: SimulatedFleet,
  change: Partial<SimulationOptions>,
  { forMs, maxEvents = 1_000 }: { readonly forMs: number; readonly maxEvents?: number },
): string[] {
  const simulation = fleet.create({
    vehicles: 60,
    random: seededRandom(7),
    startMs: START_MS,
    intervalMs: 10 * MINUTE_MS,
    ...change,
  })
  const lines: string[] = []
  for (;;) {
    const batch = simulation.take({ untilMs: START_MS + forMs, maxEvents })
    if (batch.count === 0) return lines
    const text = Buffer.from(batch.ndjson).toString()
    batch.ends.forEach((end, index) => {
      lines.push(text.slice(batch.ends[index - 1] ?? 0, end - 1))
    })
  }
}

function eventsOf(lines: readonly string[]): readonly ShipmentEvent[] {
  return lines.map((line) => {
    const parsed = shipmentEvents.parse(JSON.parse(line))
    ok(parsed.ok, line)
    return parsed.value
  })
}

/** What a task makes of shipments' events that arrive as they happen. */
function processed(lines: readonly string[]): BatchOutput {
  const task = new Task({
    pipeline: shipmentsPipeline,
    topic: shipmentEvents.name,
    partition: 0,
    encoder: memoryEncoder(shipmentEvents.archive),
  })
  const records = eventsOf(lines).map(({ recordedAtMs }, offset) => ({
    offset,
    key: '',
    value: Buffer.from(lines[offset] ?? ''),
    receivedAtMs: recordedAtMs,
    tenantId: 'default',
  }))
  return task.process(records, records.length, NO_INPUTS)
}

function columnValue({ values }: RowChange, column: string): unknown {
  return values?.[shipmentTable.columns.findIndex(({ name }) => name === column)]
}

test('the same seed gives the same bytes, however they are taken', () => {
  for (const fleet of [shipmentFleet, warehouseFleet]) {
    const change = (maxEvents: number): string[] =>
      linesOf(
        fleet,
        { random: seededRandom(3), faults: FAULTS },
        { forMs: 12 * HOUR_MS, maxEvents },
      )
    deepEqual(change(1), change(777))
  }
})

test('a day of shipments has every status, late ones, failed attempts and returns', () => {
  const lines = linesOf(shipmentFleet, { vehicles: 300 }, { forMs: DAY_MS })
  const events = eventsOf(lines)
  const types = new Set(events.filter(({ timing }) => timing === 'actual').map(({ type }) => type))
  for (const type of [
    'created',
    'customs',
    'attempt-failed',
    'exception',
    'returned',
    'delivered',
  ]) {
    ok(
      [...types].some((each) => each === type),
      `no ${type}`,
    )
  }
  const { rows, deadLetters } = processed(lines)
  deepEqual(deadLetters, [])
  const count = (column: string, value: string): number =>
    rows.filter((row) => columnValue(row, column) === value).length
  const finished = count('promise', 'kept') + count('promise', 'late')
  const lateShare = count('promise', 'late') / finished
  ok(lateShare > 0.02 && lateShare < 0.3, `late: ${lateShare}`)
  ok(count('status', 'Delivered') > 500, `delivered: ${count('status', 'Delivered')}`)
  ok(count('region', 'coast') > 20)
})

test('a world that ends leaves no shipment on its way and no alert', () => {
  const options = { vehicles: 200, random: seededRandom(7), startMs: START_MS }
  const simulation = shipmentFleet.create({ ...options, intervalMs: 10 * MINUTE_MS })
  const endMs = START_MS + 5 * HOUR_MS
  const batch = simulation.take({ untilMs: endMs, maxEvents: 100_000 })
  const before = Buffer.from(batch.ndjson).toString().trimEnd().split('\n')
  const ending = simulation.finish?.(endMs)
  ok(ending !== undefined && ending.count > 100)
  const lines = [...before, ...Buffer.from(ending.ndjson).toString().trimEnd().split('\n')]
  const { rows, alerts } = processed(lines)
  const open = rows.filter((row) => columnValue(row, 'outcome') === null)
  deepEqual(open, [])
  ok(alerts.length > 0)
  const last = new Map(alerts.map((alert) => [alert.id, alert.status]))
  deepEqual(
    [...last.values()].filter((status) => status !== 'resolved'),
    [],
  )
})

test('shipments ride on the trucks that the cold chain has with the same seed', () => {
  const fleet = domains
    .flatMap(({ fleets }) => fleets)
    .find(({ topic }) => topic === 'truck-readings')
  ok(fleet !== undefined)
  const readings = linesOf(fleet, { intervalMs: 3 * SECOND_MS }, { forMs: 6 * SECOND_MS })
  const trucks = new Set(readings.map((line) => JSON.parse(line).truckId))
  const departures = eventsOf(linesOf(shipmentFleet, {}, { forMs: 6 * HOUR_MS })).filter(
    ({ type, truckId }) => type === 'departed' && truckId !== null && !truckId.startsWith('VAN'),
  )
  ok(departures.length > 10)
  for (const { truckId } of departures) ok(trucks.has(truckId), `${truckId} is no truck of theirs`)
})

test('a day of docks keeps stock above nothing, but for what goes wrong on purpose', () => {
  const lines = linesOf(
    warehouseFleet,
    { vehicles: 36, intervalMs: MINUTE_MS },
    { forMs: 12 * HOUR_MS },
  )
  const task = new Task({
    pipeline: warehousesPipeline,
    topic: warehouseEvents.name,
    partition: 0,
    encoder: memoryEncoder(warehouseEvents.archive),
  })
  const records = lines.map((line, offset) => ({
    offset,
    key: '',
    value: Buffer.from(line),
    receivedAtMs: Date.parse(JSON.parse(line).recordedAt),
    tenantId: 'default',
  }))
  const { rows, alerts, deadLetters } = task.process(records, records.length, NO_INPUTS)
  deepEqual(deadLetters, [])
  const place = stockTable.columns.findIndex(({ name }) => name === 'on_hand')
  const stock = rows.filter(({ table }) => table.name === stockTable.name)
  ok(stock.length > 80, `${stock.length} lines`)
  const negative = stock.filter(({ values }) => Number(values?.[place]) < 0)
  ok(negative.length < stock.length / 10, `${negative.length} negative`)
  ok(alerts.some(({ rule }) => rule === 'stock-negative'))
  ok(alerts.some(({ rule }) => rule === 'stock-low'))
})

test('with nothing going wrong every shipment keeps its promise', () => {
  const lines = linesOf(shipmentFleet, { vehicles: 100, failures: false }, { forMs: DAY_MS })
  const trouble = eventsOf(lines).filter(({ type }) => {
    return type === 'exception' || type === 'attempt-failed' || type === 'returned'
  })
  equal(trouble.length, 0)
})
