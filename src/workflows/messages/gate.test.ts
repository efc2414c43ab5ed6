import assert from 'node:assert/strict'
import { test } from 'node:test'
import { MINUTE_MS, SECOND_MS } from '../../kernel/time.ts'
import type { MessageSeverity } from '../../ports/message.ts'
import { type Admission, admit, BURST, EMPTY_GATE, type Gate } from './gate.ts'
import { quietUntil } from './quiet-hours.ts'

const START_MS = Date.UTC(2026, 0, 15, 9)

function run(arrivals: readonly { atMs: number; severity?: MessageSeverity; quietMs?: number }[]) {
  let gate: Gate = EMPTY_GATE
  const admissions: Admission[] = []
  for (const { atMs, severity = 'info', quietMs } of arrivals) {
    const next = admit(gate, {
      nowMs: START_MS + atMs,
      severity,
      quietUntilMs: quietMs === undefined ? null : START_MS + quietMs,
    })
    gate = next.gate
    admissions.push(next.admission)
  }
  return admissions
}

test('ten thousand messages in ten seconds become at most five, and each goes with one of them', () => {
  const admissions = run(Array.from({ length: 10_000 }, (_, index) => ({ atMs: index })))
  const now = admissions.filter(({ kind }) => kind === 'now').length
  const opened = admissions.filter((each) => each.kind === 'gather' && each.opens).length
  assert.equal(now, BURST)
  assert.ok(now + opened <= 5, `${now} at once and ${opened} gatherings`)
})

test('gatherings that follow each other keep their distance', () => {
  const admissions = run(Array.from({ length: 40 }, (_, index) => ({ atMs: index * MINUTE_MS })))
  const dues = admissions.flatMap((each) =>
    each.kind === 'gather' && each.opens ? [each.dueMs] : [],
  )
  for (const [index, due] of dues.entries()) {
    assert.ok(index === 0 || due - (dues[index - 1] ?? 0) >= 10 * MINUTE_MS)
  }
})

test('in quiet hours messages wait together for their end; what is critical does not', () => {
  const night = { quietMs: 8 * 60 * MINUTE_MS }
  const [first, second, critical] = run([
    { atMs: 0, ...night },
    { atMs: MINUTE_MS, ...night },
    { atMs: 2 * MINUTE_MS, severity: 'critical', ...night },
  ])
  assert.deepEqual(first, {
    kind: 'gather',
    gathering: 1,
    dueMs: START_MS + night.quietMs,
    opens: true,
  })
  assert.deepEqual(second, { ...first, opens: false })
  assert.deepEqual(critical, { kind: 'now' })
})

test('a critical message in a storm waits seconds, not minutes', () => {
  const storm = Array.from({ length: 5 }, () => ({ atMs: 0, severity: 'critical' as const }))
  const last = run(storm).at(-1)
  assert.ok(last?.kind === 'gather' && last.dueMs <= START_MS + 15 * SECOND_MS)
})

test('quiet hours are those of the zone, over midnight and over a change of the clock', () => {
  const hours = { zone: 'Europe/Berlin', from: '22:00', to: '06:00' }
  const at = (iso: string) => quietUntil(hours, Date.parse(iso))
  assert.equal(at('2026-01-15T20:59:00Z'), null)
  assert.equal(at('2026-01-15T21:00:00Z'), Date.parse('2026-01-16T05:00:00Z'))
  assert.equal(at('2026-01-16T04:59:00Z'), Date.parse('2026-01-16T05:00:00Z'))
  assert.equal(at('2026-01-16T05:00:00Z'), null)
  // Clocks go forward at 02:00: the night is an hour shorter.
  assert.equal(at('2026-03-28T22:00:00Z'), Date.parse('2026-03-29T04:00:00Z'))
})
