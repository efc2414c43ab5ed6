// PostgreSQL for tests: Debian's server, which is older than the embedded one and so checks that we need no
// more than we say.

import { execFileSync } from 'node:child_process'
import { chownSync, existsSync, readdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import pg from 'pg'
import { freePorts } from './free-ports.ts'
import {
  removeFolder,
  type ServerNode,
  serverFolder,
  startNode,
  type TestServer,
} from './server.ts'

const INSTALLED = '/usr/lib/postgresql'
const PASSWORD = 'outrider'

export interface TestPostgresServer extends TestServer {
  /** Of a superuser, on the database `outrider`. */
  readonly url: string
  readonly port: number
  /** Folder of its programs, such as `pg_dump`. */
  readonly programs: string
  /** The process, while it runs or after it was killed. */
  node(): ServerNode
  /** Starts it again on the same port with what it kept. */
  restart(): Promise<void>
}

/** Why no PostgreSQL can be started here; undefined where it can. */
export function postgresMissing(): string | undefined {
  return programsFolder() === undefined
    ? `there is no PostgreSQL in ${INSTALLED} (apt-get install postgresql)`
    : undefined
}

/** Of the newest version installed. */
function programsFolder(): string | undefined {
  if (!existsSync(INSTALLED)) return undefined
  const [newest] = readdirSync(INSTALLED)
    .filter((version) => existsSync(join(INSTALLED, version, 'bin/initdb')))
    .sort((a, b) => Number(b) - Number(a))
  return newest === undefined ? undefined : join(INSTALLED, newest, 'bin')
}

/** The caller stops it. */
export async function startPostgres(): Promise<TestPostgresServer> {
  const programs = programsFolder()
  if (programs === undefined) throw new Error(postgresMissing())
  const [port = 0] = await freePorts(1)
  const folder = serverFolder('postgres')
  const user = ordinaryUser()
  const owner = user === undefined ? {} : { user }
  const data = makeCluster(programs, folder, user)
  const urlOf = (database: string): string =>
    `postgres://outrider:${PASSWORD}@127.0.0.1:${port}/${database}`
  const start = (): Promise<ServerNode> =>
    startNode({
      name: 'PostgreSQL',
      command: join(programs, 'postgres'),
      args: ['-D', data, '-p', String(port), '-k', folder, '-c', 'listen_addresses=127.0.0.1'],
      folder,
      ...owner,
      answers: () => runSql(urlOf('postgres'), 'SELECT 1'),
    })
  let node = await start()
  await runSql(urlOf('postgres'), 'CREATE DATABASE outrider')
  return {
    name: 'PostgreSQL',
    settings: { OUTRIDER_DATABASE_URL: urlOf('outrider') },
    url: urlOf('outrider'),
    port,
    programs,
    node: () => node,
    async restart() {
      if (node.running()) await node.end()
      node = await start()
    },
    async stop() {
      if (node.running()) await node.end()
      removeFolder(folder)
    },
  }
}

type Owner = { readonly uid: number; readonly gid: number }

function makeCluster(programs: string, folder: string, user: Owner | undefined): string {
  const data = join(folder, 'data')
  const passwordFile = join(folder, 'password')
  writeFileSync(passwordFile, PASSWORD)
  if (user !== undefined) {
    for (const path of [folder, passwordFile]) chownSync(path, user.uid, user.gid)
  }
  execFileSync(
    join(programs, 'initdb'),
    [
      ...['-D', data, '-U', 'outrider', '-E', 'UTF8', '--locale=C'],
      ...['-A', 'scram-sha-256', `--pwfile=${passwordFile}`],
    ],
    { stdio: 'pipe', cwd: folder, ...user },
  )
  return data
}

/** PostgreSQL refuses to run as root. */
function ordinaryUser(): Owner | undefined {
  if (process.getuid?.() !== 0) return undefined
  const id = (flag: string): number => Number(execFileSync('id', [flag, 'postgres']))
  return { uid: id('-u'), gid: id('-g') }
}

async function runSql(connectionString: string, sql: string): Promise<boolean> {
  const client = new pg.Client({ connectionString })
  client.on('error', () => undefined)
  try {
    await client.connect()
    await client.query(sql)
    return true
  } finally {
    await client.end().catch(() => undefined)
  }
}
