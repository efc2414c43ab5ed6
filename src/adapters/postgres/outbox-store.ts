// The outbox in PostgreSQL. Effects are claimed row by row, so that any number of processes empty it; what a
// dead one had claimed is free again once it is buried.

import type pg from 'pg'
import type { DurationMs, EpochMs } from '../../kernel/time.ts'
import { together } from '../../kernel/together.ts'
import { type Outbox, RETRY_EFFECT, SIGNAL_EFFECT, type TakenEffect } from '../../ports/outbox.ts'
import { queryOf } from './database.ts'
import { databaseError } from './failures.ts'
import { createOpenings, stepsOf } from './opening-notes.ts'
import type { OutboxEar } from './outbox-ear.ts'

/** How long an effect may lie there unnoticed while nothing is heard. */
const DEAF_LOOK_MS: DurationMs = 40

export interface OutboxOptions {
  readonly pool: pg.Pool
  /** For what may be done again, where commits need not wait for the disk. */
  readonly notePool?: pg.Pool
  readonly ear: OutboxEar
}

export function createOutbox({ pool, notePool = pool, ear }: OutboxOptions): Outbox {
  const query = queryOf(pool)
  const done = together(async (ids: readonly string[]) => {
    await query(
      'Cannot mark effects as handed over',
      'UPDATE outbox SET started_at = now(), claimed_by = NULL WHERE id = ANY ($1::uuid[])',
      [ids],
    )
    return ids
  })
  return {
    ...createOpenings(pool, notePool),
    async take(executorId, limit) {
      const { rows } = await query('Cannot take effects from the outbox', TAKE, [
        executorId,
        limit,
        [SIGNAL_EFFECT, RETRY_EFFECT],
      ])
      return rows.map(effectOf)
    },
    async waitForEffects(maxWaitMs, signal) {
      const longestMs = (await ear.listens()) ? maxWaitMs : Math.min(maxWaitMs, DEAF_LOOK_MS)
      const { rows } = await query('Cannot look into the outbox', NEXT_DUE, [])
      const dueMs = rows[0]?.due_ms
      await ear.wait(typeof dueMs === 'number' ? Math.min(longestMs, dueMs) : longestMs, signal)
    },
    async done(ids) {
      await Promise.all(ids.map(done))
    },
    async beat(executorId) {
      const { rows } = await query(
        'Cannot say that this process lives',
        `INSERT INTO work_executor (id, started_at, seen_at) VALUES ($1, clock_timestamp(), clock_timestamp())
         ON CONFLICT (id) DO UPDATE SET seen_at = clock_timestamp() RETURNING xmax = 0 AS fresh`,
        [executorId],
      )
      return rows[0]?.fresh !== true
    },
    bury: (dead, takeOver) => bury(pool, dead, takeOver),
    async leave(executorId) {
      await query(
        'Cannot say that this process ends',
        "UPDATE work_executor SET seen_at = '-infinity' WHERE id = $1",
        [executorId],
      )
    },
    async purge(beforeMs: EpochMs, limit) {
      const { rowCount } = await query(
        'Cannot purge the outbox',
        `DELETE FROM outbox WHERE id IN (SELECT id FROM outbox WHERE started_at < $1 ORDER BY started_at LIMIT $2)`,
        [new Date(beforeMs), limit],
      )
      return rowCount ?? 0
    },
  }
}

type Row = Readonly<Record<string, unknown>>

/** Claims what is due, and notes each workflow that is about to start, in one statement. */
const TAKE = `WITH me AS (
    SELECT id FROM work_executor WHERE id = $1 FOR KEY SHARE
  ), due AS (
    SELECT id FROM outbox WHERE EXISTS (SELECT FROM me) AND started_at IS NULL AND claimed_by IS NULL AND not_before <= now()
    ORDER BY not_before, id LIMIT $2 FOR UPDATE SKIP LOCKED
  ), taken AS (
    UPDATE outbox SET claimed_by = $1 FROM due WHERE outbox.id = due.id
    RETURNING outbox.id, kind, tenant_id, payload, created_at
  ), noted AS (
    INSERT INTO workflow (id, name, tenant_id, input, entity_type, entity_id, alert_id, requested_at)
    SELECT id, kind, tenant_id, payload, payload -> 'about' ->> 'entityType',
      payload -> 'about' ->> 'entityId',
      CASE WHEN payload -> 'about' ->> 'alertId' ~ '^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$'
        THEN (payload -> 'about' ->> 'alertId')::uuid END,
      created_at
    FROM taken WHERE kind <> ALL ($3::text[])
    ON CONFLICT (id) DO NOTHING
  )
  SELECT taken.id, kind, taken.tenant_id, payload, known.steps, known.waits_until IS NOT NULL AS has_waited
  FROM taken LEFT JOIN workflow known ON known.id = taken.id`

const NEXT_DUE = `SELECT greatest(0, ceil(1000 * extract(epoch FROM not_before - clock_timestamp())))::float8 AS due_ms
  FROM outbox WHERE started_at IS NULL AND claimed_by IS NULL ORDER BY not_before, id LIMIT 1`

function effectOf(row: Row): TakenEffect {
  return {
    id: String(row.id),
    kind: String(row.kind),
    tenantId: String(row.tenant_id),
    payload: Object(row.payload),
    steps: stepsOf(row.steps),
    hasWaited: row.has_waited === true,
  }
}

const DEAD = `SELECT id FROM work_executor WHERE seen_at < clock_timestamp() - $1 * interval '1 ms'
  ORDER BY seen_at LIMIT 1`

/** One at a time, each behind a lock that others skip. */
async function bury(
  pool: pg.Pool,
  { leaseMs, busy }: { readonly leaseMs: DurationMs; readonly busy: readonly string[] },
  takeOver: (executorId: string) => Promise<void>,
): Promise<void> {
  const client = await pool.connect().catch((cause: unknown) => {
    throw databaseError('Cannot look for dead processes', cause)
  })
  let failed = true
  try {
    // Whoever is not known is taken for one that was buried, and went on for a moment before it died.
    await client.query(
      `INSERT INTO work_executor (id, started_at, seen_at)
       SELECT id, '-infinity', '-infinity' FROM (
         SELECT claimed_by AS id FROM outbox WHERE started_at IS NULL AND claimed_by IS NOT NULL
         UNION SELECT unnest($1::text[])) AS unknown
       WHERE NOT EXISTS (SELECT FROM work_executor known WHERE known.id = unknown.id)
       ON CONFLICT (id) DO NOTHING`,
      [busy],
    )
    // Mostly all live: then nothing is begun.
    while ((await client.query(DEAD, [leaseMs])).rows.length > 0) {
      await client.query('BEGIN')
      const { rows } = await client.query<{ id: string }>(`${DEAD} FOR UPDATE SKIP LOCKED`, [
        leaseMs,
      ])
      const dead = rows[0]?.id
      if (dead !== undefined) {
        await takeOver(dead)
        await client.query(
          'UPDATE outbox SET claimed_by = NULL WHERE claimed_by = $1 AND started_at IS NULL',
          [dead],
        )
        await client.query('DELETE FROM work_executor WHERE id = $1', [dead])
      }
      await client.query('COMMIT')
      if (dead === undefined) break
    }
    failed = false
  } catch (cause) {
    throw databaseError('Cannot take over from a dead process', cause)
  } finally {
    client.release(failed)
  }
}
