import assert from 'node:assert/strict'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'node:test'
import { referenceSourceContract } from '../../ports/reference-source.contract.ts'
import { folderReferenceSource } from './folder-source.ts'

referenceSourceContract('folder', async (t) => {
  const folder = await mkdtemp(join(tmpdir(), 'outrider-reference-'))
  t.after(() => rm(folder, { recursive: true }))
  return {
    source: folderReferenceSource(folder),
    put: (name, text) => writeFile(join(folder, name), text),
    remove: (name) => rm(join(folder, name)),
  }
})

test('a folder that is not there holds no tables', async () => {
  const source = folderReferenceSource(join(tmpdir(), 'outrider-no-such-folder'))
  assert.deepEqual(await source.load(), { documents: [], problems: [] })
})
