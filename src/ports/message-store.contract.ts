// What every store of messages must do: place each once however often it is asked to, with the state of its address
// changed by one at a time, and keep what became of it.

import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { derivedId } from '../kernel/ids.ts'
import type { ContactPreference, MessageDraft, MessageStore, Placement } from './message-store.ts'

/** What the store holds of a message, as whoever looks at it later finds it. */
export interface StoredMessage {
  readonly status: string
  readonly attempts: number
  readonly reason: string | null
  readonly groupId: string | null
  readonly hasEnded: boolean
}

export interface MessagesUnderTest {
  readonly store: MessageStore
  /** Another process's handle on the same messages. */
  readonly other: MessageStore
  prefer(tenantId: string, address: string, preference: ContactPreference): Promise<void>
  stored(id: string): Promise<StoredMessage | undefined>
  /** Workflows that were asked for, in any order. */
  asked(): Promise<readonly { readonly id: string; readonly payload: unknown }[]>
}

const NOW_MS = Date.UTC(2031, 0, 1)
const QUEUED: Placement = { gate: null, status: 'queued', reason: null, group: null }

const draft = (name: string, { address = 'ada@example.org' } = {}): MessageDraft => ({
  id: derivedId('message', name),
  tenantId: 'default',
  workflowId: derivedId('workflow', name),
  askedBy: derivedId('asker', name),
  template: 'alerts',
  category: 'test',
  severity: 'major',
  channel: 'email',
  kind: 'email',
  address,
  content: {
    subject: `Subject of ${name}: 東京`,
    lines: ['A line'],
    facts: [{ label: 'Truck', value: 'KDA-101' }],
    actions: [{ label: 'Open', url: 'https://x.example/' }],
  },
  about: { entityType: 'truck', entityId: 'KDA-101', alertId: derivedId('alert', name) },
})

const ALONE = { asks: false }
const SENT = { outcome: 'sent', response: '250 ok' } as const
const attempt = { number: 1, tookMs: 12.7, dueMs: null }

