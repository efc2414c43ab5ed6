// What every outbox must do: an effect is claimed once, by a process that lives, and outlives it.

import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { derivedId } from '../kernel/ids.ts'
import type { OpeningNote, Outbox, WorkflowEffect } from './outbox.ts'
import type { OpeningStep } from './workflow-engine.ts'

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

const step = (name: string): OpeningStep => ({
  ...{ name, result: '{"said":"\u00fc\\u0000"}', error: null },
  ...{ startedAtMs: 1_000, endedAtMs: 2_000 },
})

const note = (name: string, kept: number, steps: readonly OpeningStep[] = []): OpeningNote => ({
  ...{ id: effect(name).id, kept, steps },
})

const DONE = { status: 'done', outcome: 'sent', detail: { copies: 1 } } as const

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
        { ...effect('one'), steps: [], hasWaited: false },
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

    it('gives kept steps back, in their order, to whoever goes on with an opening', async () => {
      const { outbox, write, age } = await open()
      await outbox.beat('dead')
      await outbox.beat('b')
      await write([effect('one')])
      await outbox.take('dead', 10)
      assert.equal(await outbox.note('dead', note('one', 0, [step('look up'), step('tell')])), true)
      assert.equal(await outbox.note('dead', note('one', 2, [step('note')])), true)
      await age('dead')
      await outbox.bury(LEASE, async () => undefined)
      const [taken] = await outbox.take('b', 10)
      assert.deepEqual(taken?.steps, [step('look up'), step('tell'), step('note')])
      assert.equal(taken?.hasWaited, false)
    })

    it('keeps nothing of an opening that is another’s, or that stands elsewhere', async () => {
      const { outbox, write } = await open()
      await outbox.beat('a')
      await outbox.beat('b')
      await write([effect('one')])
      await outbox.take('a', 10)
      assert.equal(await outbox.note('b', note('one', 0, [step('x')])), false)
      assert.equal(await outbox.note('a', note('one', 1, [step('x')])), false)
      assert.equal(await outbox.wait('b', note('one', 0), 0), false)
      assert.equal(await outbox.close('a', note('one', 1), DONE), false)
      await outbox.giveBack('b', [effect('one').id])
      assert.deepEqual(await outbox.take('b', 10), [], 'it was not theirs to give')
      await outbox.giveBack('a', [effect('one').id])
      const [taken] = await outbox.take('b', 10)
      assert.deepEqual(taken?.steps, [])
    })

    it('gives what waits at the end of its opening when it is due, or when it is woken', async () => {
      const { outbox, write, nowMs } = await open()
      await outbox.beat('a')
      await write([effect('due'), effect('woken'), effect('asleep')])
      await outbox.take('a', 10)
      assert.equal(await outbox.wake(effect('due').id), 'coming', 'its opening is under way')
      const later = nowMs() + HOUR_MS
      assert.equal(await outbox.wait('a', note('woken', 0, [step('tell')]), later), true)
      assert.equal(await outbox.wait('a', note('asleep', 0), later), true)
      assert.equal(await outbox.wait('a', note('due', 0), nowMs() - HOUR_MS), true)
      assert.deepEqual(idsOf(await outbox.take('a', 10)), [effect('due').id])
      assert.equal(await outbox.wake(effect('woken').id), 'coming')
      const [woken, ...others] = await outbox.take('a', 10)
      assert.deepEqual([woken?.id, woken?.hasWaited], [effect('woken').id, true])
      assert.deepEqual(woken?.steps, [step('tell')])
      assert.equal(others.length, 0)
      await outbox.done([effect('woken').id])
      assert.equal(await outbox.wake(effect('woken').id), 'started')
    })

    it('begins an opening that failed anew, also where its effect is forgotten, and no other', async () => {
      const { outbox, write, nowMs } = await open()
      await outbox.beat('a')
      await write([effect('failed'), effect('started')])
      await outbox.take('a', 10)
      await outbox.done([effect('started').id])
      const failed = { status: 'failed', outcome: 'dead', detail: null } as const
      assert.equal(await outbox.close('a', note('failed', 0, [step('tell')]), failed), true)
      assert.deepEqual(await outbox.take('a', 10), [])
      assert.equal(await outbox.wake(effect('failed').id), 'over')
      assert.equal(await outbox.wake(effect('unknown').id), 'over')
      assert.equal(await outbox.reopen(effect('started').id), false)
      await outbox.purge(nowMs() + HOUR_MS, 10)
      assert.equal(await outbox.reopen(effect('failed').id), true)
      assert.equal(await outbox.reopen(effect('failed').id), false, 'it is under way')
      const [again] = await outbox.take('a', 10)
      assert.deepEqual(again, { ...effect('failed'), steps: [], hasWaited: false })
    })

    it('tells who waits of what is put and of what is woken, without being looked at', async () => {
      const { outbox, write, nowMs } = await open()
      const { signal } = new AbortController()
      await outbox.beat('a')
      // The first may end at once: what was put before anybody waited.
      await outbox.waitForEffects(10, signal)
      const wait = async (): Promise<number> => {
        await outbox.waitForEffects(HOUR_MS, signal)
        return (await outbox.take('a', 10)).length
      }
      const [put] = await Promise.all([wait(), write([effect('put')])])
      assert.equal(put, 1)
      await outbox.wait('a', note('put', 0), nowMs() + HOUR_MS)
      assert.equal(await wait(), 0, 'when it is due has changed')
      const [woken] = await Promise.all([wait(), outbox.wake(effect('put').id)])
      assert.equal(woken, 1)
    })

    it('lets nobody wait beyond what is due, the time that is given, or an abort', async () => {
      const { outbox, write, nowMs } = await open()
      const stop = new AbortController()
      await outbox.beat('a')
      await outbox.waitForEffects(10, stop.signal)
      const startedMs = nowMs()
      await write([effect('soon', startedMs + 150)])
      for (let waits = 0; waits < 5 && (await outbox.take('a', 10)).length === 0; waits++) {
        await outbox.waitForEffects(HOUR_MS, stop.signal)
      }
      assert.ok(nowMs() >= startedMs + 150)
      assert.deepEqual(await outbox.take('a', 10), [], 'it was taken when it was due')
      await outbox.waitForEffects(10, stop.signal)
      await outbox.waitForEffects(10, stop.signal)
      const waiting = outbox.waitForEffects(HOUR_MS, stop.signal)
      stop.abort()
      await waiting
    })

    it('keeps apart what many ask of it at once', async () => {
      const { outbox, write } = await open()
      await outbox.beat('a')
      const names = Array.from({ length: 30 }, (_, number) => `many-${number}`)
      await write(names.map((name) => effect(name)))
      await outbox.take('a', 100)
      const noted = await Promise.all(
        names.map((name, number) => outbox.note('a', note(name, number % 3, [step(name)]))),
      )
      assert.deepEqual(
        noted,
        names.map((_, number) => number % 3 === 0),
      )
      await outbox.giveBack(
        'a',
        names.map((name) => effect(name).id),
      )
      for (const { id, steps } of await outbox.take('a', 100)) {
        const own = names.findIndex((name) => effect(name).id === id)
        assert.deepEqual(steps, own % 3 === 0 ? [step(`many-${own}`)] : [])
      }
    })
  })
}
