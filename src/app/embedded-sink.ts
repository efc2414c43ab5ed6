// Where an import goes when no server runs: into the data directory, opened as `start` would open it.

import { createPinoLogger } from '../adapters/logger/pino-logger.ts'
import type { EventSink } from '../doors/import/event-sink.ts'
import { DEFAULT_TENANT } from '../kernel/tenants.ts'
import { type DurationMs, type EpochMs, MINUTE_MS } from '../kernel/time.ts'
import { openPlatform, type Platform } from './platform.ts'
import type { Settings } from './settings.ts'

const DOOR = 'import'
const POLL_MS: DurationMs = 50
/** Tasks that make no headway for so long are given up on; what was sent is in the log all the same. */
const STALL_MS: DurationMs = 2 * MINUTE_MS

export async function openEmbeddedSink(settings: Settings): Promise<EventSink> {
  const logger = createPinoLogger({ level: 'error' })
  const platform = await openPlatform({ settings, logger })
  let begunMs: EpochMs = 0
  return {
    name: settings.dataDir,
    async begin() {
      begunMs = platform.clock.nowMs()
      await untilArchived(platform)
    },
    send: (topic, events) =>
      platform.ingest.accept({ topic, events, tenantId: DEFAULT_TENANT, door: DOOR }),
    async settle({ topic, eventIdPrefix }) {
      if (!(await untilArchived(platform))) {
        return {
          duplicates: null,
          note: 'Not counted: the archive did not catch up in time; it goes on at the next start.',
        }
      }
      if (eventIdPrefix === null) {
        return { duplicates: null, note: 'Not counted: the mapping gives ids of its own.' }
      }
      const table = platform.ingest.topics.get(topic)?.archive.name
      const rows = await platform.database.query(
        `SELECT count(DISTINCT event_id) AS repeats FROM ${table}
         WHERE received_at >= $2 AND starts_with(event_id, $1) AND 'duplicate' = ANY(flags)`,
        [eventIdPrefix, new Date(begunMs)],
      )
      return { duplicates: Number(rows[0]?.repeats ?? 0), note: 'Counted in the archive.' }
    },
    close: () => platform.close(),
  }
}

/** True once nothing waits; false where the tasks make no headway. */
async function untilArchived({ clock, topicStatus, tasks }: Platform): Promise<boolean> {
  let least = Number.POSITIVE_INFINITY
  let sinceMs = clock.monotonicMs()
  for (;;) {
    const status = await topicStatus()
    const lag = status
      .flatMap(({ partitions }) => partitions)
      .reduce((sum, { endOffset, committedOffset }) => sum + endOffset - committedOffset, 0)
    if (lag === 0 && tasks?.notReady() == null) return true
    if (lag < least) {
      least = lag
      sinceMs = clock.monotonicMs()
    }
    if (clock.monotonicMs() - sinceMs > STALL_MS) return false
    await clock.sleep(POLL_MS)
  }
}
