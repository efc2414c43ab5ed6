import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { Crank } from '../../test/simulation/crank.ts'
import { memoryEncoder } from '../../test/simulation/memory-encoder.ts'
import { probePipeline, probes } from '../../test/simulation/probe-pipeline.ts'
import { truckReadings } from '../domains/cold-chain/events.ts'
import { NO_INPUTS } from './batch.ts'
import { EventTail, type PackedTail } from './event-tail.ts'
import { Task } from './task.ts'

const throughJson = (tail: PackedTail): PackedTail => JSON.parse(JSON.stringify(tail)) as PackedTail

test('an event comes back from a snapshot as it was', () => {
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
      const event = parsed.value
      const tail = new EventTail(truckReadings.archive)
      tail.push({ event, eventTimeMs: event.recordedAtMs, offset: 7, receivedAtMs: 9 })
      const back = EventTail.decode(truckReadings.archive, throughJson(tail.encode()))
      assert.deepEqual(back.at(0).event, event)
    }),
  )
})

test('a key of one event has no base in a snapshot, nor in one that is taken after a restore', () => {
  const pipeline = probePipeline({ broadcast: false })
  const crank = new Crank(pipeline)
  const value = Buffer.from(JSON.stringify({ probeId: 'p', recordedAt: 5, level: 1 }))
  crank.append({ key: 'p', value, receivedAtMs: 5, tenantId: 'default' })
  crank.turn()
  const before = [...crank.result().state].map(([key, state]) => ({ key, state }))
  const key = before.find(({ state }) => state.includes('"k":"p"'))
  assert.ok(key !== undefined && !('b' in JSON.parse(key.state)))
  const task = new Task({
    ...{ pipeline, topic: 'probes', partition: 0 },
    encoder: memoryEncoder(probes.archive),
  })
  task.loadSnapshotEntries(before)
  task.beginAt(1, [])
  task.process([{ key: 'p', value, receivedAtMs: 6, tenantId: 'default', offset: 1 }], 2, NO_INPUTS)
  task.beginSnapshot()
  const after = task.snapshotSome(Number.POSITIVE_INFINITY)?.find((entry) => entry.key === key.key)
  const slot = JSON.parse(after?.state ?? '{}')
  assert.equal(slot.e[0], 3, 'the row before the tail, and two events')
  assert.ok(!('b' in slot))
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
      message: /state format 6\.1, this build reads 6\.2/,
    })
  }
})
