import assert from 'node:assert/strict'
import { test } from 'node:test'
import { Crank, flagsOf } from '../../test/simulation/crank.ts'
import {
  EFFECT_LEVEL,
  FIRST_SILENCE_MS,
  probePipeline,
} from '../../test/simulation/probe-pipeline.ts'
import { HOUR_MS, MINUTE_MS, SECOND_MS } from '../kernel/time.ts'
import type { Alert } from '../ports/alert.ts'
import { DISORDER_ALLOWANCE_MS, MAX_TAIL_EVENTS } from './key-slot.ts'
import { scopedKey } from './scoped-key.ts'
import { FUTURE_TOLERANCE_MS } from './task.ts'
import { PARTITION_KEY } from './task-snapshot.ts'

const T0 = Date.UTC(2026, 4, 4, 10)

interface Sent {
  readonly key?: string
  readonly tenantId?: string
  readonly level?: number
  /** Arrival; the time of the event where it is not given. */
  readonly arrivalS?: number
  readonly eventId?: string
  readonly side?: string
}

/** Times in seconds from T0. */
function machine() {
  const crank = new Crank(probePipeline({ broadcast: false }))
  const send = (
    atS: number,
    { key = 'p', tenantId = 'default', arrivalS = atS, ...rest }: Sent = {},
  ) => {
    const wire = { probeId: key, recordedAt: T0 + atS * SECOND_MS, level: 0, ...rest }
    const value = Buffer.from(JSON.stringify(wire))
    crank.append({ key, value, tenantId, receivedAtMs: T0 + arrivalS * SECOND_MS })
    const output = crank.turn()
    assert.ok(output !== undefined)
    return output
  }
  /** As they stand after their last revision, times in seconds from T0. */
  const episodes = (rule: string) => {
    const newest = new Map<string, Alert>()
    for (const { alerts } of crank.outputs) for (const alert of alerts) newest.set(alert.id, alert)
    return [...newest.values()]
      .filter((alert) => alert.rule === rule)
      .map(({ startsAtMs, endsAtMs, count, revision, withdrawn }) => ({
        from: (startsAtMs - T0) / SECOND_MS,
        to: endsAtMs === null ? null : (endsAtMs - T0) / SECOND_MS,
        count,
        revision,
        withdrawn,
      }))
      .sort((a, b) => a.from - b.from)
  }
  return { crank, send, episodes }
}

test('an event out of order is put where it belongs, and the alert follows', () => {
  const { send, episodes } = machine()
  send(0)
  send(10, { level: 70 })
  send(20, { level: 70 })
  send(15, { level: 20, arrivalS: 21 })
  assert.deepEqual(episodes('high'), [
    { from: 10, to: 15, count: 1, revision: 3, withdrawn: false },
    { from: 20, to: null, count: 1, revision: 1, withdrawn: false },
  ])
})

test('an alert that an earlier event turns out to have opened keeps its id', () => {
  const { send, crank } = machine()
  send(0)
  const [first] = send(10, { level: 70 }).alerts
  const [amended] = send(5, { level: 65, arrivalS: 11 }).alerts
  assert.equal(amended?.id, first?.id)
  assert.deepEqual([amended?.revision, amended?.startsAtMs], [2, T0 + 5_000])
  assert.deepEqual([amended?.value.level, amended?.peak.level], [65, 70])
  const [closed] = send(20, { level: 0 }).alerts
  assert.equal(closed?.id, first?.id)
  assert.equal(new Set(crank.outputs.flatMap(({ alerts }) => alerts.map(({ id }) => id))).size, 1)
})

test('an alert that never was is withdrawn, as if it had ended when it began', () => {
  const { send, episodes } = machine()
  send(0)
  send(1, { level: 31 })
  send(10, { level: 31 })
  assert.deepEqual(episodes('held'), [
    { from: 1, to: null, count: 2, revision: 1, withdrawn: false },
  ])
  send(5, { level: 0, arrivalS: 11 })
  assert.deepEqual(episodes('held'), [{ from: 1, to: 1, count: 2, revision: 2, withdrawn: true }])
})

