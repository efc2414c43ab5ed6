// What shipments cost a task: memory of each in state, and the time of an event among few and among very many.
// Nothing is read, written or shown to anybody.

import { setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'
import { shipmentEvents } from '../src/domains/shipments/events.ts'
import { shipmentsPipeline } from '../src/domains/shipments/pipeline.ts'
import { assert } from '../src/kernel/errors.ts'
import { HOUR_MS, toIso } from '../src/kernel/time.ts'
import type { LogRecord } from '../src/ports/log.ts'
import { NO_INPUTS } from '../src/streams/batch.ts'
import { Task } from '../src/streams/task.ts'
import { median } from './samples.ts'

const BATCH = 5_000
const START_MS = Date.UTC(2026, 0, 5)
const FEW = 10_000
const STEPS = ['created', 'picked-up', 'arrived', 'departed', 'arrived'] as const

export interface ShipmentCosts {
  readonly bytesEach: number
  readonly fewUs: number
  readonly manyUs: number
  /** Processor time for an event among many, over that among few. */
  readonly ratio: number
}

/** Rounds of events that are timed; the median of them counts. */
const ROUNDS = 3

/** `events` of them are timed in each round, each of another shipment than the one before. */
export function measureShipmentCosts(shipments: number, events: number): ShipmentCosts {
  // Once for nothing, so that both find the code compiled.
  timed(filled(FEW).task, FEW, events)
  const few = filled(FEW)
  const fewUs = medianOf(ROUNDS, () => timed(few.task, FEW, events))
  const before = heapBytes()
  const many = filled(shipments)
  const bytesEach = (heapBytes() - before) / shipments
  const manyUs = medianOf(ROUNDS, () => timed(many.task, shipments, events))
  return { bytesEach, fewUs, manyUs, ratio: manyUs / fewUs }
}

function medianOf(rounds: number, measure: () => number): number {
  return median(Array.from({ length: rounds }, measure))
}

type ShipmentTask = Task<
  ReturnType<typeof shipmentEvents.archive.read>,
  ReturnType<typeof shipmentsPipeline.newState>
>

/** Each shipment created with what one usually knows of it, and then on its way. */
function filled(shipments: number): { readonly task: ShipmentTask } {
  const task = new Task({
    pipeline: shipmentsPipeline,
    topic: shipmentEvents.name,
    partition: 0,
    encoder: {
      pendingBytes: 0,
      add() {},
      take: () => ({ table: '', rows: 0, bytes: 0, payload: [] }),
    },
  })
  for (let step = 0; step < STEPS.length; step++) {
    for (let from = 0; from < shipments; from += BATCH) {
      const count = Math.min(BATCH, shipments - from)
      send(
        task,
        Array.from({ length: count }, (_, index) => eventOf(from + index, step)),
      )
    }
  }
  return { task }
}

function timed(task: ShipmentTask, shipments: number, events: number): number {
  const stride = 7_919
  let usedUs = 0
  for (let from = 0; from < events; from += BATCH) {
    const step = STEPS.length + Math.floor(from / shipments)
    const batch = Array.from({ length: Math.min(BATCH, events - from) }, (_, index) =>
      eventOf(((from + index) * stride) % shipments, step),
    )
    usedUs += send(task, batch)
  }
  return usedUs / events
}

function send(task: ShipmentTask, events: readonly (readonly [number, object])[]): number {
  const records = events.map(([atMs, event], index): LogRecord => {
    return {
      offset: task.nextOffset + index,
      key: '',
      value: Buffer.from(JSON.stringify(event)),
      receivedAtMs: atMs,
      tenantId: 'default',
    }
  })
  const before = process.threadCpuUsage()
  const { deadLetters } = task.process(records, task.nextOffset + records.length, NO_INPUTS)
  task.takeViews(records.length)
  const { user, system } = process.threadCpuUsage(before)
  assert(deadLetters.length === 0, 'The events of the benchmark are good.')
  return user + system
}

function eventOf(shipment: number, step: number): readonly [number, object] {
  const atMs = START_MS + step * HOUR_MS + (shipment % 3_000) * 1_000
  const type = STEPS[step] ?? (step % 2 === 0 ? 'arrived' : 'departed')
  const place = (shipment + step) % 40
  const event = {
    shipmentId: `SH-${shipment}`,
    recordedAt: toIso(atMs),
    type,
    merchantId: `merchant-${shipment % 200}`,
    location: `hub ${place}`,
    region: `region-${place % 6}`,
    ...(type === 'arrived' ? { warehouseId: `W-${place}` } : { truckId: `T-${place}` }),
    ...(step === 0
      ? {
          carrier: 'Twiga Express',
          destination: `town ${shipment % 300}`,
          promisedAt: toIso(START_MS + 400 * HOUR_MS),
          customerName: `Customer ${shipment}`,
          customerEmail: `customer${shipment}@example.com`,
          items: [{ sku: `SKU-${shipment % 5_000}`, quantity: 2 }],
          weightKg: 2.4,
        }
      : {}),
  }
  return [atMs, event]
}

function heapBytes(): number {
  setFlagsFromString('--expose-gc')
  const collect: unknown = runInNewContext('gc')
  if (typeof collect === 'function') collect()
  return process.memoryUsage().heapUsed
}
