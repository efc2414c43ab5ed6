import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { MINUTE_MS, SECOND_MS } from '../kernel/time.ts'
import type { StreamEvent } from './topic.ts'
import { PanedWindow, type WindowDefinition } from './windows.ts'

interface Sample extends StreamEvent {
  readonly value: number | null
  readonly label: string | null
}

const T0 = Date.UTC(2026, 0, 5, 8)

const sample = (atMs: number, value: number | null = 1, label: string | null = null): Sample => ({
  recordedAtMs: atMs,
  eventId: null,
  value,
  label,
})

function definition(more: Partial<WindowDefinition<Sample>> = {}): WindowDefinition<Sample> {
  return {
    name: 'samples',
    sizeMs: MINUTE_MS,
    slideMs: MINUTE_MS,
    allowanceMs: 30 * SECOND_MS,
    amendableForMs: 5 * MINUTE_MS,
    group: () => 'all',
    values: { count: { kind: 'count' } },
    ...more,
  }
}

function addAll(window: PanedWindow<Sample>, events: readonly Sample[], key = 'k'): void {
  for (const event of events) window.add(key, event, event.recordedAtMs)
}

const short = (results: ReturnType<PanedWindow<Sample>['advance']>) =>
  results.map(({ startMs, endMs, values, revision }) => [
    (startMs - T0) / SECOND_MS,
    (endMs - T0) / SECOND_MS,
    values.count,
    revision,
  ])

test('each event falls in exactly one tumbling window', () => {
  fc.assert(
    fc.property(fc.array(fc.nat(600_000), { minLength: 1 }), (offsetsMs) => {
      const window = new PanedWindow(definition())
      addAll(
        window,
        offsetsMs.map((offsetMs) => sample(T0 + offsetMs)),
      )
      const results = window.advance(T0 + 700_000, 'default')
      const total = results.reduce((sum, { values }) => sum + Number(values.count), 0)
      assert.equal(total, offsetsMs.length)
      for (const { startMs, endMs, values } of results) {
        const inside = offsetsMs.filter((at) => T0 + at >= startMs && T0 + at < endMs)
        assert.equal(values.count, inside.length)
      }
    }),
  )
})

test('an event at the end of a window belongs to the next one', () => {
  const window = new PanedWindow(definition())
  addAll(window, [sample(T0), sample(T0 + MINUTE_MS)])
  assert.deepEqual(short(window.advance(T0 + 3 * MINUTE_MS, 'default')), [
    [0, 60, 1, 1],
    [60, 120, 1, 1],
  ])
})

test('a sliding window counts an event once in each window that spans it', () => {
  const window = new PanedWindow(definition({ sizeMs: 3 * MINUTE_MS }))
  addAll(window, [sample(T0 + 10_000), sample(T0 + 70_000)])
  assert.deepEqual(short(window.advance(T0 + 10 * MINUTE_MS, 'default')), [
    [-120, 60, 1, 1],
    [-60, 120, 2, 1],
    [0, 180, 2, 1],
    [60, 240, 1, 1],
  ])
})

test('a window is told once it is over by the watermark, and only once', () => {
  const window = new PanedWindow(definition())
  addAll(window, [sample(T0 + 5_000)])
  assert.deepEqual(short(window.advance(T0 + 59_999, 'default')), [])
  assert.deepEqual(short(window.advance(T0 + 60_000, 'default')), [[0, 60, 1, 1]])
  assert.deepEqual(short(window.advance(T0 + 90_000, 'default')), [])
})

test('a late event amends its window, and the revision says so', () => {
  const window = new PanedWindow(definition())
  addAll(window, [sample(T0 + 5_000)])
  window.advance(T0 + 2 * MINUTE_MS, 'default')
  addAll(window, [sample(T0 + 6_000), sample(T0 + 7_000)])
  assert.deepEqual(short(window.advance(T0 + 2 * MINUTE_MS, 'default')), [[0, 60, 3, 3]])
})

test('how late events are told apart by batches does not change the last revision', () => {
  const window = new PanedWindow(definition())
  addAll(window, [sample(T0 + 5_000)])
  window.advance(T0 + 2 * MINUTE_MS, 'default')
  addAll(window, [sample(T0 + 6_000)])
  assert.deepEqual(short(window.advance(T0 + 2 * MINUTE_MS, 'default')), [[0, 60, 2, 2]])
  addAll(window, [sample(T0 + 7_000)])
  assert.deepEqual(short(window.advance(T0 + 2 * MINUTE_MS, 'default')), [[0, 60, 3, 3]])
})

