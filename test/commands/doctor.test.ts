// `outrider doctor` against setups that are good, broken, or somebody else's.

import assert from 'node:assert/strict'
import { chmodSync, existsSync, mkdirSync, readdirSync, writeFileSync } from 'node:fs'
import { createServer, type Server } from 'node:net'
import { dirname, join } from 'node:path'
import { type TestContext, test } from 'node:test'
import pg from 'pg'
import { neededTopics } from '../../src/app/topics.ts'
import { testPostgres } from '../postgres-server.ts'
import { type ProgramPlace, runCommand, startProgram, temporaryDataDir } from '../program.ts'

interface Finding {
  readonly part: string
  readonly state: string
  readonly message: string
}

interface Examination {
  readonly code: number | null
  readonly healthy: boolean
  readonly said: string
  of(part: string): Finding
}

async function examine(
  dataDir: string,
  environment: NodeJS.ProcessEnv = {},
  place: ProgramPlace = {},
): Promise<Examination> {
  const port = { OUTRIDER_PORT: '0', ...environment }
  const { code, stdout, stderr } = await runCommand(
    ['doctor', '--json', '--data-dir', dataDir],
    port,
    place,
  )
  const found: { readonly healthy: boolean; readonly findings: readonly Finding[] } =
    JSON.parse(stdout)
  return {
    code,
    healthy: found.healthy,
    said: stdout + stderr,
    of(part) {
      const finding = found.findings.find((each) => each.part === part)
      return finding ?? assert.fail(`nothing was said of ${part}: ${stdout}`)
    },
  }
}

function failing({ code, healthy, of }: Examination, part: string, says: RegExp): void {
  assert.deepEqual([code, healthy], [1, false])
  assert.equal(of(part).state, 'failed')
  assert.match(of(part).message, says)
}

async function listening(t: TestContext, server: Server): Promise<number> {
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  t.after(() => server.close())
  const address = server.address()
  assert.ok(address !== null && typeof address === 'object')
  return address.port
}

test('before the first start all is well, and nothing is made', async (t) => {
  const dataDir = temporaryDataDir(t)
  const found = await examine(dataDir)
  assert.deepEqual([found.code, found.healthy], [0, true])
  assert.match(found.of('database').message, /created at the first start/)
  assert.match(found.of('data directory').message, /GiB free/)
  assert.ok(!existsSync(dataDir))
  mkdirSync(dataDir)
  assert.equal((await examine(dataDir)).code, 0)
  assert.deepEqual(readdirSync(dataDir), [])
})

test('beside a running program it looks on, and after it starts the database itself', async (t) => {
  const dataDir = temporaryDataDir(t)
  const program = await startProgram(dataDir)
  const port = new URL(program.address).port
  const beside = await examine(dataDir, { OUTRIDER_PORT: port })
  assert.equal(beside.code, 0, beside.said)
  assert.match(beside.of('port').message, /taken, and Outrider is running/)
  assert.match(beside.of('database').message, /beside the running program/)
  assert.equal(await program.stop(), 0)
  const alone = await examine(dataDir, { OUTRIDER_PORT: port })
  assert.equal(alone.code, 0, alone.said)
  assert.match(alone.of('port').message, /is free/)
  const { length } = neededTopics
  assert.match(alone.of('database').message, new RegExp(`for this check\\); ${length} topics`))
  writeFileSync(join(dataDir, 'postgres/cluster/PG_VERSION'), '15\n')
  failing(await examine(dataDir), 'database', /PostgreSQL 15 wrote it.*pg_dump/)
})

test('for people it writes a line for each part', async (t) => {
  const { code, stdout } = await runCommand(['doctor', '--data-dir', temporaryDataDir(t)], {
    OUTRIDER_PORT: '0',
  })
  assert.equal(code, 0)
  assert.match(stdout, /^ok {7}node: v24\./)
  assert.match(stdout, /\nok {7}database: /)
})

test('a wrong setting is found, and no secret is said', async (t) => {
  const found = await examine(temporaryDataDir(t), { OUTRIDER_ADMIN_TOKEN: 'hunter2' })
  failing(found, 'settings', /OUTRIDER_ADMIN_TOKEN .* 32 characters/)
  assert.doesNotMatch(found.said, /hunter2/)
})

test('a fault in a document of the operator is said, with file and line', async (t) => {
  const dataDir = temporaryDataDir(t)
  mkdirSync(join(dataDir, 'rules'), { recursive: true })
  const put = (name: string, text: string): void => writeFileSync(join(dataDir, name), text)
  put('routing.yaml', 'receivers: [{name: ops, channels: [inbox]}]\nroute: {receiver: nobody}\n')
  put('rules/off.yaml', 'name: high-speed\ndisabled: true\n')
  const first = await examine(dataDir)
  failing(first, 'routing', /routing\.yaml: line 2, column 19: .*nobody/)
  assert.equal(first.of('rules').state, 'ok')
  put('routing.yaml', 'receivers: [{name: ops, channels: [inbox]}]\nroute: {receiver: ops}\n')
  put('rules/off.yaml', 'name: high-sped\ndisabled: true\n')
  const second = await examine(dataDir)
  assert.deepEqual([second.of('routing').state, second.of('rules').state], ['ok', 'warning'])
  assert.match(second.of('rules').message, /^off\.yaml switches off high-sped, which/)
  put('rules/off.yaml', 'name: high-speed\nwhen: event.speed > 1\n')
  failing(await examine(dataDir), 'rules', /^off\.yaml:1:1: /)
})

