// Reads what Redis holds of the views, and its feed.

import { type DurationMs, SECOND_MS } from '../../kernel/time.ts'
import type { FeedMessage } from '../../ports/views.ts'
import type { FeedRecord, FeedSource } from './feed-follower.ts'
import { decodeRecord } from './feed-record.ts'
import type { RedisConnection } from './redis-connection.ts'
import { GENERATION_FIELD, type RedisKeys } from './redis-script.ts'

/** The feed is waited for so long at a time; then it is looked whether it is still the same one. */
const WAIT_MS: DurationMs = SECOND_MS
/** Records read at a time. */
const READ_RECORDS = 100
/** Fields of a hash read at a time, about. */
const SCAN_FIELDS = 500

export function redisFeedSource(connection: RedisConnection, keys: RedisKeys): FeedSource {
  return {
    name: 'Redis',
    async newest() {
      const [generation, sequence] = await connection.mGet([keys.generation, keys.sequence])
      if (generation == null || sequence == null) return null
      return { feed: String(generation), sequence: Number(sequence) }
    },
    async read({ sequence }) {
      const reply = await connection.xRead(
        { key: keys.feed, id: `${sequence}-0` },
        { BLOCK: WAIT_MS, COUNT: READ_RECORDS },
      )
      return (reply?.[0]?.messages ?? []).flatMap((found) =>
        found === null ? [] : recordOf(found),
      )
    },
    async *everything() {
      for (const hash of await connection.sMembers(keys.views))
        yield* messagesOf(connection, String(hash))
      yield* messagesOf(connection, keys.alerts)
    },
    close: () => connection.destroy(),
  }
}

async function* messagesOf(connection: RedisConnection, key: string): AsyncIterable<FeedMessage> {
  let cursor = '0'
  do {
    const page = await connection.hScan(key, cursor, { COUNT: SCAN_FIELDS })
    for (const { value } of page.entries) {
      const text = String(value)
      const message = decodeRecord(text.slice(text.indexOf('\n') + 1))
      if (message !== undefined) yield message
    }
    cursor = String(page.cursor)
  } while (cursor !== '0')
}

function recordOf(found: { readonly id: unknown; readonly message: object }): FeedRecord {
  const fields = Object.entries(found.message)
  const messages = fields.flatMap(([field, value]) =>
    field === GENERATION_FIELD ? [] : (decodeRecord(String(value)) ?? []),
  )
  const generation = fields.find(([field]) => field === GENERATION_FIELD)?.[1]
  return {
    sequence: Number(String(found.id).split('-')[0]),
    generation: String(generation),
    messages,
  }
}