test('an event later than windows can be amended is refused', () => {
  const window = new PanedWindow(definition())
  addAll(window, [sample(T0)])
  window.advance(T0 + 10 * MINUTE_MS, 'default')
  const limit = T0 + 5 * MINUTE_MS
  assert.equal(window.add('k', sample(limit - 1), limit - 1), false)
  assert.equal(window.add('k', sample(limit), limit), true)
})

test('a window that begins late takes nothing for what is over already but as an amendment', () => {
  const window = new PanedWindow(definition())
  window.beginAt(T0 + 2 * MINUTE_MS)
  addAll(window, [sample(T0 + 5_000)])
  assert.deepEqual(short(window.advance(T0 + 2 * MINUTE_MS, 'other')), [[0, 60, 1, 2]])
})

test('every aggregate gives what its name says', () => {
  const window = new PanedWindow(
    definition({
      values: {
        count: { kind: 'count' },
        total: { kind: 'sum', value: ({ value }) => value },
        lowest: { kind: 'minimum', value: ({ value }) => value },
        highest: { kind: 'maximum', value: ({ value }) => value },
        keys: { kind: 'distinct-keys' },
        labels: { kind: 'keys-by-label', label: ({ label }) => label },
      },
    }),
  )
  window.add('a', sample(T0 + 1, 0.1, 'red'), T0 + 1)
  window.add('a', sample(T0 + 3, 0.2, 'blue'), T0 + 3)
  window.add('a', sample(T0 + 2, null, 'red'), T0 + 2)
  window.add('b', sample(T0 + 4, -5, '__proto__'), T0 + 4)
  const [result] = window.advance(T0 + 2 * MINUTE_MS, 'default')
  assert.deepEqual(result?.values, {
    count: 4,
    total: -4.7,
    lowest: -5,
    highest: 0.2,
    keys: 2,
    labels: Object.fromEntries([
      ['__proto__', 1],
      ['blue', 1],
    ]),
  })
})

test('order of arrival changes no value, to the last bit', () => {
  const values = {
    total: { kind: 'sum' as const, value: ({ value }: Sample) => value },
    labels: { kind: 'keys-by-label' as const, label: ({ label }: Sample) => label },
  }
  const drawn = fc.array(
    fc.record({
      atMs: fc.nat(59_999),
      cents: fc.integer({ min: -100_000, max: 100_000 }),
      label: fc.constantFrom('a', 'b', 'c'),
    }),
    { minLength: 1 },
  )
  fc.assert(
    fc.property(drawn, fc.infiniteStream(fc.nat()), (events, chance) => {
      const run = (order: typeof events) => {
        const window = new PanedWindow(definition({ values }))
        addAll(
          window,
          order.map(({ atMs, cents, label }) => sample(T0 + atMs, cents / 100, label)),
        )
        return JSON.stringify(window.advance(T0 + 5 * MINUTE_MS, 'default'))
      }
      const shuffled = events
        .map((event) => ({ event, at: Number(chance.next().value) }))
        .sort((a, b) => a.at - b.at)
        .map(({ event }) => event)
      assert.equal(run(shuffled), run(events))
    }),
  )
})

test('state taken and restored goes on where it was', () => {
  const make = () => {
    const window = new PanedWindow(
      definition({ values: { count: { kind: 'count' }, keys: { kind: 'distinct-keys' } } }),
    )
    addAll(window, [sample(T0 + 5_000), sample(T0 + 65_000)])
    window.advance(T0 + MINUTE_MS, 'default')
    addAll(window, [sample(T0 + 6_000)])
    window.advance(T0 + MINUTE_MS, 'default')
    return window
  }
  const window = make()
  const restored = new PanedWindow(window.definition)
  restored.restore(JSON.parse(JSON.stringify(window.encode())))
  for (const each of [window, restored]) addAll(each, [sample(T0 + 7_000), sample(T0 + 70_000)])
  assert.deepEqual(restored.encode(), window.encode())
  assert.deepEqual(
    restored.advance(T0 + 3 * MINUTE_MS, 'default'),
    window.advance(T0 + 3 * MINUTE_MS, 'default'),
  )
})

test('panes that no window needs any more are dropped', () => {
  const window = new PanedWindow(definition())
  for (let minute = 0; minute < 100; minute++) {
    addAll(window, [sample(T0 + minute * MINUTE_MS)])
    window.advance(T0 + minute * MINUTE_MS - 30_000, 'default')
  }
  assert.ok(window.encode().panes.length <= 9, `${window.encode().panes.length} panes`)
})

test('a watermark before 1970 finishes nothing', () => {
  const window = new PanedWindow(definition())
  addAll(window, [sample(1_000)])
  assert.deepEqual(window.advance(-29_000, 'default'), [])
  assert.equal(window.wouldFinish(59_999), false)
  assert.equal(window.wouldFinish(60_000), true)
})
