// The command that runs the tests tells of every one, however busy whoever reads their results.

import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { closeSync, mkdtempSync, openSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'node:test'
import { fileURLToPath } from 'node:url'

const ROOT = fileURLToPath(new URL('..', import.meta.url))
const FILES = 8
const TESTS = 400

test('a failure at the end of a file with very many results is told of', async (t) => {
  const folder = mkdtempSync(join(tmpdir(), 'outrider-results-'))
  t.after(() => rmSync(folder, { recursive: true, force: true }))
  for (let file = 0; file < FILES; file++)
    writeFileSync(join(folder, `${file}.test.mjs`), TESTS_OF_A_FILE)
  const { exitCode, output } = await runTests(folder)
  const counted = (what: string): string | undefined =>
    new RegExp(`^# ${what} (\\d+)$`, 'm').exec(output)?.[1]
  assert.equal(counted('tests'), String(FILES * TESTS))
  assert.equal(counted('fail'), String(FILES))
  assert.equal(exitCode, 1)
})

const TESTS_OF_A_FILE = `import { test } from 'node:test'
for (let index = 1; index < ${TESTS}; index++) test('a name that is as long as names of tests are, number ' + index, () => {})
test('the last one', () => { throw new Error('It fails.') })
`

/** As `npm test` does, over the files of a folder. */
async function runTests(
  folder: string,
): Promise<{ readonly exitCode: number | null; readonly output: string }> {
  const { scripts } = JSON.parse(readFileSync(join(ROOT, 'package.json'), 'utf8')) as {
    readonly scripts: Readonly<Record<string, string>>
  }
  const options = (scripts.test ?? '').split(' ').filter((word) => !word.startsWith("'"))
  // Within a test the runner would do nothing, and tell of success.
  const { NODE_TEST_CONTEXT: _, ...environment } = process.env
  // The runner itself, too, ends before a pipe to us has taken all; a file takes it at once.
  const file = join(folder, 'output')
  const descriptor = openSync(file, 'w')
  const words = [...options.slice(1), '--test-reporter=tap', join(folder, '*.test.mjs')]
  const child = spawn(process.execPath, words, {
    cwd: ROOT,
    env: environment,
    stdio: ['ignore', descriptor, 'inherit'],
  })
  await once(child, 'exit')
  closeSync(descriptor)
  return { exitCode: child.exitCode, output: readFileSync(file, 'utf8') }
}