test('a port that another program has is found', async (t) => {
  const port = await listening(t, createServer())
  const found = await examine(temporaryDataDir(t), { OUTRIDER_PORT: String(port) })
  failing(found, 'port', new RegExp(`${port} is taken by another program`))
})

test('a file where the data directory should be is found', async (t) => {
  const dataDir = temporaryDataDir(t)
  writeFileSync(dataDir, 'x')
  failing(await examine(dataDir), 'data directory', /is a file; a folder must be there/)
  failing(await examine(join(dataDir, 'below')), 'data directory', /is a file/)
})

test('a data directory that this user may not write is found', async (t) => {
  const dataDir = temporaryDataDir(t)
  mkdirSync(dataDir)
  chmodSync(dataDir, 0o555)
  const user = process.getuid?.() === 0 ? { user: { uid: 65_534, gid: 65_534 } } : {}
  const found = await examine(dataDir, { HOME: dirname(dataDir) }, user)
  failing(found, 'data directory', /can't be written by this user/)
})

test('reference tables are looked at, wherever they lie', async (t) => {
  const dataDir = temporaryDataDir(t)
  const folder = join(dataDir, 'reference')
  const table = join(folder, 'goods-profiles.json')
  assert.equal((await examine(dataDir, { OUTRIDER_REFERENCE: folder })).code, 0)
  mkdirSync(folder, { recursive: true })
  writeFileSync(table, '[{"name": "fish"}]')
  failing(await examine(dataDir), 'reference data', /^goods-profiles: /)
  writeFileSync(table, '[')
  failing(await examine(dataDir), 'reference data', /cannot read .*goods-profiles\.json/)
  writeFileSync(table, '[]')
  const found = await examine(dataDir, { OUTRIDER_REFERENCE: folder })
  assert.equal(found.code, 0, found.said)
  assert.equal(found.of('reference data').message, '1 tables')
})

test('a database of your own is tried, and the password is never said', async (t) => {
  const { address } = await testPostgres(t)
  assert.ok('host' in address)
  const { host, user, password, database, port } = address
  const at = (change: Partial<typeof address>): NodeJS.ProcessEnv => {
    const to = { host, user, password, database, port, ...change }
    const where = new URL(`postgres://localhost:${to.port}/${to.database}`)
    where.username = to.user
    where.password = to.password
    if (to.host.startsWith('/')) where.searchParams.set('host', to.host)
    else where.hostname = to.host
    return { OUTRIDER_DATABASE_URL: where.href }
  }
  const dataDir = temporaryDataDir(t)
  const good = await examine(dataDir, at({}))
  assert.equal(good.code, 0, good.said)
  assert.match(good.of('database').message, /^PostgreSQL \d+ answers$/)

  const foreign = createServer((socket) => {
    socket.on('error', () => undefined)
    socket.end('HTTP/1.1 400 Bad Request\r\n\r\n')
  })
  const away =
    /^PostgreSQL at \S+ does not answer \(.+\)\. Start it, or check OUTRIDER_DATABASE_URL\.$/
  const wrong: readonly (readonly [change: Partial<typeof address>, said: RegExp])[] = [
    [{ password: 'hunter2' }, /^PostgreSQL at \S+ refuses the user ".+" \(.+\)\. Check user and/],
    [{ database: 'nowhere' }, /^PostgreSQL at \S+ has no database "nowhere"\. Make it/],
    [{ host: '127.0.0.1', port: 1, password: 'hunter2' }, away],
    [{ host: '127.0.0.1', port: await listening(t, foreign), password: 'hunter2' }, away],
    [{ host: 'no-such-host.invalid', password: 'hunter2' }, away],
  ]
  for (const [change, said] of wrong) {
    const found = await examine(dataDir, at(change))
    failing(found, 'database', said)
    assert.doesNotMatch(found.said, /hunter2/)
  }

  const client = new pg.Client({ host, port, user, password, database })
  await client.connect()
  try {
    await client.query(`CREATE ROLE guest LOGIN PASSWORD 'guest'`)
    const guest = await examine(dataDir, at({ user: 'guest', password: 'guest' }))
    failing(guest, 'database', /GRANT CREATE ON SCHEMA public/)
    await client.query('DROP ROLE guest')
  } finally {
    await client.end()
  }
})
