// Live views in Redis, for any number of processes: tasks put, servers follow.

import type { Clock } from '../../ports/clock.ts'
import type { Logger } from '../../ports/logger.ts'
import type { Views } from '../../ports/views.ts'
import { connectRedis } from './redis-connection.ts'
import { createRedisPublisher, type RedisPublisher } from './redis-publisher.ts'
import { RedisReader } from './redis-reader.ts'
import { redisKeys } from './redis-script.ts'

export interface RedisPlace {
  /** `redis://[user:password@]host[:port][/number]`, `rediss://` with TLS. */
  readonly url: string
  /** Views of different databases never meet, even in one Redis. */
  readonly installation: string
  readonly clock: Clock
  readonly logger: Logger
  readonly newGeneration: () => string
  readonly onLost: () => void
}

export interface RedisViews extends Views {
  /** Resolves once everything put here is in Redis and came back through the feed. */
  settle(): Promise<void>
}

/** For a process that only puts. Rejects as `connectRedis`. */
export async function openRedisPublisher(place: RedisPlace): Promise<RedisPublisher> {
  const connection = await connectRedis(place.url, 'outrider-publisher')
  return createRedisPublisher({ ...place, connection, keys: redisKeys(place.installation) })
}

/** Rejects as `connectRedis`. */
export async function openRedisViews(place: RedisPlace): Promise<RedisViews> {
  const publisher = await openRedisPublisher(place)
  const connection = await connectRedis(place.url, 'outrider-reader').catch(
    async (error: unknown) => {
      await publisher.close()
      throw error
    },
  )
  const reader = new RedisReader({ ...place, connection, keys: redisKeys(place.installation) })
  await reader.loaded()
  const { state } = reader
  return {
    put: publisher.put,
    publishAlerts: publisher.publishAlerts,
    publishHandling: publisher.publishHandling,
    get: async (view, key, tenantId) => state.get(view, key, tenantId),
    list: async (view, tenantId) => state.list(view, tenantId),
    openAlerts: async (tenantId) => state.openAlerts(tenantId),
    position: () => reader.position,
    subscribe: (listener) => reader.subscribe(listener),
    problem: () => reader.problem() ?? publisher.problem(),
    async settle() {
      await publisher.flush()
      await reader.reached(publisher.sequence)
    },
    async close() {
      await publisher.close()
      await reader.close()
    },
  }
}
