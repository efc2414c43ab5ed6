import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { SECOND_MS } from '../../kernel/time.ts'
import type {
  AlertMarks,
  AlertNotification,
  RoutedAlert,
  RoutingStep,
  Silence,
  StoredGroup,
  StoredMember,
} from '../../ports/routing-store.ts'
import { parseRouting } from './route-file.ts'
import type { RouteTable } from './route-table.ts'
import { ReferenceRouting, type Said } from './router.reference.ts'
import { AlertRouter, MAX_GROUPS } from './router.ts'

function tableOf(text: string): RouteTable {
  const parsed = parseRouting(text)
  assert.ok(parsed.ok, JSON.stringify(parsed))
  return parsed.value
}

const PLAIN = `
receivers:
  - {name: ops, channels: [inbox]}
  - {name: boss, channels: [phone]}
route:
  receiver: ops
  groupBy: [rule]
  groupWait: 30s
  groupInterval: 5m
  repeatInterval: 1h
  escalate: [{after: 15m, receiver: boss}]
inhibit:
  - {source: [rule="silent"], target: [rule!="silent"], equal: [entityId]}
`

const NOTHING = { nextGroup: 0, groups: [], members: [], alerts: [], marks: [], silences: [] }

/** What a store holds after each step, so that a router can be made of it again. */
class Kept {
  readonly notifications: AlertNotification[] = []
  readonly marks = new Map<string, AlertMarks>()
  readonly groups = new Map<string, StoredGroup>()
  readonly members = new Map<string, StoredMember>()
  nextGroup = 0

  keep(step: RoutingStep): void {
    this.nextGroup = step.nextGroup
    for (const id of step.removedGroups) {
      this.groups.delete(id)
      for (const [key, { groupId }] of this.members) if (groupId === id) this.members.delete(key)
    }
    for (const group of step.groups) this.groups.set(group.id, group)
    for (const each of step.removedMembers) this.members.delete(`${each.groupId} ${each.alertId}`)
    for (const each of step.members) {
      assert.ok(this.groups.has(each.groupId), 'a member belongs to a group that is kept')
      this.members.set(`${each.groupId} ${each.alertId}`, each)
    }
    this.notifications.push(...step.notifications)
    for (const each of step.marks) this.marks.set(each.alertId, each)
  }
}

interface Bench {
  at(s: number, ...alerts: readonly Partial<RoutedAlert>[]): void
  silences(s: number, silences: readonly Silence[]): void
  readonly kept: Kept
  said(): readonly string[]
}

/** A router that is told things at seconds, and looks at what is due every second in between. */
function bench(text = PLAIN): Bench {
  const kept = new Kept()
  const router = new AlertRouter(tableOf(text), NOTHING, 0)
  let nowS = 0
  const until = (s: number): void => {
    for (; nowS <= s; nowS += 1) {
      router.advance(nowS * SECOND_MS)
      kept.keep(router.take([]))
    }
    nowS = s
  }
  return {
    kept,
    at(s, ...alerts) {
      until(s)
      router.change(alerts.map(alertOf), s * SECOND_MS)
      router.advance(s * SECOND_MS)
      kept.keep(router.take([]))
    },
    silences(s, silences) {
      until(s)
      router.setSilences(silences, s * SECOND_MS)
      router.advance(s * SECOND_MS)
      kept.keep(router.take([]))
    },
    said: () =>
      kept.notifications.map(
        ({ atMs, kind, receiver, firing, resolved }) =>
          `${atMs / SECOND_MS}s ${kind} to ${receiver}: ${firing.join(' ') || 'none'}${resolved.length > 0 ? `, over ${resolved.join(' ')}` : ''}`,
      ),
  }
}

function alertOf({ labels, ...rest }: Partial<RoutedAlert>): RoutedAlert {
  const id = rest.id ?? 'a'
  return {
    tenantId: 'default',
    status: 'firing',
    acknowledged: false,
    id,
    ...rest,
    labels: { rule: 'warm', severity: 'major', entityId: id, ...labels },
  }
}

