// Silences in Postgres. Each change adds a revision and tells the routing in the same statement.

import { isUuid } from '../kernel/ids.ts'
import { type EpochMs, toIso } from '../kernel/time.ts'
import type { Database, SqlRow } from '../ports/database.ts'
import type { MatchOperator, SilenceMatcher } from '../ports/routing-store.ts'
import { Conditions } from '../ports/sql-conditions.ts'
import { compileMatcher, matchesAll } from '../rules/routing/matcher.ts'
import type { AlertDocument } from './alert-json.ts'
import { ALERT_COLUMNS, documentOf } from './alert-rows.ts'
import { decodeCursor, encodeCursor, pageOf } from './cursor.ts'
import { epochMsOf, isoOf } from './sql-values.ts'

/** Open alerts that a preview looks at. */
const MAX_LOOKED_AT = 10_000

export interface SilenceContent {
  readonly matchers: readonly SilenceMatcher[]
  /** `[fromMs, toMs)`. */
  readonly fromMs: EpochMs
  readonly toMs: EpochMs
  readonly reason: string
}

export interface SilenceKey {
  readonly id: string
  readonly tenantId: string
}

export interface SilenceChange extends SilenceKey {
  readonly author: string
  readonly at: Date
  readonly content: SilenceContent
}

const COLUMNS = `s.id, s.matchers, s.starts_at, s.ends_at, s.reason, s.created_by, s.created_at, s.updated_by,
  s.updated_at, s.revision,
  (select count(*) from alert a where a.tenant_id = s.tenant_id and a.shown_status <> 'resolved'
     and a.silenced_by @> array[s.id]) as silenced`

/** Those that end last first. */
export async function silencePage(
  database: Database,
  filter: {
    readonly tenantId: string
    readonly states: readonly string[] | undefined
    readonly nowMs: EpochMs
  },
  page: { readonly limit: number; readonly cursor: string | undefined },
) {
  const conditions = new Conditions().add('s.tenant_id = $', filter.tenantId)
  if (filter.states !== undefined) {
    const now = `${conditions.parameter(new Date(filter.nowMs))}::timestamptz`
    const states = conditions.parameter(filter.states)
    conditions.addText(
      `case when s.ends_at <= ${now} then 'ended' when s.starts_at > ${now} then 'pending'
         else 'active' end = any (${states})`,
    )
  }
  if (page.cursor !== undefined) {
    const [atMs = 0, id = ''] = decodeCursor('silences', ['number', 'string'], page.cursor)
    const endsAt = conditions.parameter(new Date(Number(atMs)))
    conditions.addText(
      `(s.ends_at, s.id) < (${endsAt}::timestamptz, ${conditions.parameter(id)}::uuid)`,
    )
  }
  const rows = await database.query(
    `select ${COLUMNS} from silence s ${conditions.where}
     order by s.ends_at desc, s.id desc limit ${conditions.parameter(page.limit + 1)}`,
    conditions.parameters,
  )
  const cut = pageOf(rows, page.limit, (row) =>
    encodeCursor('silences', [epochMsOf(row.ends_at), String(row.id)]),
  )
  return { items: cut.rows.map((row) => silenceOf(row, filter.nowMs)), next: cut.next }
}

export async function silenceById(
  database: Database,
  { id, tenantId }: SilenceKey,
  nowMs: EpochMs,
) {
  if (!isUuid(id)) return undefined
  const [row] = await database.query(
    `select ${COLUMNS} from silence s where s.id = $1 and s.tenant_id = $2`,
    [id, tenantId],
  )
  return row === undefined ? undefined : silenceOf(row, nowMs)
}

export async function silenceRevisions(database: Database, id: string) {
  const rows = await database.query(
    'select * from silence_revision where silence_id = $1 order by revision desc limit 200',
    [id],
  )
  return rows.map((row) => ({
    revision: Number(row.revision),
    kind: String(row.kind),
    author: String(row.author),
    at: isoOf(row.at),
    matchers: matchersOf(row.matchers),
    from: isoOf(row.starts_at),
    to: isoOf(row.ends_at),
    reason: String(row.reason),
  }))
}

