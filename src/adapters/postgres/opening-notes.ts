// Openings of workflows in PostgreSQL: steps stand with the workflow, and count for whoever has claimed its effect.
// What many workflows note at once is one statement.

import type pg from 'pg'
import type { EpochMs } from '../../kernel/time.ts'
import { together } from '../../kernel/together.ts'
import type { OpeningNote, Outbox, WakeState } from '../../ports/outbox.ts'
import type { OpeningStep, WorkflowEnd } from '../../ports/workflow-engine.ts'
import { queryOf } from './database.ts'
import { storableInstant, storableJson } from './stored-text.ts'

type Openings = Pick<Outbox, 'close' | 'ended' | 'giveBack' | 'note' | 'reopen' | 'wait' | 'wake'>
type Row = Readonly<Record<string, unknown>>

export function createOpenings(pool: pg.Pool, notePool: pg.Pool): Openings {
  const query = queryOf(pool)
  const noteQuery = queryOf(notePool)
  const note = together(async (given: readonly Noted[]) => {
    const { rows } = await noteQuery('Cannot keep steps of workflows', NOTE, columnsOf(given))
    return eachWhether(rows, given)
  })
  const wait = together(async (given: readonly (Noted & { readonly untilMs: EpochMs })[]) => {
    const { rows } = await query('Cannot have workflows wait', WAIT, [
      ...columnsOf(given),
      given.map(({ untilMs }) => storableInstant(untilMs)),
    ])
    return eachWhether(rows, given)
  })
  const close = together(async (given: readonly (Noted & { readonly end: WorkflowEnd })[]) => {
    const { rows } = await query('Cannot end workflows', CLOSE, [
      ...columnsOf(given),
      ...endColumns(given.map(({ end }) => end)),
    ])
    return eachWhether(rows, given)
  })
  const wake = together(async (ids: readonly string[]) => {
    const { rows } = await query('Cannot wake workflows', WAKE, [ids])
    const states = new Map(rows.map((row) => [String(row.id), stateOf(row)]))
    return ids.map((id) => states.get(id) ?? ('over' as const))
  })
  const ended = together(
    async (given: readonly { readonly id: string; readonly end: WorkflowEnd }[]) => {
      await query('Cannot keep how workflows ended', ENDED, [
        given.map(({ id }) => id),
        ...endColumns(given.map(({ end }) => end)),
      ])
      return given
    },
  )
  return {
    note: (executorId, opening) => note({ ...opening, executorId }),
    wait: (executorId, opening, untilMs) => wait({ ...opening, executorId, untilMs }),
    close: (executorId, opening, end) => close({ ...opening, executorId, end }),
    wake,
    async giveBack(executorId, ids) {
      await query(
        'Cannot give effects back',
        'UPDATE outbox SET claimed_by = NULL WHERE id = ANY ($1::uuid[]) AND claimed_by = $2 AND started_at IS NULL',
        [ids, executorId],
      )
    },
    async reopen(workflowId) {
      const { rowCount } = await query('Cannot begin a workflow anew', REOPEN, [workflowId])
      return rowCount === 1
    },
    async ended(id, end) {
      await ended({ id, end })
    },
  }
}

interface Noted extends OpeningNote {
  readonly executorId: string
}

/** Each with its place in what is given, and with what its claim allows. */
const GIVEN = `unnest($1::uuid[], $2::text[], $3::int[], $4::text[]`
const IS_MINE = `o.id = g.id AND o.claimed_by = g.executor AND o.started_at IS NULL
    AND w.id = g.id AND jsonb_array_length(w.steps) = g.kept`

const NOTE = `UPDATE workflow w SET steps = w.steps || g.steps::jsonb
  FROM ${GIVEN}) AS g (id, executor, kept, steps) JOIN outbox o ON o.id = g.id
  WHERE ${IS_MINE} RETURNING w.id`