test('alerts of one group wait for each other, and make one notification', () => {
  const { at, said } = bench()
  at(0, { id: 'a' })
  at(10, { id: 'b' })
  at(29, { id: 'c' })
  at(60)
  assert.deepEqual(said(), ['30s firing to ops: a b c'])
})

test('what joins later is told after the interval of the group, what ended with it', () => {
  const { at, said } = bench()
  at(0, { id: 'a' })
  at(40, { id: 'b' })
  at(50, { id: 'a', status: 'resolved' })
  at(400)
  assert.deepEqual(said(), ['30s firing to ops: a', '330s firing to ops: b, over a'])
})

test('an alert that ended before it was told is not told at all', () => {
  const { at, said } = bench()
  at(0, { id: 'a' })
  at(10, { id: 'a', status: 'resolved' })
  at(400)
  assert.deepEqual(said(), [])
})

test('a group repeats while nobody acknowledged, and escalates once to the next receiver', () => {
  const { at, said } = bench()
  at(0, { id: 'a' })
  at(3_700)
  assert.deepEqual(said(), [
    '30s firing to ops: a',
    '930s escalation to boss: a',
    '3630s repeat to ops: a',
  ])
})

test('who acknowledges ends repeats and escalation, and hears of the end', () => {
  const { at, said } = bench()
  at(0, { id: 'a' })
  at(100, { id: 'a', acknowledged: true })
  at(8_000, { id: 'a', acknowledged: true, status: 'resolved' })
  at(8_400)
  assert.deepEqual(said(), ['30s firing to ops: a', '8130s resolved to ops: none, over a'])
})

test('an acknowledgement that is taken back lets it escalate', () => {
  const { at, said } = bench()
  at(0, { id: 'a' })
  at(100, { id: 'a', acknowledged: true })
  at(2_000, { id: 'a' })
  at(2_001)
  assert.deepEqual(said(), ['30s firing to ops: a', '2000s escalation to boss: a'])
})

test('a silence keeps an alert from notifying from its first instant to before its last', () => {
  const { at, silences, said, kept } = bench()
  const matchers = [{ name: 'entityId', operator: '=', value: 'a' }] as const
  const silence = { id: 's', tenantId: 'default', matchers, fromMs: 10_000, toMs: 60_000 }
  silences(0, [silence, { ...silence, id: 'foreign', tenantId: 'other', fromMs: 0 }])
  at(5, { id: 'a' }, { id: 'b' })
  assert.deepEqual(kept.marks.get('a')?.silencedBy ?? [], [])
  at(10)
  assert.deepEqual(kept.marks.get('a')?.silencedBy, ['s'])
  at(59)
  assert.deepEqual(kept.marks.get('a')?.silencedBy, ['s'])
  at(60)
  assert.deepEqual(kept.marks.get('a')?.silencedBy, [])
  at(400)
  assert.deepEqual(said(), ['35s firing to ops: b', '335s firing to ops: a b'])
})

test('a firing source hides other alerts of its entity until it ends', () => {
  const { at, said, kept } = bench()
  at(0, { id: 'x', labels: { entityId: 'T' } }, { id: 'y', labels: { entityId: 'U' } })
  at(1, { id: 's', labels: { rule: 'silent', entityId: 'T' } })
  assert.deepEqual(kept.marks.get('x')?.inhibitedBy, ['s'])
  assert.equal(kept.marks.get('s'), undefined)
  at(100, { id: 's', status: 'resolved', labels: { rule: 'silent', entityId: 'T' } })
  assert.deepEqual(kept.marks.get('x')?.inhibitedBy, [])
  at(400)
  assert.deepEqual(said(), [
    '30s firing to ops: y',
    '31s firing to ops: s',
    '330s firing to ops: x y',
    '331s resolved to ops: none, over s',
  ])
})

