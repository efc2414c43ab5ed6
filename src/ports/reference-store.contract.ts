// What every store of reference versions promises, as one suite that each adapter's own test runs.

import { deepEqual, equal, ok, rejects } from 'node:assert/strict'
import { describe, test } from 'node:test'
import { isRetryable } from '../kernel/errors.ts'
import type { ReferenceDocument, ReferenceStore } from './reference-source.ts'

/** Gives one more handle on the same versions. */
export type OpenReferenceStore = () => Promise<ReferenceStore>

let used = 0
const newName = (): string => `profiles-${process.pid}-${++used}`

function document(name: string, tag: string, content: unknown = { tag }): ReferenceDocument {
  return { name, tag, content }
}

/** As the program does it: another process in the way is no failure. */
async function registered(store: ReferenceStore, each: ReferenceDocument): Promise<number> {
  for (;;) {
    try {
      return await store.register(each)
    } catch (error) {
      if (!isRetryable(error)) throw error
    }
  }
}

/** Registers the suite. */
export function referenceStoreContract(name: string, open: OpenReferenceStore): void {
  describe(`${name}: reference versions`, () => {
    test('versions count from 1, and the same content keeps its number', async () => {
      const store = await open()
      const table = newName()
      equal(await store.register(document(table, 'a')), 1)
      equal(await store.register(document(table, 'a')), 1)
      equal(await store.register(document(table, 'b')), 2)
      equal(await (await open()).register(document(table, 'b')), 2)
      equal(await store.register(document(table, 'c')), 3)
    })

    test('former content that comes back is a new version', async () => {
      const store = await open()
      const table = newName()
      for (const [tag, version] of [
        ['a', 1],
        ['b', 2],
        ['a', 3],
      ] as const) {
        equal(await store.register(document(table, tag)), version)
      }
    })

    test('every version can be loaded, and only those there are', async () => {
      const store = await open()
      const table = newName()
      await store.register(document(table, 'a', { limit: 1 }))
      await store.register(document(table, 'b', [1, 'two', null]))
      deepEqual(await store.load(table, 1), { limit: 1 })
      deepEqual(await store.load(table, 2), [1, 'two', null])
      await rejects(store.load(table, 3), { name: 'PlatformError', code: 'not-found' })
      await rejects(store.load(newName(), 1), { name: 'PlatformError', code: 'not-found' })
    })

    test('the newest of each table are listed once', async () => {
      const store = await open()
      const one = newName()
      const other = newName()
      await store.register(document(one, 'a', { n: 1 }))
      await store.register(document(one, 'b', { n: 2 }))
      await store.register(document(other, 'x', 'text'))
      const found = (await store.newest()).filter((each) => [one, other].includes(each.name))
      deepEqual(
        found.toSorted((each, next) => (each.name < next.name ? -1 : 1)),
        [
          { name: one, version: 2, content: { n: 2 } },
          { name: other, version: 1, content: 'text' },
        ],
      )
    })

    test('content comes back as it was, in the same order', async () => {
      const store = await open()
      const table = newName()
      const content = {
        zebra: 1,
        apple: [0.1, 1e21, -5, true, null, ''],
        a: 'a\u0000b half \ud83d 東京 "quoted" \\ \n',
        'key\u0000': { b: {}, a: [] },
        __proto__x: 1,
      }
      await store.register(document(table, 'odd', content))
      const found = await store.load(table, 1)
      equal(JSON.stringify(found), JSON.stringify(content))
      const newest = (await store.newest()).find((each) => each.name === table)
      equal(JSON.stringify(newest?.content), JSON.stringify(content))
    })

    test('content that is a plain value is content too', async () => {
      const store = await open()
      for (const content of ['text', 12.5, true, null, [], {}]) {
        const table = newName()
        await store.register(document(table, 'a', content))
        deepEqual(await store.load(table, 1), content)
      }
    })

    test('several that register at once agree on who has which number', async () => {
      const handles = await Promise.all([open(), open(), open()])
      for (let round = 0; round < 5; round++) {
        const table = newName()
        const tags = ['a', 'b', 'c', 'a', 'b', 'c']
        const versions = await Promise.all(
          tags.map((tag, index) => {
            const store = handles[index % handles.length]
            ok(store !== undefined)
            return registered(store, document(table, tag))
          }),
        )
        for (const [index, version] of versions.entries()) {
          deepEqual(await handles[0]?.load(table, version), { tag: tags[index] })
        }
      }
    })
  })
}