export async function silenceCount(database: Database, tenantId: string): Promise<number> {
  const [row] = await database.query(
    'select count(*) as silences from silence where tenant_id = $1 and ends_at > now()',
    [tenantId],
  )
  return Number(row?.silences ?? 0)
}

export async function createSilence(database: Database, change: SilenceChange): Promise<void> {
  await database.query(
    `with made as (
       insert into silence (id, tenant_id, matchers, starts_at, ends_at, reason, created_by, created_at,
         updated_by, updated_at)
       values ($1, $2, $3::jsonb, $4, $5, $6, $7, $8, $7, $8)
       returning *
     ), told as (insert into alert_change default values)
     insert into silence_revision (silence_id, revision, kind, matchers, starts_at, ends_at, reason, author, at)
     select id, revision, 'created', matchers, starts_at, ends_at, reason, updated_by, updated_at from made`,
    parametersOf(change),
  )
}

export async function changeSilence(
  database: Database,
  change: SilenceChange & { readonly kind: 'changed' | 'ended' },
): Promise<void> {
  await database.query(
    `with changed as (
       update silence set matchers = $3::jsonb, starts_at = $4, ends_at = $5, reason = $6, updated_by = $7,
         updated_at = $8, revision = revision + 1
       where id = $1 and tenant_id = $2 returning *
     ), told as (insert into alert_change default values)
     insert into silence_revision (silence_id, revision, kind, matchers, starts_at, ends_at, reason, author, at)
     select id, revision, $9, matchers, starts_at, ends_at, reason, updated_by, updated_at from changed`,
    [...parametersOf(change), change.kind],
  )
}

/** Newest first. */
export async function openAlertsMatching(
  database: Database,
  tenantId: string,
  matchers: readonly SilenceMatcher[],
): Promise<readonly AlertDocument[]> {
  const compiled = matchers.map(compileMatcher).flatMap((each) => (each.ok ? [each.value] : []))
  const rows = await database.query(
    `select ${ALERT_COLUMNS} from alert where tenant_id = $1 and shown_status <> 'resolved'
     order by starts_at desc limit ${MAX_LOOKED_AT}`,
    [tenantId],
  )
  return rows.map(documentOf).filter((alert) => matchesAll(compiled, labelsOf(alert)))
}

function labelsOf({ labels, rule, severity, entityType, entityId }: AlertDocument) {
  return { ...labels, rule, severity, entityType, entityId }
}

function parametersOf({ id, tenantId, author, at, content }: SilenceChange) {
  const { matchers, fromMs, toMs, reason } = content
  return [
    id,
    tenantId,
    JSON.stringify(matchers),
    new Date(fromMs),
    new Date(toMs),
    reason,
    author,
    at,
  ]
}

function silenceOf(row: SqlRow, nowMs: EpochMs) {
  const fromMs = epochMsOf(row.starts_at)
  const toMs = epochMsOf(row.ends_at)
  return {
    id: String(row.id),
    matchers: matchersOf(row.matchers),
    from: toIso(fromMs),
    to: toIso(toMs),
    reason: String(row.reason),
    createdBy: String(row.created_by),
    createdAt: isoOf(row.created_at),
    updatedBy: String(row.updated_by),
    updatedAt: isoOf(row.updated_at),
    revision: Number(row.revision),
    state: toMs <= nowMs ? 'ended' : fromMs > nowMs ? 'pending' : 'active',
    silenced: Number(row.silenced),
  } as const
}

const OPERATORS: readonly MatchOperator[] = ['=', '!=', '=~', '!~']

function matchersOf(value: unknown): SilenceMatcher[] {
  if (!Array.isArray(value)) return []
  return value.map((each: unknown) => {
    const { name, operator, value: wanted }: Record<string, unknown> = Object(each)
    const known = OPERATORS.find((candidate) => candidate === operator) ?? '='
    return { name: String(name), operator: known, value: String(wanted) }
  })
}