test('a route that is muted by a schedule says nothing, and makes up for it afterwards', () => {
  // 1970-01-01 was a Thursday.
  const { at, said } = bench(`${PLAIN.replace('groupBy:', 'muteDuring: [dawn]\n  groupBy:')}
schedules:
  - {name: dawn, zone: UTC, times: [{days: [thu], from: '00:00', to: '00:03'}]}
`)
  at(0, { id: 'a' })
  at(400)
  assert.deepEqual(said(), ['330s firing to ops: a'])
})

test('tenants never share a group', () => {
  const { at, kept } = bench()
  at(0, { id: 'a' }, { id: 'b', tenantId: 'other' })
  at(40)
  assert.deepEqual(kept.notifications.map(({ tenantId, firing }) => [tenantId, firing]).sort(), [
    ['default', ['a']],
    ['other', ['b']],
  ])
})

test('beyond the limit of groups, alerts of a route share one, and none is dropped', () => {
  const { at, kept } = bench(PLAIN.replace('[rule]', '[entityId]'))
  const many = Array.from({ length: MAX_GROUPS + 500 }, (_, n) => ({ id: `a${n}` }))
  at(0, ...many)
  at(31)
  assert.equal(kept.notifications.length, MAX_GROUPS + 1)
  const told = new Set(kept.notifications.flatMap(({ firing }) => firing))
  assert.equal(told.size, many.length)
})

test('another document moves alerts to its groups; a group that stays does not tell again', () => {
  const kept = new Kept()
  const router = new AlertRouter(tableOf(PLAIN), NOTHING, 0)
  router.change([alertOf({ id: 'a' }), alertOf({ id: 'b', labels: { severity: 'critical' } })], 0)
  router.advance(30_000)
  kept.keep(router.take([]))
  router.configure(
    tableOf(
      `${PLAIN.replace('inhibit:', '  routes: [{matchers: [severity="critical"], groupWait: 1s}]\ninhibit:')}`,
    ),
    40_000,
  )
  router.advance(400_000)
  kept.keep(router.take([]))
  assert.deepEqual(
    kept.notifications.map(({ route, firing }) => [route, firing]),
    [
      ['/', ['a', 'b']],
      ['//severity="critical"', ['b']],
    ],
  )
})

const TREE = tableOf(`
receivers:
  - {name: ops, channels: [inbox]}
  - {name: night, channels: [phone], sendResolved: false}
  - {name: boss, channels: [pager]}
schedules:
  - {name: pause, zone: Africa/Nairobi, times: [{from: '03:10', to: '03:20'}]}
route:
  receiver: ops
  groupBy: [rule]
  groupWait: 20s
  groupInterval: 60s
  repeatInterval: 5m
  escalate: [{after: 90s, receiver: boss}, {after: 4m, receiver: night}]
  routes:
    - {matchers: [severity="critical"], groupWait: 0s, groupBy: ['...'], continue: true, muteDuring: [pause]}
    - {matchers: [severity=~"crit.*|major"], receiver: night, groupBy: [], repeatInterval: 2m}
inhibit:
  - {source: [rule="silent"], target: [], equal: [entityId]}
`)

type Command =
  | { readonly kind: 'change'; readonly alert: RoutedAlert }
  | { readonly kind: 'silence'; readonly silences: readonly Omit<Silence, 'toMs'>[] }
  | { readonly kind: 'pass'; readonly seconds: number }
  | { readonly kind: 'restart' }

const change: fc.Arbitrary<Command> = fc
  .record({
    n: fc.nat(5),
    status: fc.constantFrom('firing', 'firing', 'resolved', 'pending'),
    acknowledged: fc.boolean(),
    severity: fc.constantFrom('critical', 'major', 'minor'),
    entityId: fc.constantFrom('T', 'U'),
  })
  .map(({ n, status, acknowledged, severity, entityId }) => ({
    kind: 'change',
    alert: {
      id: `a${n}`,
      tenantId: n === 5 ? 'other' : 'default',
      status,
      acknowledged,
      labels: {
        rule: ['warm', 'warm', 'door', 'silent', 'silent', 'warm'][n] ?? 'warm',
        severity,
        entityId,
      },
    },
  }))
