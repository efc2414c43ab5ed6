// What every store of rules promises, as one suite that each adapter's own test runs.

import { deepEqual, equal, ok } from 'node:assert/strict'
import { describe, test } from 'node:test'
import type { RuleStore } from './rule-store.ts'

/** Gives one more handle on the same rules. */
export type OpenRuleStore = () => Promise<RuleStore>

let used = 0
const newName = (): string => `contract-${process.pid}-${++used}`

const AT_ONCE = 8

/** Registers the suite. */
export function ruleStoreContract(storeName: string, open: OpenRuleStore): void {
  const version = (name: string, tag: string, document: unknown = { tag }) => ({
    ...{ name, tag, document },
    source: 'api',
    author: 'wanjiru',
  })

  describe(`${storeName}: rules`, () => {
    test('what is written is there under its name, with who wrote it and when', async () => {
      const [store, other] = [await open(), await open()]
      const name = newName()
      const text = 'name: über\nsummary: "{speedKmh} \'km/h\'; 東京"\n'
      await store.write({ name, text, author: 'wanjiru' })
      const [written, ...more] = (await other.written()).filter((each) => each.name === name)
      deepEqual([written?.text, written?.author, more], [text, 'wanjiru', []])
      ok((written?.updatedAtMs ?? 0) > Date.UTC(2020, 0))
    })

    test('written again, the newer text counts', async () => {
      const store = await open()
      const name = newName()
      await store.write({ name, text: 'one', author: 'wanjiru' })
      await store.write({ name, text: 'two', author: 'otieno' })
      const found = (await store.written()).filter((each) => each.name === name)
      deepEqual(
        found.map(({ text, author }) => [text, author]),
        [['two', 'otieno']],
      )
    })

    test('erased, it is gone, and can be written again', async () => {
      const store = await open()
      const name = newName()
      equal(await store.erase(name), false)
      await store.write({ name, text: 'one', author: 'wanjiru' })
      equal(await store.erase(name), true)
      equal(await store.erase(name), false)
      ok(!(await store.written()).some((each) => each.name === name))
      await store.write({ name, text: 'two', author: 'wanjiru' })
      ok((await store.written()).some((each) => each.name === name && each.text === 'two'))
    })

    test('versions count from 1, and the same content keeps its number', async () => {
      const [store, other] = [await open(), await open()]
      const name = newName()
      equal(await store.register(version(name, 'a')), 1)
      equal(await other.register(version(name, 'a')), 1)
      equal(await store.register(version(name, 'b')), 2)
      equal(await store.register(version(name, 'a')), 3)
    })

    test('all versions can be read, the newest first, each as it was registered', async () => {
      const store = await open()
      const name = newName()
      const document = { name, when: 'event.speedKmh > 1e21', list: [1, null, 'two'], z: 1, a: 2 }
      await store.register(version(name, 'a', document))
      await store.register({ ...version(name, 'b'), source: 'fleet.yaml', author: 'outrider' })
      const versions = await store.versions(name)
      deepEqual(
        versions.map((each) => [each.version, each.source, each.author]),
        [
          [2, 'fleet.yaml', 'outrider'],
          [1, 'api', 'wanjiru'],
        ],
      )
      equal(JSON.stringify(versions.at(-1)?.document), JSON.stringify(document))
      deepEqual(await store.versions(newName()), [])
    })

    test('the newest version of every rule is listed once', async () => {
      const store = await open()
      const [one, other] = [newName(), newName()]
      await store.register(version(one, 'a'))
      await store.register(version(one, 'b'))
      await store.register(version(other, 'x'))
      const found = (await store.newest()).filter(({ name }) => name === one || name === other)
      deepEqual(found.map(({ name, version: number }) => [name, number]).sort(), [
        [one, 2],
        [other, 1],
      ])
    })

    test('of many who register at once each content has one number, and none is lost', async () => {
      const store = await open()
      const name = newName()
      const tags = Array.from({ length: AT_ONCE }, (_, index) => `tag-${index}`)
      const numbers = await Promise.all(tags.map((tag) => store.register(version(name, tag))))
      deepEqual(
        numbers.toSorted((a, b) => a - b),
        tags.map((_, index) => index + 1),
      )
    })
  })
}
