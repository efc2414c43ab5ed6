// One address in front of several processes: events go to the doors, everything else to those that serve, in
// turn, to whoever says that it is ready. For trying and testing; in production this is your load balancer.

import httpProxy from '@fastify/http-proxy'
import Fastify from 'fastify'

/** How often processes are asked whether they are ready. */
const LOOK_INTERVAL_MS = 200
const LOOK_TIMEOUT_MS = 1_000
const EVENTS = '/api/v1/events/'
/** Kept open to each process. */
const CONNECTIONS = 64

export interface Front {
  readonly address: string
  close(): Promise<void>
}

export interface Upstreams {
  /** Addresses of the processes of a role at this moment. */
  readonly doors: () => readonly string[]
  readonly serve: () => readonly string[]
}

export async function startFront(upstreams: Upstreams, port = 0): Promise<Front> {
  const ready = new Set<string>()
  let turn = 0
  const next = (addresses: readonly string[]): string => {
    const able = addresses.filter((address) => ready.has(address))
    const among = able.length > 0 ? able : addresses
    turn += 1
    return among[turn % among.length] ?? ''
  }
  const look = async (): Promise<void> => {
    await Promise.all(
      [...upstreams.doors(), ...upstreams.serve()].map(async (address) => {
        if (await isReady(address)) ready.add(address)
        else ready.delete(address)
      }),
    )
  }
  await look()
  let looking = false
  const timer = setInterval(() => {
    if (looking) return
    looking = true
    void look().finally(() => {
      looking = false
    })
  }, LOOK_INTERVAL_MS)
  const app = Fastify({ forceCloseConnections: true, bodyLimit: 64 * 1024 * 1024 })
  await app.register(httpProxy, {
    upstream: '',
    // A live feed is silent between two events.
    undici: { connections: CONNECTIONS, bodyTimeout: 0, headersTimeout: 30_000 },
    replyOptions: {
      getUpstream: (request) =>
        next(request.url?.startsWith(EVENTS) === true ? upstreams.doors() : upstreams.serve()),
      onError: (reply) => {
        void reply.code(503).header('retry-after', 1).send({ code: 'no-upstream' })
      },
    },
  })
  const address = await app.listen({ host: '127.0.0.1', port })
  return {
    address,
    async close() {
      clearInterval(timer)
      await app.close()
    },
  }
}

async function isReady(address: string): Promise<boolean> {
  try {
    const response = await fetch(`${address}/readyz`, {
      signal: AbortSignal.timeout(LOOK_TIMEOUT_MS),
    })
    await response.arrayBuffer()
    return response.status === 200
  } catch {
    return false
  }
}
