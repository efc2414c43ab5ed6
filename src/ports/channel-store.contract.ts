// What every store of channels must do.

import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { type ChannelStore, MAX_STORED_CHANNELS } from './channel-store.ts'

export function describeChannelStore(name: string, open: () => Promise<ChannelStore>): void {
  describe(`${name} as a store of channels`, () => {
    it('gives back what was saved, by name, with who changed it last', async () => {
      const store = await open()
      assert.deepEqual(await store.list(), [])
      await store.save({ name: 'b', document: { kind: 'inbox' }, updatedBy: 'ada' })
      await store.save({ name: 'a', document: { kind: 'email', to: 'x@y.z' }, updatedBy: 'ada' })
      await store.save({ name: 'b', document: { kind: 'inbox', zone: 'UTC' }, updatedBy: 'olga' })
      const found = await store.list()
      assert.deepEqual(
        found.map(({ updatedAtMs: _, ...rest }) => rest),
        [
          { name: 'a', document: { kind: 'email', to: 'x@y.z' }, updatedBy: 'ada' },
          { name: 'b', document: { kind: 'inbox', zone: 'UTC' }, updatedBy: 'olga' },
        ],
      )
      assert.ok(found.every(({ updatedAtMs }) => updatedAtMs > 0))
    })

    it('removes once', async () => {
      const store = await open()
      await store.save({ name: 'a', document: {}, updatedBy: 'ada' })
      assert.equal(await store.remove('a'), true)
      assert.equal(await store.remove('a'), false)
      assert.deepEqual(await store.list(), [])
    })

    it('takes no more than its limit, and still changes what it has', async () => {
      const store = await open()
      for (let number = 0; number < MAX_STORED_CHANNELS; number++) {
        assert.ok(await store.save({ name: `c${number}`, document: {}, updatedBy: 'ada' }))
      }
      assert.equal(await store.save({ name: 'more', document: {}, updatedBy: 'ada' }), false)
      assert.equal(await store.save({ name: 'c0', document: { a: 1 }, updatedBy: 'ada' }), true)
      assert.equal((await store.list()).length, MAX_STORED_CHANNELS)
    })
  })
}
