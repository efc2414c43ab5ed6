import assert from 'node:assert/strict'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'node:test'
import { folderReferenceSource } from './folder-source.ts'

test('a table changes its tag with its content, and a malformed file is a problem by name', async (t) => {
  const folder = await mkdtemp(join(tmpdir(), 'outrider-reference-'))
  t.after(() => rm(folder, { recursive: true }))
  const source = folderReferenceSource(folder)
  assert.deepEqual(await source.load(), { documents: [], problems: [] })

  await writeFile(join(folder, 'goods-profiles.json'), '[1]')
  await writeFile(join(folder, 'broken.json'), '[1')
  await writeFile(join(folder, 'notes.txt'), 'not a table')
  const first = await source.load()
  assert.deepEqual(
    first.documents.map(({ name, content }) => [name, content]),
    [['goods-profiles', [1]]],
  )
  assert.deepEqual(
    first.problems.map(({ name }) => name),
    ['broken'],
  )

  await writeFile(join(folder, 'goods-profiles.json'), '[2]')
  const second = await source.load()
  assert.notEqual(second.documents[0]?.tag, first.documents[0]?.tag)
})

test('a folder that is not there holds no tables', async () => {
  const source = folderReferenceSource(join(tmpdir(), 'outrider-no-such-folder'))
  assert.deepEqual(await source.load(), { documents: [], problems: [] })
})
