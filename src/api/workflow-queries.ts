// Workflows in Postgres, with their steps as the engine keeps them.

import { isUuid } from '../kernel/ids.ts'
import type { Database, SqlRow } from '../ports/database.ts'
import { Conditions } from '../ports/sql-conditions.ts'
import { decodeCursor, encodeCursor, pageOf } from './cursor.ts'
import { epochMsOf, isoOf, isoOrNull, textOrNull } from './sql-values.ts'
import type { OpenRange } from './validation.ts'

export const WORKFLOW_STATUSES = ['running', 'done', 'failed'] as const
/** Steps shown of one workflow, the last ones. */
const MAX_STEPS = 500
const MAX_RESULT_CHARACTERS = 2_000
/** Numbers from here on are instants (2001): what steps keep of spans is smaller. */
const FIRST_INSTANT_MS = 1e12

export interface WorkflowFilter extends OpenRange {
  readonly tenantId: string
  readonly statuses: readonly string[] | undefined
  readonly name: string | undefined
  readonly alert: string | undefined
  readonly entity: string | undefined
}

/** Newest first. */
export async function workflowPage(
  database: Database,
  filter: WorkflowFilter,
  page: { readonly limit: number; readonly cursor: string | undefined },
) {
  if (filter.alert !== undefined && !isUuid(filter.alert)) return { items: [], next: null }
  const conditions = new Conditions().add('tenant_id = $', filter.tenantId)
  if (filter.statuses !== undefined) conditions.add('status = any ($)', filter.statuses)
  if (filter.name !== undefined) conditions.add('name = $', filter.name)
  if (filter.alert !== undefined) conditions.add('alert_id = $::uuid', filter.alert)
  if (filter.entity !== undefined) conditions.add('entity_id = $', filter.entity)
  if (filter.fromMs !== undefined) conditions.add('started_at >= $', new Date(filter.fromMs))
  if (filter.toMs !== undefined) conditions.add('started_at < $', new Date(filter.toMs))
  if (page.cursor !== undefined) {
    const [atMs = 0, id = ''] = decodeCursor('workflows', ['number', 'string'], page.cursor)
    const at = conditions.parameter(new Date(Number(atMs)))
    conditions.addText(
      `(date_trunc('milliseconds', started_at), id) < (${at}::timestamptz, ${conditions.parameter(id)}::uuid)`,
    )
  }
  const rows = await database.query(
    `select * from workflow ${conditions.where}
     order by date_trunc('milliseconds', started_at) desc, id desc limit ${conditions.parameter(page.limit + 1)}`,
    conditions.parameters,
  )
  const cut = pageOf(rows, page.limit, (row) =>
    encodeCursor('workflows', [epochMsOf(row.started_at), String(row.id)]),
  )
  return { items: cut.rows.map(workflowOf), next: cut.next }
}

export interface WorkflowKey {
  readonly tenantId: string
  readonly id: string
}

export async function workflowById(database: Database, { tenantId, id }: WorkflowKey) {
  if (!isUuid(id)) return undefined
  const [row] = await database.query('select * from workflow where tenant_id = $1 and id = $2', [
    tenantId,
    id,
  ])
  return row === undefined ? undefined : { ...workflowOf(row), input: row.input ?? null }
}

/** The opening's, then the engine's. The caller has made sure whose workflow it is. */
export async function stepsOf(database: Database, id: string) {
  const opening = await openingStepsOf(database, id)
  return [...opening, ...(await engineStepsOf(database, id, opening.length))].slice(-MAX_STEPS)
}

async function openingStepsOf(database: Database, id: string) {
  const rows = await database.query(
    `select (number - 1)::int as function_id, step ->> 'name' as function_name, step ->> 'result' as output,
       case when step ->> 'error' is not null then json_build_object('message', step ->> 'error')::text end as error,
       step ->> 'startedAtMs' as started_at_epoch_ms, step ->> 'endedAtMs' as completed_at_epoch_ms
     from workflow, jsonb_array_elements(steps) with ordinality as done (step, number)
     where id = $1 order by number`,
    [id],
  )
  return rows.map((row) => stepOf(row, 0))
}

