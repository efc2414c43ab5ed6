import { equal, match, ok } from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import { test } from 'node:test'
import { requireOrSkip, sharedDataOrSkip } from './requirements.ts'

const MODULE = new URL('./requirements.ts', import.meta.url)

function runNeeding(available: boolean, required: string): ReturnType<typeof spawnSync> {
  const program = `
    const { test } = await import('node:test')
    const { requireOrSkip } = await import(${JSON.stringify(MODULE)})
    test('needs a tool', (t) => {
      if (requireOrSkip(t, 'the tool', ${available}, 'it is not installed')) console.log('it ran')
    })`
  const { NODE_TEST_CONTEXT: _, ...env } = process.env
  return spawnSync(process.execPath, ['--input-type=module', '-e', program], {
    encoding: 'utf8',
    env: { ...env, OUTRIDER_TEST_REQUIRE: required },
  })
}

test('a test whose tool is there runs', (t) => {
  equal(requireOrSkip(t, 'the tool', true, ''), true)
  match(String(runNeeding(true, 'all').stdout), /it ran/)
})

test('a test whose tool is missing is skipped, and its reason printed', () => {
  const { status, stdout } = runNeeding(false, '')
  equal(status, 0)
  match(String(stdout), /needs the tool: it is not installed/)
})

test('a missing tool fails the test where everything is required', () => {
  const { status, stdout } = runNeeding(false, 'all')
  equal(status, 1)
  match(String(stdout), /needs the tool: it is not installed/)
})

test('a test of data that is not beside the checkout is skipped, even where everything is required', (t) => {
  const said: string[] = []
  const context = {
    ...t,
    diagnostic: (text: string) => said.push(text),
    skip: (text: string) => said.push(text),
  }
  equal(sharedDataOrSkip(context, 'no-such-set/file.csv'), undefined)
  equal(said.length, 2)
  ok(said.every((text) => text.includes('no-such-set')))
})