export function describeMessageStore(name: string, open: () => Promise<MessagesUnderTest>): void {
  describe(`${name} as a store of messages`, () => {
    it('places a message once, and gives it back as it was to whoever delivers it', async () => {
      const { store, other, stored } = await open()
      const one = draft('one')
      const placed = [{ id: one.id, status: 'queued' }]
      assert.deepEqual(await store.place([one], () => QUEUED, ALONE), placed)
      const decide = (): Placement => assert.fail('It is there already.')
      assert.deepEqual(await other.place([one], decide, ALONE), placed)
      const { workflowId: _, askedBy: __, tenantId: ___, ...kept } = one
      const { createdAtMs, ...outgoing } = (await other.outgoing(one.id)) ?? assert.fail()
      assert.deepEqual(outgoing, kept)
      assert.ok(createdAtMs > Date.UTC(2020, 0))
      assert.equal(await store.outgoing(draft('unknown').id), undefined)
      assert.deepEqual(await stored(one.id), {
        ...{ status: 'queued', attempts: 0, reason: null, groupId: null, hasEnded: false },
      })
    })

    it('shows the state of an address to one decision after the other, however many are made at once', async () => {
      const { store, other } = await open()
      const seen: number[] = []
      const count = (_draft: MessageDraft, gate: unknown): Placement => {
        const before = Number(Object(gate).count ?? 0)
        seen.push(before)
        return { ...QUEUED, gate: { count: before + 1 } }
      }
      const drafts = Array.from({ length: 30 }, (_, number) => draft(`many-${number}`))
      await Promise.all(
        drafts.map((each, number) =>
          (number % 2 === 0 ? store : other).place([each], count, ALONE),
        ),
      )
      assert.deepEqual(
        seen.sort((a, b) => a - b),
        drafts.map((_, number) => number),
      )
      const elsewhere = draft('elsewhere', { address: 'eve@example.org' })
      await store.place([elsewhere], count, ALONE)
      assert.equal(seen.at(-1), 0, 'another address has a state of its own')
    })

    it('has each of several delivered by a workflow of its own, where that is asked for', async () => {
      const { store, asked } = await open()
      const drafts = ['a', 'b', 'c'].map((each) => draft(each, { address: `${each}@example.org` }))
      const decide = ({ address }: MessageDraft): Placement =>
        address === 'b@example.org' ? { ...QUEUED, status: 'suppressed', reason: 'no' } : QUEUED
      const placed = await store.place(drafts, decide, { asks: true })
      assert.deepEqual(
        placed.map(({ status }) => status),
        ['queued', 'suppressed', 'queued'],
      )
      const ids = (await asked()).map(({ id }) => id).sort()
      assert.deepEqual(ids, [draft('a').workflowId, draft('c').workflowId].sort())
    })

    it('keeps what is grouped for the message that it goes with, which is delivered once', async () => {
      const { store, stored, asked } = await open()
      const group = draft('group')
      const together = (opens: boolean): Placement => ({
        ...{ gate: null, status: 'grouped', reason: 'One of many.' },
        group: { message: group, dueMs: NOW_MS, opens },
      })
      await store.place([draft('one')], () => together(true), ALONE)
      const worse: MessageDraft = { ...draft('two'), severity: 'critical' }
      await store.place([worse], () => together(false), ALONE)
      assert.equal((await stored(group.id))?.status, 'held')
      assert.deepEqual((await stored(worse.id))?.groupId, group.id)
      assert.deepEqual(
        (await asked()).map(({ id }) => id),
        [group.workflowId],
      )
      const { total, items } = await store.groupedWith(group.id, 1)
      assert.deepEqual([total, items.map(({ subject }) => subject)], [2, [worse.content.subject]])
      await store.write(group.id, { ...group.content, subject: 'Two messages' })
      assert.equal((await store.outgoing(group.id))?.content.subject, 'Two messages')
      const dead = { outcome: 'refused', response: '550 no' } as const
      await store.attempted(group.id, { ...attempt, delivery: dead, status: 'dead' })
      const gone = await stored(worse.id)
      assert.deepEqual([gone?.status, gone?.hasEnded], ['grouped', true])
      assert.match(String(gone?.reason), /given up/)
    })

    it('keeps each attempt and where it leaves the message; what is sent needs no delivery', async () => {
      const { store, stored } = await open()
      const { id } = draft('one')
      await store.place([draft('one')], () => QUEUED, ALONE)
      const failed = { outcome: 'failed', response: '451 busy' } as const
      await store.attempted(id, {
        ...{ ...attempt, delivery: failed, status: 'retrying', dueMs: NOW_MS },
      })
      assert.deepEqual(await stored(id), {
        ...{ status: 'retrying', attempts: 1, reason: '451 busy', groupId: null, hasEnded: false },
      })
      assert.equal((await store.outgoing(id))?.id, id)
      await store.attempted(id, { ...attempt, number: 2, delivery: SENT, status: 'sent' })
      assert.deepEqual(await stored(id), {
        ...{ status: 'sent', attempts: 2, reason: null, groupId: null, hasEnded: true },
      })
      assert.equal(await store.outgoing(id), undefined)
    })

    it('hands a message on to a workflow of its own, once', async () => {
      const { store, asked } = await open()
      const { id } = draft('one')
      await store.place([draft('one')], () => QUEUED, ALONE)
      const own = derivedId('deliver', id)
      await store.handOn(id, own, NOW_MS)
      await store.handOn(id, own, NOW_MS)
      assert.deepEqual(await asked(), [{ id: own, payload: { messageId: id, attempt: 2 } }])
    })

    it('knows how somebody wants to be written to, whatever the case of the address', async () => {
      const { store, prefer } = await open()
      const preference = {
        ...{ zone: 'Africa/Nairobi', quietFrom: '22:00', quietTo: '06:00', refused: ['test'] },
      }
      await prefer('default', 'ada@example.org', preference)
      const asked = await Promise.all([
        store.preference('default', 'Ada@Example.org'),
        store.preference('default', 'ada@example.org'),
        store.preference('other', 'ada@example.org'),
        store.preference('default', 'eve@example.org'),
      ])
      assert.deepEqual(asked, [preference, preference, undefined, undefined])
    })

    it('keeps apart what becomes of many messages at once', async () => {
      const { store, stored } = await open()
      const drafts = Array.from({ length: 40 }, (_, number) =>
        draft(`n-${number}`, { address: `n-${number}@example.org` }),
      )
      await Promise.all(drafts.map((each) => store.place([each], () => QUEUED, ALONE)))
      const outgoing = await Promise.all(drafts.map(({ id }) => store.outgoing(id)))
      assert.deepEqual(
        outgoing.map((each) => each?.address),
        drafts.map(({ address }) => address),
      )
      await Promise.all(
        drafts.map(({ id }, number) =>
          store.attempted(id, {
            ...attempt,
            number: number + 1,
            delivery: { outcome: 'failed', response: `answer ${number}` },
            status: number % 2 === 0 ? 'dead' : 'retrying',
          }),
        ),
      )
      for (const [number, { id }] of drafts.entries()) {
        const { status, attempts, reason } = (await stored(id)) ?? assert.fail()
        assert.deepEqual(
          { status, attempts, reason },
          {
            status: number % 2 === 0 ? 'dead' : 'retrying',
            ...{ attempts: number + 1, reason: `answer ${number}` },
          },
        )
      }
    })
  })
}
