// Redis for tests: Debian's server, keeping nothing on disk.

import { createClient } from 'redis'
import { freePorts } from './free-ports.ts'
import {
  programPath,
  removeFolder,
  type ServerNode,
  serverFolder,
  startNode,
  type TestServer,
} from './server.ts'

export interface TestRedis extends TestServer {
  readonly url: string
  readonly port: number
  /** The process, while it runs or after it was killed. */
  node(): ServerNode
  /** Starts it again on the same port; it comes back empty. */
  restart(): Promise<void>
  /** Empties it, as an operator's FLUSHALL does. */
  flush(): Promise<void>
}

export interface RedisOptions {
  readonly password?: string
  /** Further arguments, such as `--maxmemory 100mb`. */
  readonly args?: readonly string[]
}

/** Why no Redis can be started here; undefined where it can. */
export function redisMissing(): string | undefined {
  return programPath('redis-server') === undefined
    ? 'redis-server is not installed (apt-get install redis-server)'
    : undefined
}

/** The caller stops it. */
export async function startRedis(options: RedisOptions = {}): Promise<TestRedis> {
  const [port = 0] = await freePorts(1)
  const { password, args = [] } = options
  const url = `redis://${password === undefined ? '' : `:${password}@`}127.0.0.1:${port}`
  const folder = serverFolder('redis')
  const access = password === undefined ? [] : ['--requirepass', password]
  const start = (): Promise<ServerNode> =>
    startNode({
      name: 'Redis',
      command: 'redis-server',
      args: [
        ...['--port', String(port), '--bind', '127.0.0.1', '--dir', folder],
        ...['--save', '', '--appendonly', 'no', ...access, ...args],
      ],
      folder,
      answers: () => answers(url),
    })
  let node = await start()
  return {
    name: 'Redis',
    settings: { OUTRIDER_VIEWS: 'redis', OUTRIDER_REDIS_URL: url },
    url,
    port,
    node: () => node,
    async restart() {
      if (node.running()) await node.kill()
      node = await start()
    },
    async flush() {
      const client = await createClient({ url }).connect()
      await client.flushAll()
      client.destroy()
    },
    async stop() {
      if (node.running()) await node.end()
      removeFolder(folder)
    },
  }
}

async function answers(url: string): Promise<boolean> {
  const client = createClient({ url, socket: { reconnectStrategy: false } })
  client.on('error', () => undefined)
  try {
    await client.connect()
    return (await client.ping()) === 'PONG'
  } finally {
    client.destroy()
  }
}