test('a withdrawn alert that comes back goes on with its revisions', () => {
  const { send, episodes } = machine()
  for (const [atS, level] of [
    [-45, 0],
    [-14, 0],
    [0, 31],
    [8, 31],
    [20, 0],
    [25, 0],
    [30, 31],
    [38, 31],
  ] as const) {
    send(atS, { level })
  }
  const second = () => episodes('held').find(({ from }) => from === 30)
  assert.deepEqual(second(), { from: 30, to: null, count: 2, revision: 1, withdrawn: false })
  // Now the first one was not over long enough to end.
  send(22, { level: 31, arrivalS: 39 })
  assert.deepEqual([second()?.revision, second()?.withdrawn], [2, true])
  // The past that is kept moves on, but not beyond it.
  send(51, { level: 31 })
  send(52, { level: 31 })
  // And now it was.
  send(29.5, { level: 0, arrivalS: 53 })
  assert.deepEqual(second(), { from: 30, to: null, count: 4, revision: 3, withdrawn: false })
})

test('an alert that a late event parts becomes two, with ids of their own', () => {
  const { send, crank } = machine()
  send(0)
  send(10, { level: 70 })
  send(5, { level: 70, arrivalS: 11 })
  send(7, { level: 0, arrivalS: 12 })
  const high = crank.outputs.flatMap(({ alerts }) => alerts).filter(({ rule }) => rule === 'high')
  const newest = new Map(high.map((alert) => [alert.id, alert]))
  assert.deepEqual(
    [...newest.values()].map(({ startsAtMs, status }) => [(startsAtMs - T0) / 1_000, status]),
    [
      [5, 'resolved'],
      [10, 'firing'],
    ],
  )
})

test('an event older than the past that is kept is late: archived with its flag, without effect', () => {
  const { send, crank } = machine()
  for (let atS = 0; atS <= 200; atS += 10) send(atS)
  const output = send(60, { level: 99, arrivalS: 201 })
  assert.deepEqual(flagsOf(output), [['late']])
  assert.deepEqual(output.alerts, [])
  assert.deepEqual(output.outbox, [])
  assert.equal(crank.task.keys, 1)
})

test('an event exactly as far out of order as is allowed is not late', () => {
  const { send } = machine()
  for (let atS = 0; atS <= 200; atS += 3) send(atS)
  const output = send(198 - DISORDER_ALLOWANCE_MS / SECOND_MS, { arrivalS: 201 })
  assert.deepEqual(flagsOf(output), [null])
})

test('the kept past stays within its bound, however events come', () => {
  const { send, crank } = machine()
  // One event from a clock that runs fast, and then hundreds that belong before it.
  send(0)
  send(240, { arrivalS: 0.1 })
  for (let index = 1; index < 400; index++) {
    const output = send(index / 2, { arrivalS: index / 2, level: index % 90 })
    assert.deepEqual(flagsOf(output), [null], `event ${index}`)
  }
  crank.snapshot()
  const state = JSON.parse(crank.result().state.get('p') ?? '') as {
    readonly e: readonly unknown[]
  }
  assert.ok(state.e.length <= MAX_TAIL_EVENTS, `${state.e.length} events are kept`)
})

test('at a high rate, disorder of up to half the kept past is still put right', () => {
  const { send } = machine()
  for (let index = 0; index < 1_000; index++) {
    // Every fourth event comes twenty places late.
    const place = index % 4 === 0 ? index - 20 : index
    const output = send(100 + place / 50, { arrivalS: 100 + index / 50 })
    assert.deepEqual(flagsOf(output), [null], `event ${index}`)
  }
})

test('a clock in the future is clamped to the arrival, flagged, and counted in no window', () => {
  const { send, crank, episodes } = machine()
  const tolerance = FUTURE_TOLERANCE_MS / SECOND_MS
  assert.deepEqual(flagsOf(send(tolerance, { arrivalS: 0, level: 0 })), [null])
  const output = send(1_000_000, { key: 'q', arrivalS: 10, level: 70 })
  assert.deepEqual(flagsOf(output), [['future']])
  assert.deepEqual(episodes('high'), [
    { from: 10, to: null, count: 1, revision: 1, withdrawn: false },
  ])
  assert.equal(crank.task.openWindows().filter(({ startMs }) => startMs > T0 + HOUR_MS).length, 0)
})

test('a clock that runs ahead a little makes nobody else late', () => {
  const { send, crank } = machine()
  send(0)
  send(290, { key: 'fast', arrivalS: 1 })
  send(2, { key: 'q' })
  assert.deepEqual(
    crank.outputs.flatMap(({ windows }) => windows),
    [],
  )
  assert.ok(crank.task.watermarkMs <= T0 + 2_000)
})