const WAIT = `WITH noted AS (
    UPDATE workflow w SET steps = w.steps || g.steps::jsonb, waits_until = g.until
    FROM ${GIVEN}, $5::timestamptz[]) AS g (id, executor, kept, steps, until) JOIN outbox o ON o.id = g.id
    WHERE ${IS_MINE} RETURNING w.id, g.until
  )
  UPDATE outbox SET claimed_by = NULL, not_before = noted.until FROM noted WHERE outbox.id = noted.id
  RETURNING outbox.id`

const CLOSE = `WITH noted AS (
    UPDATE workflow w SET steps = w.steps || g.steps::jsonb, status = g.status, outcome = g.outcome,
      detail = g.detail::jsonb, ended_at = now(), ended_in_opening = true
    FROM ${GIVEN}, $5::text[], $6::text[], $7::text[])
      AS g (id, executor, kept, steps, status, outcome, detail) JOIN outbox o ON o.id = g.id
    WHERE ${IS_MINE} RETURNING w.id
  )
  UPDATE outbox SET claimed_by = NULL, started_at = now() FROM noted WHERE outbox.id = noted.id
  RETURNING outbox.id`

const ENDED = `UPDATE workflow w SET status = g.status, outcome = g.outcome, detail = g.detail::jsonb, ended_at = now()
  FROM unnest($1::uuid[], $2::text[], $3::text[], $4::text[]) AS g (id, status, outcome, detail)
  WHERE w.id = g.id`

/** Where the opening is over, its effect is due at once. */
const WAKE = `WITH woken AS (
    UPDATE outbox o SET not_before = now() FROM workflow w
    WHERE o.id = ANY ($1::uuid[]) AND w.id = o.id AND w.waits_until IS NOT NULL
      AND o.started_at IS NULL AND o.claimed_by IS NULL AND o.not_before > now()
  )
  SELECT asked.id, o.id IS NOT NULL AND o.started_at IS NULL AS coming, w.id IS NULL OR w.ended_in_opening AS over
  FROM (SELECT DISTINCT unnest($1::uuid[]) AS id) AS asked
    LEFT JOIN outbox o ON o.id = asked.id LEFT JOIN workflow w ON w.id = asked.id`

/** The effect may be forgotten already. */
const REOPEN = `WITH again AS (
    UPDATE workflow SET steps = '[]', ended_in_opening = false WHERE id = $1 AND ended_in_opening
    RETURNING id, name, tenant_id, input
  )
  INSERT INTO outbox (id, kind, tenant_id, payload) SELECT id, name, tenant_id, input FROM again
  ON CONFLICT (id) DO UPDATE SET started_at = NULL, claimed_by = NULL, not_before = now()`

function columnsOf(given: readonly Noted[]): readonly unknown[] {
  return [
    given.map(({ id }) => id),
    given.map(({ executorId }) => executorId),
    given.map(({ kept }) => kept),
    given.map(({ steps }) => storableJson(steps)),
  ]
}

function endColumns(ends: readonly WorkflowEnd[]): readonly unknown[] {
  return [
    ends.map(({ status }) => status),
    ends.map(({ outcome }) => outcome),
    ends.map(({ detail }) => storableJson(detail)),
  ]
}

function eachWhether(
  rows: readonly Row[],
  given: readonly { readonly id: string }[],
): readonly boolean[] {
  const kept = new Set(rows.map(({ id }) => String(id)))
  return given.map(({ id }) => kept.has(id))
}

function stateOf({ coming, over }: Row): WakeState {
  if (coming === true) return 'coming'
  return over === true ? 'over' : 'started'
}

export function stepsOf(kept: unknown): readonly OpeningStep[] {
  const list: readonly unknown[] = Array.isArray(kept) ? kept : []
  return list.map((each) => {
    const { name, result, error, startedAtMs, endedAtMs }: Row = Object(each)
    return {
      name: String(name),
      result: String(result),
      error: typeof error === 'string' ? error : null,
      startedAtMs: Number(startedAtMs),
      endedAtMs: Number(endedAtMs),
    }
  })
}