const silence: fc.Arbitrary<Command> = fc
  .array(
    fc.record({
      id: fc.constantFrom('s0', 's1'),
      tenantId: fc.constantFrom('default', 'default', 'other'),
      matchers: fc.constantFrom(
        [{ name: 'rule', operator: '=' as const, value: 'warm' }],
        [{ name: 'severity', operator: '!~' as const, value: 'cri.*' }],
      ),
      fromMs: fc.nat(900).map((s) => s * SECOND_MS),
    }),
    { maxLength: 2 },
  )
  .map((silences) => ({ kind: 'silence', silences }))
const pass: fc.Arbitrary<Command> = fc
  .oneof(fc.nat(30), fc.nat(200))
  .map((seconds) => ({ kind: 'pass', seconds }))
const restart: fc.Arbitrary<Command> = fc.constant({ kind: 'restart' })
const commands = fc.array(
  fc.oneof(
    { arbitrary: change, weight: 5 },
    { arbitrary: pass, weight: 5 },
    { arbitrary: silence, weight: 1 },
    { arbitrary: restart, weight: 1 },
  ),
  { minLength: 10, maxLength: 60, size: 'max' },
)

const SILENCE_S = 120

test('whatever happens, router and plain reference say the same, restarted at any moment', () => {
  fc.assert(
    fc.property(commands, (history) => {
      const kept = new Kept()
      const reference = new ReferenceRouting(TREE)
      let router = new AlertRouter(TREE, NOTHING, 0)
      let silences: readonly Silence[] = []
      let nowMs = 0
      const settle = (): void => {
        router.advance(nowMs)
        reference.advance(nowMs)
        kept.keep(router.take([]))
        for (const alert of reference.alerts.values()) {
          if (alert.status === 'resolved') continue
          const marks = kept.marks.get(alert.id)
          assert.deepEqual(marks?.silencedBy ?? [], reference.silencedBy(alert, nowMs))
          assert.deepEqual(marks?.inhibitedBy ?? [], reference.inhibitedBy(alert))
        }
      }
      for (const command of history) {
        if (command.kind === 'change') {
          // A new life of an alert has no marks of the old one.
          if (!reference.alerts.has(command.alert.id)) kept.marks.delete(command.alert.id)
          router.change([command.alert], nowMs)
          reference.change(command.alert, nowMs)
        } else if (command.kind === 'silence') {
          silences = command.silences
            .filter(
              ({ id }, index) => command.silences.findIndex((each) => each.id === id) === index,
            )
            .map((each) => ({ ...each, toMs: each.fromMs + SILENCE_S * SECOND_MS }))
          router.setSilences(silences, nowMs)
          reference.setSilences(silences)
        } else if (command.kind === 'restart') {
          const { groups, members, marks, nextGroup } = kept
          const state = {
            nextGroup,
            groups: [...groups.values()],
            members: [...members.values()],
            alerts: [...reference.alerts.values()],
            marks: [...marks.values()].filter(({ alertId }) => reference.alerts.has(alertId)),
            silences,
          }
          router = new AlertRouter(TREE, JSON.parse(JSON.stringify(state)), nowMs)
        } else {
          for (let s = 0; s < command.seconds; s += 1) {
            nowMs += SECOND_MS
            settle()
          }
        }
        settle()
      }
      assert.deepEqual(kept.notifications.map(saidOf).sort(), reference.said.map(textOf).sort())
      const ids = kept.notifications.map(({ id }) => id)
      assert.equal(new Set(ids).size, ids.length, 'no id is used twice')
    }),
    { numRuns: 200 },
  )
})

function saidOf({
  kind,
  step,
  route,
  receiver,
  groupLabels,
  atMs,
  firing,
  resolved,
}: AlertNotification): string {
  return textOf({ kind, step, route, receiver, labels: groupLabels, atMs, firing, resolved })
}

function textOf({ kind, step, route, receiver, labels, atMs, firing, resolved }: Said): string {
  return JSON.stringify([atMs, kind, step, route, receiver, labels, firing, resolved])
}
