import assert from 'node:assert/strict'
import { afterEach, describe, it, type TestContext } from 'node:test'
import { Command } from 'commander'
import { PlatformError } from '../kernel/errors.ts'
import {
  carryOut,
  commandSettings,
  DONE,
  FAILED,
  problemText,
  table,
  UsageError,
  WRONG_USAGE,
} from './command-line.ts'

const bad = new PlatformError('bad-setting', 'OUTRIDER_PORT is wrong.', { retry: 'never' })
const away = new PlatformError('database-unavailable', 'Cannot reach it.', {
  retry: 'later',
  cause: new Error('connect failed', { cause: new Error('ECONNREFUSED') }),
})

/** The exit code that work leaves behind, and what it said on standard error. */
async function ending(
  t: TestContext,
  work: () => Promise<number>,
): Promise<{ readonly code: unknown; readonly said: string }> {
  let said = ''
  t.mock.method(process.stderr, 'write', (text: string) => {
    said += text
    return true
  })
  let refused: number | undefined
  const command = new Command('try').exitOverride((error) => {
    refused = error.exitCode
    throw error
  })
  command.configureOutput({ writeErr: (text) => process.stderr.write(text) })
  await carryOut(command, work).catch((error: unknown) => {
    if (refused === undefined) throw error
  })
  return { code: refused ?? process.exitCode, said }
}

describe('a command', () => {
  afterEach(() => {
    process.exitCode = undefined
  })

  it('ends with what its work says', async (t) => {
    assert.deepEqual(await ending(t, async () => DONE), { code: 0, said: '' })
    assert.deepEqual(await ending(t, async () => FAILED), { code: 1, said: '' })
  })

  it('that was called wrongly ends with 2 and says how', async (t) => {
    const { code, said } = await ending(t, async () => {
      throw new UsageError('--from must be a time.')
    })
    assert.equal(code, WRONG_USAGE)
    assert.match(said, /error: --from must be a time\./)
  })

  it('with a wrong setting ends with 2', async (t) => {
    const { code, said } = await ending(t, () => Promise.reject(bad))
    assert.deepEqual({ code, said }, { code: WRONG_USAGE, said: 'OUTRIDER_PORT is wrong.\n' })
  })

  it('that fails ends with 1 and names all causes', async (t) => {
    const { code, said } = await ending(t, () => Promise.reject(away))
    assert.equal(code, FAILED)
    assert.equal(said, 'Cannot reach it.\n  because: connect failed\n  because: ECONNREFUSED\n')
  })

  it('that has a bug shows its stack', () => {
    assert.match(problemText(new TypeError('no such thing')), /TypeError: no such thing\n\s+at /)
    assert.equal(problemText('a string'), 'a string')
  })

  it('reads its settings with what the command line says on top', async () => {
    assert.equal((await commandSettings({ PARTITIONS: '5' })).partitions, 5)
  })
})

describe('a table', () => {
  it('has texts to the left, numbers to the right, and no space at the end of a line', () => {
    const shown = table(
      ['topic', 'rows', 'note'],
      [
        ['truck-readings', 1_234_567, ''],
        ['x', 8, 'fine'],
      ],
    )
    assert.equal(
      shown,
      [
        'topic                rows  note',
        'truck-readings  1,234,567',
        'x                       8  fine',
      ].join('\n'),
    )
  })

  it('without rows is its head', () => {
    assert.equal(table(['topic', 'rows'], []), 'topic  rows')
  })
})
