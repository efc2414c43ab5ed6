// What every outbox must do: an effect is claimed once, by a process that lives, and outlives it.

import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { derivedId } from '../kernel/ids.ts'
import type { Outbox, WorkflowEffect } from './outbox.ts'

export interface OutboxUnderTest {
  readonly outbox: Outbox
  /** Writes effects as whoever decides them does. */
  write(effects: readonly WorkflowEffect[]): Promise<void>
  /** Lets so much time pass for what is said to be alive. */
  age(executorId: string): Promise<void>
  nowMs(): number
}

const LEASE = { leaseMs: 60_000, busy: [] }
const HOUR_MS = 3_600_000

const effect = (name: string, notBeforeMs?: number): WorkflowEffect => ({
  id: derivedId('effect', name),
  kind: 'message',
  tenantId: 'default',
  payload: { name },
  ...(notBeforeMs === undefined ? {} : { notBeforeMs }),
})

const idsOf = (effects: readonly WorkflowEffect[]): readonly string[] =>
  effects.map(({ id }) => id).sort()

export function describeOutbox(name: string, open: () => Promise<OutboxUnderTest>): void {
  describe(`${name} as an outbox`, () => {
    it('gives an effect with its payload to one process, and to no other', async () => {
      const { outbox, write } = await open()
      await outbox.beat('a')
      await outbox.beat('b')
      await write([effect('one'), effect('two')])
      const taken = await Promise.all([outbox.take('a', 10), outbox.take('b', 10)])
      assert.deepEqual(idsOf(taken.flat()), idsOf([effect('one'), effect('two')]))
      assert.deepEqual(
        taken.flat().find(({ id }) => id === effect('one').id),
        effect('one'),
      )
      assert.deepEqual(await outbox.take('a', 10), [])
    })

    it('gives nothing to a process that never said it lives, and no more than is asked for', async () => {
      const { outbox, write } = await open()
      await write([effect('one'), effect('two'), effect('three')])
      assert.deepEqual(await outbox.take('a', 10), [])
      await outbox.beat('a')
      assert.equal((await outbox.take('a', 2)).length, 2)
      assert.equal((await outbox.take('a', 2)).length, 1)
    })

    it('keeps an effect back until it is due', async () => {
      const { outbox, write, nowMs } = await open()
      await outbox.beat('a')
      await write([effect('later', nowMs() + HOUR_MS), effect('now', nowMs() - HOUR_MS)])
      assert.deepEqual(idsOf(await outbox.take('a', 10)), [effect('now').id])
    })

    it('frees what a dead process had claimed, once whoever follows took over', async () => {
      const { outbox, write, age } = await open()
      await outbox.beat('dead')
      await outbox.beat('b')
      await write([effect('one'), effect('done')])
      await outbox.take('dead', 10)
      await outbox.done([effect('done').id])
      const buried: string[] = []
      await outbox.bury(LEASE, async (dead) => void buried.push(dead))
      assert.equal(buried.length, 0, 'all live')
      await age('dead')
      await assert.rejects(outbox.bury(LEASE, async () => Promise.reject(new Error('not now'))))
      assert.deepEqual(await outbox.take('b', 10), [], 'it was not taken over')
      await outbox.bury(LEASE, async (dead) => void buried.push(dead))
      assert.deepEqual(buried, ['dead'])
      assert.deepEqual(idsOf(await outbox.take('b', 10)), [effect('one').id])
    })

    it('has whoever is busy and unknown taken over, and who leaves in order at once', async () => {
      const { outbox } = await open()
      await outbox.beat('a')
      await outbox.beat('leaving')
      await outbox.leave('leaving')
      const buried: string[] = []
      await outbox.bury(
        { ...LEASE, busy: ['unknown', 'a'] },
        async (dead) => void buried.push(dead),
      )
      assert.deepEqual(buried.sort(), ['leaving', 'unknown'])
      assert.equal(await outbox.beat('leaving'), false, 'it was given up')
      assert.equal(await outbox.beat('a'), true)
    })

    it('forgets what was handed over long ago, and nothing else', async () => {
      const { outbox, write, nowMs } = await open()
      await outbox.beat('a')
      await write([effect('done'), effect('claimed')])
      await outbox.take('a', 10)
      await outbox.done([effect('done').id])
      assert.equal(await outbox.purge(nowMs() - HOUR_MS, 10), 0)
      assert.equal(await outbox.purge(nowMs() + HOUR_MS, 10), 1)
      assert.equal(await outbox.purge(nowMs() + HOUR_MS, 10), 0)
    })
  })
}
