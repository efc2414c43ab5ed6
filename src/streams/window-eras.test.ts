import { deepEqual, equal, ok } from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { HOUR_MS, MINUTE_MS, SECOND_MS } from '../kernel/time.ts'
import type { WindowResult } from '../ports/checkpoint-store.ts'
import type { StreamEvent } from './topic.ts'
import { IDLE_TIMEOUT_MS, MAX_ERAS, WindowEras } from './window-eras.ts'
import type { WindowDefinition } from './windows.ts'

const T0 = Date.UTC(2026, 0, 5, 8)

const minutes: WindowDefinition<StreamEvent> = {
  name: 'minutes',
  sizeMs: MINUTE_MS,
  slideMs: MINUTE_MS,
  allowanceMs: 30 * SECOND_MS,
  amendableForMs: 5 * MINUTE_MS,
  group: () => 'all',
  values: { count: { kind: 'count' }, keys: { kind: 'distinct-keys' } },
}

const NO_TABLES = { reference: () => undefined }

class Bench {
  eras = new WindowEras<StreamEvent>([minutes], NO_TABLES)
  #offset = 0

  /** Event time and arrival in seconds after the start. */
  send(atS: number, arrivalS = 10 * 3_600, key = 'k'): this {
    const recordedAtMs = T0 + atS * SECOND_MS
    const receivedAtMs = T0 + arrivalS * SECOND_MS
    this.eras.passTimeAtEvent(receivedAtMs)
    const event = { recordedAtMs, eventId: null }
    const offset = this.#offset++
    const from = { event, eventTimeMs: recordedAtMs, receivedAtMs, offset }
    this.eras.add(from, { key, tenantId: 'default' })
    return this
  }

  /** Results as era, minute after the start, count and revision. */
  take(): readonly (readonly number[])[] {
    return shown(this.eras.take())
  }
}

function shown(results: readonly WindowResult[]): readonly (readonly number[])[] {
  return results.map(({ era, startMs, values, revision }) => [
    era,
    (startMs - T0) / MINUTE_MS,
    Number(values.count),
    revision,
  ])
}

test('an event from far ahead begins an era of its own, and makes nobody late', () => {
  const bench = new Bench()
    .send(0)
    .send(6 * 3_600)
    .send(10)
    .send(130)
  deepEqual(bench.take(), [[0, 0, 2, 1]])
})

test('an event older than can be amended begins an era, and its windows are told beside the others', () => {
  const bench = new Bench().send(3_600).send(0).send(125)
  deepEqual(bench.take(), [[1, 0, 1, 1]])
})

test('within the reach a partition has one era, and what comes late amends it', () => {
  const bench = new Bench().send(0).send(200)
  deepEqual(bench.take(), [[0, 0, 1, 1]])
  bench.send(5)
  deepEqual(bench.take(), [[0, 0, 2, 2]])
})

test('an era that heard nothing for a minute is over, while another goes on', () => {
  const bench = new Bench()
    .send(6 * 3_600, 36_000)
    .send(0, 36_000)
    .send(1, 36_000)
  deepEqual(bench.take(), [])
  bench.send(21_601, 36_030).send(21_605, 36_000 + IDLE_TIMEOUT_MS / SECOND_MS)
  deepEqual(bench.take(), [[1, 0, 2, 1]])
  equal(bench.eras.encode().eras.length, 1)
})

test('the passing of time finishes what is open, and says beforehand that it would', () => {
  const bench = new Bench().send(0, 1)
  const nowMs = T0 + 3 * MINUTE_MS
  equal(bench.eras.wouldFinish(T0 + 50 * SECOND_MS), false)
  equal(bench.eras.wouldFinish(nowMs), true)
  bench.eras.passTime(nowMs)
  deepEqual(bench.take(), [[0, 0, 1, 1]])
  equal(bench.eras.wouldFinish(nowMs), false)
})

test('one step of time does what several would', () => {
  const run = (...steps: readonly number[]): unknown => {
    const bench = new Bench().send(-3_500, 0).send(0, 0)
    const results = steps.flatMap((atS) => {
      bench.eras.passTime(T0 + atS * SECOND_MS)
      return bench.take()
    })
    return { results: results.sort(), state: bench.eras.encode() }
  }
  deepEqual(run(70, 100, 200, 4_000), run(4_000))
})