/** Nothing where no engine ever ran on this database. */
async function engineStepsOf(database: Database, id: string, before: number) {
  const [engine] = await database.query(
    "select to_regclass('dbos.operation_outputs') is not null as present",
  )
  if (engine?.present !== true) return []
  const rows = await database.query(
    `select * from (
       select function_id, function_name, output, error, started_at_epoch_ms, completed_at_epoch_ms
       from dbos.operation_outputs where workflow_uuid = $1 order by function_id desc limit ${MAX_STEPS}
     ) as last order by function_id`,
    [id],
  )
  return rows.map((row) => stepOf(row, before))
}

/**
 * Has a workflow that ended run again, with the messages that it gave up. In one statement: the effect that asks
 * for it is there or nothing is. False where it has not ended.
 */
export async function retryWorkflow(
  database: Database,
  { tenantId, id }: WorkflowKey,
): Promise<boolean> {
  const [row] = await database.query(
    `with again as (
       update workflow set status = 'running', outcome = null, detail = null, ended_at = null, runs = runs + 1
       where tenant_id = $1 and id = $2 and status = 'failed' returning id, tenant_id, runs
     ), revived as (
       update message set status = 'queued', ended_at = null, due_at = null
       from again where message.workflow_id = again.id and message.status = 'dead'
     )
     insert into outbox (id, kind, tenant_id, payload)
     select derived_id('retry', id::text, runs::text), 'retry', tenant_id, jsonb_build_object('workflowId', id)
     from again returning id`,
    [tenantId, id],
  )
  return row !== undefined
}

function workflowOf(row: SqlRow) {
  return {
    id: String(row.id),
    name: String(row.name),
    status: WORKFLOW_STATUSES.find((status) => status === row.status) ?? 'running',
    outcome: textOrNull(row.outcome),
    detail: row.detail ?? null,
    entityType: textOrNull(row.entity_type),
    entityId: textOrNull(row.entity_id),
    alertId: textOrNull(row.alert_id),
    runs: Number(row.runs),
    requestedAt: isoOf(row.requested_at),
    startedAt: isoOf(row.started_at),
    endedAt: isoOrNull(row.ended_at),
  }
}

/** Steps of the engine itself, in our words. */
const ENGINE_STEPS: Readonly<Record<string, string>> = {
  'DBOS.now': 'note the time',
  'DBOS.sleep': 'wait until',
  'DBOS.recv': 'what was heard',
}

function stepOf(row: SqlRow, before: number) {
  const startedMs = Number(row.started_at_epoch_ms)
  const endedMs = Number(row.completed_at_epoch_ms)
  return {
    number: before + Number(row.function_id),
    name: ENGINE_STEPS[String(row.function_name)] ?? String(row.function_name),
    result: plain(row.output),
    error: errorOf(row.error),
    startedAt: startedMs > 0 ? new Date(startedMs).toISOString() : null,
    endedAt: endedMs > 0 ? new Date(endedMs).toISOString() : null,
  }
}

/** The engine wraps values as `{json: …}`; addresses of answers are cut, because they are keys. */
function plain(kept: unknown): string | null {
  if (typeof kept !== 'string') return null
  const inner = unwrapped(kept)
  if (inner === null || inner === undefined) return null
  if (typeof inner === 'number' && inner > FIRST_INSTANT_MS) return new Date(inner).toISOString()
  const text = typeof inner === 'string' ? inner : JSON.stringify(inner)
  return text.replaceAll(/\/answer\/[\w.-]+/g, '/answer/…').slice(0, MAX_RESULT_CHARACTERS)
}

function errorOf(kept: unknown): string | null {
  if (typeof kept !== 'string') return null
  const message: unknown = Object(unwrapped(kept)).message
  return (typeof message === 'string' ? message : kept).slice(0, MAX_RESULT_CHARACTERS)
}

function unwrapped(kept: string): unknown {
  const value = parsed(kept)
  return typeof value === 'object' && value !== null && 'json' in value ? value.json : value
}

function parsed(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    return text
  }
}
