import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { SilenceQueue } from './silence-queue.ts'

test('entries come in the order of their time, those of one time in the order of their keys', () => {
  const entry = fc.record({ atMs: fc.nat(20), key: fc.string({ maxLength: 3 }) })
  fc.assert(
    fc.property(fc.array(entry), (entries) => {
      const queue = new SilenceQueue()
      for (const { atMs, key } of entries) queue.push(atMs, key)
      const expected = entries
        .slice()
        .sort((a, b) => a.atMs - b.atMs || (a.key < b.key ? -1 : a.key > b.key ? 1 : 0))
      for (const { atMs, key } of expected) {
        assert.equal(queue.nextAtMs, atMs)
        assert.equal(queue.nextKey, key)
        assert.equal(queue.pop(), key)
      }
      assert.equal(queue.pop(), undefined)
    }),
  )
})

test('an empty queue has nothing to wait for', () => {
  assert.equal(new SilenceQueue().nextAtMs, Number.POSITIVE_INFINITY)
})
