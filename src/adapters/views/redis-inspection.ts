// What a Redis says of itself, for whoever checks whether it fits.

import type { EpochMs } from '../../kernel/time.ts'
import { connectRedis } from './redis-connection.ts'
import { redisKeys } from './redis-script.ts'

export interface RedisFacts {
  readonly version: string
  /** `noeviction`, or what is thrown away when memory is full. */
  readonly evictionPolicy: string
  /** 0: no limit. */
  readonly maxMemoryBytes: number
  readonly isReplica: boolean
  readonly isCluster: boolean
  /** Its clock. */
  readonly nowMs: EpochMs
  /** Why views can't be put; null where they can. */
  readonly refusal: string | null
}

/** Rejects as `connectRedis`. Puts nothing that stays. */
export async function inspectRedis(url: string): Promise<RedisFacts> {
  const connection = await connectRedis(url, 'outrider-doctor')
  try {
    const info = String(await connection.info())
    const [seconds, microseconds] = await connection.time()
    return {
      version: field(info, 'redis_version'),
      evictionPolicy: field(info, 'maxmemory_policy'),
      maxMemoryBytes: Number(field(info, 'maxmemory')),
      isReplica: field(info, 'role') === 'slave',
      isCluster: field(info, 'cluster_enabled') === '1',
      nowMs: Number(seconds) * 1_000 + Math.floor(Number(microseconds) / 1_000),
      refusal: await refusalOf(connection),
    }
  } finally {
    connection.destroy()
  }
}

/** Tries what the program does, under names of its own. */
async function refusalOf(
  connection: Awaited<ReturnType<typeof connectRedis>>,
): Promise<string | null> {
  const keys = redisKeys('doctor')
  try {
    await connection.apply(keys, ['doctor', '0', 'H', 'H{}'])
    await connection.xRead({ key: keys.feed, id: '0-0' }, { COUNT: 1 })
    await connection.del([keys.generation, keys.sequence, keys.feed])
    return null
  } catch (error) {
    return error instanceof Error ? error.message : String(error)
  }
}

function field(info: string, name: string): string {
  return new RegExp(`^${name}:(.*?)\\r?$`, 'm').exec(info)?.[1] ?? ''
}
