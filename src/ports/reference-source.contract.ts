// What every source of reference tables promises.

import { deepEqual, equal, notEqual, ok } from 'node:assert/strict'
import { describe, type TestContext, test } from 'node:test'
import type { ReferenceSource } from './reference-source.ts'

export interface SourceUnderTest {
  readonly source: ReferenceSource
  /** Puts a file there, by name with ending, or replaces it. */
  put(name: string, text: string): Promise<void>
  remove(name: string): Promise<void>
}

/** `open` gives an empty place, or undefined where the test was skipped. */
export function referenceSourceContract(
  name: string,
  open: (t: TestContext) => Promise<SourceUnderTest | undefined>,
): void {
  describe(`${name}: reference tables`, () => {
    test('nothing there is no tables and no problem', async (t) => {
      const place = await open(t)
      if (place === undefined) return
      deepEqual(await place.source.load(), { documents: [], problems: [] })
    })

    test('a table is named for its file, and other files are none', async (t) => {
      const place = await open(t)
      if (place === undefined) return
      await place.put('vehicles.json', '[{"vehicleId":"V1"}]')
      await place.put('notes.txt', 'not a table')
      const { documents, problems } = await place.source.load()
      deepEqual(
        documents.map(({ name: table, content }) => [table, content]),
        [['vehicles', [{ vehicleId: 'V1' }]]],
      )
      deepEqual(problems, [])
    })

    test('the tag changes with the content, and only then', async (t) => {
      const place = await open(t)
      if (place === undefined) return
      await place.put('vehicles.json', '[1]')
      const tagNow = async () => (await place.source.load()).documents[0]?.tag
      const first = await tagNow()
      ok(first)
      equal(await tagNow(), first)
      await place.put('vehicles.json', '[2]')
      notEqual(await tagNow(), first)
      deepEqual((await place.source.load()).documents[0]?.content, [2])
    })

    test('a malformed table is a problem by name, and the others are read', async (t) => {
      const place = await open(t)
      if (place === undefined) return
      await place.put('vehicles.json', '[1')
      await place.put('vehicle-colors.json', '[]')
      const { documents, problems } = await place.source.load()
      deepEqual(
        documents.map(({ name: table }) => table),
        ['vehicle-colors'],
      )
      deepEqual(
        problems.map(({ name: table }) => table),
        ['vehicles'],
      )
      ok(problems[0]?.message.includes('vehicles.json'), problems[0]?.message)
    })

    test('a table that is gone is no longer listed', async (t) => {
      const place = await open(t)
      if (place === undefined) return
      await place.put('vehicles.json', '[1]')
      equal((await place.source.load()).documents.length, 1)
      await place.remove('vehicles.json')
      equal((await place.source.load()).documents.length, 0)
    })
  })
}
