// Live views in Redis, for any number of processes: tasks put, servers follow.

import type { Clock } from '../../ports/clock.ts'
import type { Logger } from '../../ports/logger.ts'
import { FeedFollower } from './feed-follower.ts'
import type { QueuedPublisher } from './queued-publisher.ts'
import { connectRedis } from './redis-connection.ts'
import { redisFeedSource } from './redis-feed-source.ts'
import { createRedisPublisher } from './redis-publisher.ts'
import { redisKeys } from './redis-script.ts'
import { type SharedViews, sharedViews } from './shared-views.ts'

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

/** For a process that only puts. Rejects as `connectRedis`. */
export async function openRedisPublisher(place: RedisPlace): Promise<QueuedPublisher> {
  const connection = await connectRedis(place.url, 'outrider-publisher')
  return createRedisPublisher({ ...place, connection, keys: redisKeys(place.installation) })
}

/** Rejects as `connectRedis`. */
export async function openRedisViews(place: RedisPlace): Promise<SharedViews> {
  const publisher = await openRedisPublisher(place)
  const connection = await connectRedis(place.url, 'outrider-reader').catch(
    async (error: unknown) => {
      await publisher.close()
      throw error
    },
  )
  const source = redisFeedSource(connection, redisKeys(place.installation))
  const follower = new FeedFollower({ ...place, source })
  await follower.loaded()
  return sharedViews(publisher, follower)
}