test('there are never more eras than the limit; the one heard of least recently ends', () => {
  const bench = new Bench()
  for (let era = 0; era < MAX_ERAS; era++) bench.send(era * 7_200)
  deepEqual(bench.take(), [])
  bench.send(1).send(MAX_ERAS * 7_200)
  deepEqual(bench.take(), [[1, 120, 1, 1]])
  equal(bench.eras.encode().eras.length, MAX_ERAS)
})

test('no event is lost, whatever time it comes from and wherever a restart falls', () => {
  const history = fc.array(
    fc.record({
      atS: fc.oneof(fc.integer({ min: 0, max: 300 }), fc.integer({ min: -90_000, max: 36_000 })),
      restart: fc.boolean(),
    }),
    { minLength: 1, maxLength: 60 },
  )
  fc.assert(
    fc.property(history, (events) => {
      const bench = new Bench()
      const told = new Map<string, WindowResult>()
      const keep = (results: readonly WindowResult[]): void => {
        for (const each of results) told.set(`${each.era} ${each.startMs}`, each)
      }
      for (const { atS, restart } of events) {
        bench.send(atS)
        keep(bench.eras.take())
        if (!restart) continue
        const state = JSON.parse(JSON.stringify(bench.eras.encode()))
        const { newestMs } = bench.eras
        bench.eras = new WindowEras<StreamEvent>([minutes], NO_TABLES)
        bench.eras.restore(state, newestMs)
      }
      bench.eras.passTime(T0 + 100 * HOUR_MS)
      keep(bench.eras.take())
      const total = [...told.values()].reduce((sum, { values }) => sum + Number(values.count), 0)
      equal(total, events.length)
    }),
  )
})

test('open windows are shown while they fill, with the newest final one', () => {
  const bench = new Bench().send(0).send(70).send(125)
  bench.take()
  const open = bench.eras.open()
  deepEqual(
    open.map(({ startMs, values, final }) => [(startMs - T0) / MINUTE_MS, values.count, final]),
    [
      [0, 1, true],
      [1, 1, false],
      [2, 1, false],
    ],
  )
  ok(open.every(({ era }) => era === 0))
})

test('windows of another size begin with the first that is whole; those of before are gone, and come back whole', () => {
  const twoMinutes = { ...minutes, name: 'two-minutes', sizeMs: 2 * MINUTE_MS }
  const bench = new Bench().send(0).send(70)
  const restart = (definition: WindowDefinition<StreamEvent>): void => {
    const state = JSON.parse(JSON.stringify(bench.eras.encode()))
    const { newestMs } = bench.eras
    bench.eras = new WindowEras<StreamEvent>([definition], NO_TABLES)
    bench.eras.restore(state, newestMs)
  }
  restart(twoMinutes)
  // The windows from minutes 0 and 1 lack what was before the change; that of minute 2 is the first.
  bench.send(80).send(130).send(200)
  deepEqual(
    bench.eras.open().map(({ startMs }) => (startMs - T0) / MINUTE_MS),
    [2, 3],
  )
  // The change is remembered by the next start.
  restart(twoMinutes)
  bench.send(275).send(100)
  deepEqual(bench.take(), [[0, 2, 2, 1]])
  bench.send(239)
  deepEqual(bench.take(), [[0, 2, 3, 2]])
  restart(minutes)
  bench.send(290).send(310).send(395)
  deepEqual(bench.take(), [[0, 5, 1, 1]])
})

test('a size that is added leaves the windows of the others as they are', () => {
  const hours = { ...minutes, name: 'hours', sizeMs: HOUR_MS, slideMs: HOUR_MS }
  const bench = new Bench().send(0).send(10)
  const state = bench.eras.encode()
  const { newestMs } = bench.eras
  bench.eras = new WindowEras<StreamEvent>([minutes, hours], NO_TABLES)
  bench.eras.restore(state, newestMs)
  bench.send(20).send(95)
  deepEqual(bench.take(), [[0, 0, 3, 1]])
})
