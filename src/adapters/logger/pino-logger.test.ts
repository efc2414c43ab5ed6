import assert from 'node:assert/strict'
import { test } from 'node:test'
import { PlatformError } from '../../kernel/errors.ts'
import { createPinoLogger } from './pino-logger.ts'

function captured(write: (logger: ReturnType<typeof createPinoLogger>) => void): string {
  let text = ''
  const destination = { write: (line: string) => (text += line) }
  write(createPinoLogger({ level: 'info', destination }))
  return text
}

test('a secret field is redacted wherever it stands', () => {
  const canary = 'canary-5f2c'
  const text = captured((logger) =>
    logger.info('request', { token: canary, headers: { authorization: canary, cookie: canary } }),
  )
  assert.ok(text.includes('"name":"request"'))
  assert.ok(!text.includes(canary), text)
})

test('an error is printed with its chain of causes and without the password of an address', () => {
  const cause = new Error('connect postgres://outrider:canary-77@127.0.0.1/x failed')
  const error = new PlatformError('database-unavailable', 'Cannot commit.', {
    retry: 'later',
    cause,
  })
  const text = captured((logger) => logger.error('commit-failed', error, { task: 'a/1' }))
  assert.ok(!text.includes('canary-77'), text)
  const line: { error: { type: string; code?: string }[] } = JSON.parse(text)
  assert.deepEqual(
    line.error.map(({ type, code }) => [type, code]),
    [
      ['PlatformError', 'database-unavailable'],
      ['Error', undefined],
    ],
  )
})
