import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { Crank } from '../../test/simulation/crank.ts'
import { memoryEncoder } from '../../test/simulation/memory-encoder.ts'
import { probePipeline, probes } from '../../test/simulation/probe-pipeline.ts'
import { truckReadings } from '../domains/cold-chain/events.ts'
import { eventValues, fromEventValues } from './event-values.ts'
import { Task } from './task.ts'

const throughJson = (values: readonly unknown[]): readonly unknown[] =>
  JSON.parse(JSON.stringify(values)) as readonly unknown[]

test('an event comes back from its values as it was', () => {
  const text = fc.option(fc.string({ minLength: 1 }))
  const number = (min: number, max: number) =>
    fc.option(fc.double({ min, max, noNaN: true }).map((value) => value + 0))
  const wire = fc.record({
    truckId: fc.string({ minLength: 1, maxLength: 20 }),
    recordedAt: fc.nat(),
    eventId: text,
    temperatureC: fc.double({ min: -80, max: 85, noNaN: true }).map((value) => value + 0),
    fuelPercent: number(0, 100),
    lat: number(-90, 90),
    lon: number(-180, 180),
    doorOpen: fc.option(fc.boolean()),
    zone: text,
    shipmentId: text,
    profile: text,
  })
  fc.assert(
    fc.property(wire, (drawn) => {
      const parsed = truckReadings.parse(drawn)
      assert.ok(parsed.ok)
      const values = eventValues(truckReadings.archive, parsed.value)
      assert.deepEqual(fromEventValues(truckReadings.archive, throughJson(values)), parsed.value)
    }),
  )
})

test('values of an event that has little are few', () => {
  const parsed = truckReadings.parse({ truckId: 'T', recordedAt: 5, temperatureC: 4 })
  assert.ok(parsed.ok)
  assert.deepEqual(eventValues(truckReadings.archive, parsed.value), [null, 'T', 5, 4])
})

test('a column that is new since the snapshot is null', () => {
  const event = fromEventValues(probes.archive, ['e1', 'p', 5])
  assert.deepEqual(event, { probeId: 'p', recordedAtMs: 5, eventId: 'e1', level: 0, side: null })
})

test('a snapshot of another format is refused with what to do', () => {
  const crank = new Crank(probePipeline({ broadcast: false }))
  const value = Buffer.from(JSON.stringify({ probeId: 'p', recordedAt: 5, level: 1 }))
  crank.append({ key: 'p', value, receivedAtMs: 5, tenantId: 'default' })
  crank.turn()
  const { state } = crank.result()
  for (const [key, text] of state) {
    const task = new Task({
      pipeline: { ...probePipeline({ broadcast: false }), stateFormat: 2 },
      topic: 'probes',
      partition: 0,
      encoder: memoryEncoder(probes.archive),
    })
    assert.throws(() => task.loadSnapshotEntries([{ key, state: text }]), {
      code: 'state-format',
      message: /state format 4\.1, this build reads 4\.2/,
    })
  }
})
