// `outrider token` beside the running program: made, used, listed without its secret, revoked.

import assert from 'node:assert/strict'
import { test } from 'node:test'
import { runCommand, startProgram, temporaryDataDir } from '../program.ts'

test('a token is shown once, opens what its role allows, and is worth nothing once revoked', async (t) => {
  const dataDir = temporaryDataDir(t)
  const program = await startProgram(dataDir, ['--no-simulate'])
  t.after(() => program.stop())
  const token = (...args: string[]) => runCommand(['token', ...args, '--data-dir', dataDir])
  const ask = (path: string, secret: string): Promise<Response> =>
    fetch(`${program.address}/api/v1${path}`, { headers: { authorization: `Bearer ${secret}` } })

  const refused = await token('create', '--role', 'merchant')
  assert.equal(refused.code, 2)
  assert.match(refused.stderr, /--role merchant needs --tenant/)
  const made = await token(
    'create',
    '--role',
    'merchant',
    '--tenant',
    'acme',
    '--name',
    'Acme',
    '--days',
    '30',
  )
  assert.equal(made.code, 0, made.stderr)
  const secret = made.stdout.trim()
  assert.match(secret, /^outrider_[\w-]{43}$/)

  const me = await (await ask('/me', secret)).json()
  assert.deepEqual(me, {
    ...{ role: 'merchant', tenantId: 'default', merchantId: 'acme' },
    ...{ signedIn: true, authRequired: false, access: ['own', 'change-own'] },
  })
  assert.equal((await ask('/alerts', secret)).status, 200)
  assert.equal((await ask('/trucks', secret)).status, 403)
  assert.equal((await ask('/me', `${secret.slice(0, -1)}!`)).status, 401)
  assert.equal((await ask('/tokens', secret)).status, 403)

  const listed = await token('list', '--json')
  assert.ok(!listed.stdout.includes(secret.slice('outrider_'.length)))
  const [item] = JSON.parse(listed.stdout).items
  assert.deepEqual([item.role, item.merchantId, item.name], ['merchant', 'acme', 'Acme'])
  assert.equal((await token('revoke', item.id)).code, 0)
  assert.equal((await ask('/me', secret)).status, 401)
  assert.equal((await token('revoke', item.id)).code, 1)
})