test('keys of different tenants never meet, whatever they are called', () => {
  const { send, crank } = machine()
  send(0, { level: 70 })
  send(1, { level: 0, tenantId: 'other' })
  const names = ['p', 'other', '\u001fother\u001fp', '\u001f', '\u001f\u001fp', 'other\u001fp']
  const scoped = names.flatMap((name) => [scopedKey('default', name), scopedKey('other', name)])
  assert.equal(new Set([...scoped, PARTITION_KEY]).size, scoped.length + 1)
  assert.equal(crank.task.keys, 2)
  assert.deepEqual(
    crank.outputs.flatMap(({ alerts }) => alerts.map(({ status }) => status)),
    ['firing'],
  )
})

test('silences are told in the order of their time, whoever spoke last', () => {
  const { send, crank } = machine()
  for (const [atS, key] of [
    [0, 'a'],
    [1, 'b'],
    [2, 'c'],
    [3, 'b'],
    [4, 'a'],
  ] as const) {
    send(atS, { key })
  }
  crank.tick(T0 + FIRST_SILENCE_MS + 10 * SECOND_MS)
  const told = crank.outputs.at(-1)?.alerts.map(({ rule, entityId }) => `${rule} ${entityId}`)
  assert.deepEqual(told, ['quiet c', 'quiet b', 'quiet a'])
  assert.equal(crank.outputs.at(-1)?.causedByTick, true)
})

test('a key that speaks again ends its silence at that moment', () => {
  const { send, episodes } = machine()
  send(0)
  send(50, { key: 'other' })
  send(60)
  assert.deepEqual(episodes('quiet'), [
    { from: 45, to: 60, count: 1, revision: 2, withdrawn: false },
  ])
})

test('an upload of old events is no sign that the key will go on speaking', () => {
  const { send, episodes, crank } = machine()
  send(0, { arrivalS: 3_600 })
  crank.tick(T0 + 2 * HOUR_MS)
  assert.deepEqual(episodes('quiet'), [])
})

test('a repeat is no sign of life', () => {
  const { send, episodes, crank } = machine()
  send(0, { eventId: 'e' })
  send(0, { eventId: 'e', arrivalS: 40 })
  crank.tick(T0 + FIRST_SILENCE_MS)
  assert.deepEqual(
    episodes('quiet').map(({ from }) => from),
    [45],
  )
})

test('a key that was not heard of for long is forgotten, and is new when it comes back', () => {
  const { send, crank } = machine()
  send(0, { eventId: 'e', arrivalS: 10 * 60 })
  const days = 30 * 3_600
  const output = send(days, { eventId: 'e' })
  assert.deepEqual(flagsOf(output), [null])
  send(4 * days, { key: 'other' })
  crank.snapshot()
  assert.equal(crank.task.keys, 1)
})

test('an effect asked for out of order is asked for once', () => {
  const { send } = machine()
  send(0)
  send(10)
  const output = send(5, { level: EFFECT_LEVEL, arrivalS: 11 })
  assert.deepEqual(
    output.outbox.map(({ kind, payload }) => [kind, payload]),
    [['notify', { level: EFFECT_LEVEL }]],
  )
  assert.deepEqual(send(7, { arrivalS: 12 }).outbox, [])
})

test('a record that is no event becomes a dead letter, and the partition goes on', () => {
  const { send, crank } = machine()
  send(0)
  crank.append({ key: 'p', value: Buffer.from('{'), receivedAtMs: T0, tenantId: 'default' })
  const output = crank.turn()
  assert.deepEqual(
    output?.deadLetters.map(({ code, raw, position }) => [code, raw, position?.offset]),
    [['bad-json', '{', 1]],
  )
  assert.equal(send(2).counts.events, 1)
})

test('a tick ends a silence or a window, or it is not kept', () => {
  const { send, crank } = machine()
  send(0)
  const journalled = (atMs: number): number => {
    crank.tick(T0 + atMs)
    return crank.outputs.at(-1)?.journal.length ?? 0
  }
  assert.equal(journalled(FIRST_SILENCE_MS - 1), 0)
  assert.equal(journalled(FIRST_SILENCE_MS), 1)
  assert.equal(journalled(FIRST_SILENCE_MS + SECOND_MS), 0)
  // Idle for a minute, thirty seconds of allowance, and the first window that ends.
  assert.equal(journalled(2 * MINUTE_MS - SECOND_MS), 1)
  crank.tick(T0 + 2 * MINUTE_MS + 30 * SECOND_MS)
  assert.ok((crank.outputs.at(-1)?.windows.length ?? 0) > 0)
})
