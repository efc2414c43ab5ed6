// What every store of the routing must do, whatever it is made of. An adapter's test calls this once.

import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { derivedId } from '../kernel/ids.ts'
import type { DurationMs } from '../kernel/time.ts'
import type { AlertNotification, RoutingStep, RoutingStore } from './routing-store.ts'

export interface RoutingStoreUnderTest {
  readonly store: RoutingStore
  /** Makes an alert, or changes it, as the engine would. */
  alert(
    id: string,
    change?: { readonly status?: string; readonly acknowledged?: boolean },
  ): Promise<void>
  /** Makes a silence as the API would, in force for an hour. */
  silence(id: string): Promise<void>
  /** Ids of the notifications that are kept, and of the alerts that each names. */
  notifications(): Promise<readonly { readonly id: string; readonly alerts: readonly string[] }[]>
  marks(alertId: string): Promise<readonly string[]>
  expireLease(): Promise<void>
}

const LEASE_MS: DurationMs = 60_000
const NOTHING: RoutingStep = {
  changes: [],
  nextGroup: 0,
  groups: [],
  removedGroups: [],
  members: [],
  removedMembers: [],
  notifications: [],
  marks: [],
}

const id = (name: string): string => derivedId('routing-contract', name)

const group = {
  id: id('group'),
  tenantId: 'default',
  route: '/',
  labels: { rule: 'warm' },
  sequence: 1,
  flushAtMs: 1_000,
  notifiedAtMs: 500,
  escalatedAtMs: [null, 700],
}
const member = {
  groupId: group.id,
  alertId: id('a'),
  told: 'firing',
  toldAtMs: 500,
  escalated: 2,
} as const

function notification(name: string): AlertNotification {
  return {
    id: id(name),
    tenantId: 'default',
    groupId: group.id,
    sequence: 1,
    kind: 'firing',
    step: 0,
    route: '/',
    receiver: 'ops',
    channels: ['inbox'],
    groupLabels: group.labels,
    atMs: 500,
    firing: [id('a')],
    resolved: [id('b')],
  }
}

export function routingStoreContract(
  name: string,
  open: () => Promise<RoutingStoreUnderTest>,
): void {
  const check = (title: string, run: (under: RoutingStoreUnderTest) => Promise<void>): void => {
    it(title, async () => run(await open()))
  }
  const claimed = async (store: RoutingStore, owner: string) => {
    const claim = await store.claim(owner, LEASE_MS)
    assert.ok(claim !== null, `${owner} claims`)
    return { claim, owner: { epoch: claim.epoch, leaseMs: LEASE_MS } }
  }

  describe(`${name} keeps the routing`, () => {
    check(
      'one owner at a time, until its lease ends or it gives it back',
      async ({ store, expireLease }) => {
        const first = await claimed(store, 'a')
        assert.equal(await store.claim('b', LEASE_MS), null)
        await expireLease()
        const second = await claimed(store, 'b')
        assert.ok(second.claim.epoch > first.claim.epoch)
        await store.release(first.claim.epoch)
        assert.equal(
          await store.claim('c', LEASE_MS),
          null,
          'the lease of another is not given back',
        )
        await store.release(second.claim.epoch)
        await claimed(store, 'c')
      },
    )

    check('an owner that lost it writes nothing', async ({ store, expireLease, notifications }) => {
      const { owner } = await claimed(store, 'a')
      await expireLease()
      await claimed(store, 'b')
      const step = { ...NOTHING, groups: [group], notifications: [notification('late')] }
      assert.equal(await store.commit(owner, step), 'fenced')
      assert.deepEqual(await notifications(), [])
    })

    check(
      'what a step decided is read back by the next owner',
      async ({ store, alert, notifications }) => {
        await alert(id('a'))
        await alert(id('b'), { status: 'resolved' })
        const { owner } = await claimed(store, 'a')
        const step = {
          ...NOTHING,
          nextGroup: 7,
          groups: [group],
          members: [member],
          notifications: [notification('one')],
        }
        assert.equal(await store.commit(owner, step), 'committed')
        await store.release(owner.epoch)
        const { claim } = await claimed(store, 'b')
        assert.equal(claim.nextGroup, 7)
        assert.deepEqual(claim.groups, [group])
        assert.deepEqual(claim.members, [member])
        assert.deepEqual(
          claim.alerts.map((each) => each.id),
          [id('a')],
        )
        assert.deepEqual(await notifications(), [
          { id: id('one'), alerts: [id('a'), id('b')].sort() },
        ])
        const gone = { ...NOTHING, nextGroup: 7, removedGroups: [group.id] }
        await store.commit({ epoch: claim.epoch, leaseMs: LEASE_MS }, gone)
        await store.release(claim.epoch)
        const after = await claimed(store, 'c')
        assert.deepEqual([after.claim.groups, after.claim.members], [[], []])
      },
    )

    check(
      'a notification that is kept already is refused, and the whole step with it',
      async ({ store, notifications }) => {
        const { owner } = await claimed(store, 'a')
        await store.commit(owner, { ...NOTHING, notifications: [notification('one')] })
        const again = { ...NOTHING, groups: [group], notifications: [notification('one')] }
        await assert.rejects(store.commit(owner, again))
        assert.equal((await notifications()).length, 1)
        await store.release(owner.epoch)
        assert.deepEqual((await claimed(store, 'b')).claim.groups, [])
      },
    )

    check(
      'changes wait until a step that names them is committed, and none is missed',
      async ({ store, alert }) => {
        await alert(id('a'))
        const { owner } = await claimed(store, 'a')
        const first = await store.changes(100)
        assert.deepEqual(
          first.alerts.map((each) => [each.id, each.status, each.acknowledged]),
          [[id('a'), 'firing', false]],
        )
        assert.equal(first.alerts[0]?.labels.severity, 'major')
        assert.deepEqual((await store.changes(100)).numbers, first.numbers)
        await alert(id('a'), { acknowledged: true })
        await store.commit(owner, { ...NOTHING, changes: first.numbers })
        const second = await store.changes(100)
        assert.deepEqual(
          second.alerts.map((each) => [each.id, each.acknowledged]),
          [[id('a'), true]],
        )
        await store.commit(owner, { ...NOTHING, changes: second.numbers })
        assert.deepEqual((await store.changes(100)).numbers, [])
      },
    )

    check(
      'a silence is a change, and marks of a step are kept',
      async ({ store, alert, silence, marks }) => {
        await alert(id('a'))
        await silence(id('s'))
        const { owner, claim } = await claimed(store, 'a')
        assert.deepEqual(
          claim.silences.map((each) => each.id),
          [id('s')],
        )
        const { silences, numbers } = await store.changes(100)
        assert.deepEqual(
          silences?.map((each) => each.matchers),
          [[{ name: 'rule', operator: '=', value: 'warm' }]],
        )
        const mark = { alertId: id('a'), silencedBy: [id('s')], inhibitedBy: [] }
        await store.commit(owner, { ...NOTHING, changes: numbers, marks: [mark] })
        assert.deepEqual(await marks(id('a')), [id('s')])
        await store.release(owner.epoch)
        assert.deepEqual((await claimed(store, 'b')).claim.marks, [mark])
      },
    )
  })
}
