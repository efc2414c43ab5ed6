// Places messages in one transaction with the gates of their addresses and the effects that will deliver those which
// need one of their own. Many callers' messages go together: gates are locked in one order everywhere, so that two of
// these never wait for each other.

import type pg from 'pg'
import type { EpochMs } from '../../kernel/time.ts'
import type {
  MessageDraft,
  MessageStatus,
  MessageStore,
  PlacedMessage,
} from '../../ports/message-store.ts'
import { databaseError } from './failures.ts'
import { storable, storableInstant, storableJson } from './stored-text.ts'

/** What one caller places. */
export interface Placing {
  readonly drafts: readonly MessageDraft[]
  readonly decide: Parameters<MessageStore['place']>[1]
  readonly asks: boolean
}

/** Answers each in turn with its messages, in the order of its drafts. */
export async function placeAll(
  pool: pg.Pool,
  placings: readonly Placing[],
): Promise<readonly (readonly PlacedMessage[])[]> {
  const client = await pool.connect().catch((cause: unknown) => {
    throw databaseError('Cannot place messages', cause)
  })
  let failed = true
  try {
    const drafts = placings.flatMap((placing) => placing.drafts)
    // What needs no answer is not waited for before the next goes out; all are, at the end.
    const begun = client.query('BEGIN')
    const [, gates, known] = await Promise.all([
      begun,
      lockGates(client, drafts),
      statusesOf(client, drafts),
    ])
    const rows = new PlacedRows(gates, known)
    const placed = placings.map((placing) => rows.place(placing))
    await Promise.all([...rows.write(client), client.query('COMMIT')])
    failed = false
    return placed
  } catch (cause) {
    throw databaseError('Cannot place messages', cause)
  } finally {
    client.release(failed)
  }
}

interface GateRow {
  readonly key: readonly [tenantId: string, kind: string, address: string]
  state: unknown
  isChanged: boolean
}

interface MessageRow {
  readonly draft: MessageDraft
  readonly status: MessageStatus
  readonly reason: string | null
  readonly dueMs: EpochMs | null
  readonly groupId: string | null
}

const keyOf = ({ tenantId, kind, address }: MessageDraft): GateRow['key'] => [
  tenantId,
  kind,
  storable(address),
]

/** Made where they are not there yet, and locked either way. */
async function lockGates(
  client: pg.PoolClient,
  drafts: readonly MessageDraft[],
): Promise<Map<string, GateRow>> {
  const keys = new Map(drafts.map((draft) => [JSON.stringify(keyOf(draft)), keyOf(draft)]))
  const sorted = [...keys].sort(([a], [b]) => (a < b ? -1 : 1)).map(([, key]) => key)
  const { rows } = await client.query<Record<'tenant_id' | 'kind' | 'address', string> & GateRow>(
    `INSERT INTO message_gate (tenant_id, kind, address, state)
     SELECT tenant_id, kind, address, 'null' FROM unnest($1::text[], $2::text[], $3::text[]) WITH ORDINALITY
       AS given (tenant_id, kind, address, number) ORDER BY number
     ON CONFLICT (tenant_id, kind, address) DO UPDATE SET state = message_gate.state
     RETURNING tenant_id, kind, address, state`,
    keyColumns(sorted),
  )
  return new Map(
    rows.map(({ tenant_id: tenantId, kind, address, state }) => {
      const key: GateRow['key'] = [tenantId, kind, address]
      return [JSON.stringify(key), { key, state, isChanged: false }]
    }),
  )
}

/** Asked for once the gates are locked: who placed a message before has let go of its gate. */
async function statusesOf(
  client: pg.PoolClient,
  drafts: readonly MessageDraft[],
): Promise<Map<string, MessageStatus>> {
  const { rows } = await client.query<{ id: string; status: MessageStatus }>(
    'SELECT id, status FROM message WHERE id = ANY ($1::uuid[])',
    [drafts.map(({ id }) => id)],
  )
  return new Map(rows.map(({ id, status }) => [id, status]))
}

/** What is decided about drafts, one after the other, until it is written. */
class PlacedRows {
  readonly #gates: ReadonlyMap<string, GateRow>
  readonly #known: Map<string, MessageStatus>
  readonly #messages: MessageRow[] = []
  readonly #asked: { readonly draft: MessageDraft; readonly dueMs: EpochMs | null }[] = []

  constructor(gates: ReadonlyMap<string, GateRow>, known: Map<string, MessageStatus>) {
    this.#gates = gates
    this.#known = known
  }

  place({ drafts, decide, asks }: Placing): readonly PlacedMessage[] {
    return drafts.map((draft) => {
      const status = this.#known.get(draft.id) ?? this.#placeOne(draft, decide)
      if (asks && status === 'queued') this.#asked.push({ draft, dueMs: null })
      return { id: draft.id, status }
    })
  }

  #placeOne(draft: MessageDraft, decide: Placing['decide']): MessageStatus {
    const gate = this.#gates.get(JSON.stringify(keyOf(draft)))
    const placement = decide(draft, gate?.state ?? null)
    if (placement.gate !== null && gate !== undefined) {
      gate.state = placement.gate
      gate.isChanged = true
    }
    const { status, reason, group } = placement
    const dueMs = group?.dueMs ?? null
    if (group?.opens === true) {
      this.#messages.push({
        ...{ draft: group.message, status: 'held', reason: null, dueMs, groupId: null },
      })
      this.#asked.push({ draft: group.message, dueMs })
    }
    this.#messages.push({ draft, status, reason, dueMs, groupId: group?.message.id ?? null })
    this.#known.set(draft.id, status)
    return status
  }

  /** All go out at once. */
  write(client: pg.PoolClient): readonly Promise<unknown>[] {
    const changed = [...this.#gates.values()].filter(({ isChanged }) => isChanged)
    return [
      ...(changed.length === 0 ? [] : [writeGates(client, changed)]),
      ...(this.#messages.length === 0 ? [] : [writeMessages(client, this.#messages)]),
      ...(this.#asked.length === 0 ? [] : [askForDelivery(client, this.#asked)]),
    ]
  }
}

function keyColumns(keys: readonly GateRow['key'][]): string[][] {
  return [keys.map(([id]) => id), keys.map(([, kind]) => kind), keys.map(([, , to]) => to)]
}

async function writeGates(client: pg.PoolClient, gates: readonly GateRow[]): Promise<void> {
  await client.query(
    `UPDATE message_gate SET state = given.state::jsonb
     FROM unnest($1::text[], $2::text[], $3::text[], $4::text[]) AS given (tenant_id, kind, address, state)
     WHERE message_gate.tenant_id = given.tenant_id AND message_gate.kind = given.kind
       AND message_gate.address = given.address`,
    [...keyColumns(gates.map(({ key }) => key)), gates.map(({ state }) => storableJson(state))],
  )
}

async function askForDelivery(
  client: pg.PoolClient,
  asked: readonly { readonly draft: MessageDraft; readonly dueMs: EpochMs | null }[],
): Promise<void> {
  await client.query(
    `INSERT INTO outbox (id, kind, tenant_id, payload, not_before)
     SELECT id, 'deliver', tenant_id, payload::jsonb, coalesce(not_before, now())
     FROM unnest($1::uuid[], $2::text[], $3::text[], $4::timestamptz[]) AS given (id, tenant_id, payload, not_before)
     ORDER BY id ON CONFLICT (id) DO NOTHING`,
    [
      asked.map(({ draft }) => draft.workflowId),
      asked.map(({ draft }) => draft.tenantId),
      asked.map(({ draft }) => storableJson({ messageId: draft.id, about: draft.about })),
      asked.map(({ dueMs }) => instantOrNull(dueMs)),
    ],
  )
}

async function writeMessages(client: pg.PoolClient, rows: readonly MessageRow[]): Promise<void> {
  await client.query(
    `INSERT INTO message (id, tenant_id, workflow_id, template, category, severity, channel, kind, address,
       subject, content, status, reason, due_at, group_id, entity_type, entity_id, alert_id, asked_by, ended_at)
     SELECT id, tenant_id, workflow_id, template, category, severity, channel, kind, address, subject, content::jsonb,
       status, reason, due_at, group_id, entity_type, entity_id, alert_id, asked_by,
       CASE WHEN status = 'suppressed' THEN now() END
     FROM unnest($1::uuid[], $2::text[], $3::uuid[], $4::text[], $5::text[], $6::text[], $7::text[], $8::text[],
         $9::text[], $10::text[], $11::text[], $12::text[], $13::text[], $14::timestamptz[], $15::uuid[], $16::text[],
         $17::text[], $18::uuid[], $19::uuid[]) WITH ORDINALITY
       AS given (id, tenant_id, workflow_id, template, category, severity, channel, kind, address, subject, content,
         status, reason, due_at, group_id, entity_type, entity_id, alert_id, asked_by, number)
     ORDER BY number ON CONFLICT (id) DO NOTHING`,
    [
      rows.map(({ draft }) => draft.id),
      rows.map(({ draft }) => draft.tenantId),
      rows.map(({ draft }) => draft.workflowId),
      rows.map(({ draft }) => draft.template),
      rows.map(({ draft }) => storable(draft.category)),
      rows.map(({ draft }) => draft.severity),
      rows.map(({ draft }) => storable(draft.channel)),
      rows.map(({ draft }) => draft.kind),
      rows.map(({ draft }) => storable(draft.address)),
      rows.map(({ draft }) => storable(draft.content.subject)),
      rows.map(({ draft }) => storableJson(draft.content)),
      rows.map(({ status }) => status),
      rows.map(({ reason }) => reason),
      rows.map(({ dueMs }) => instantOrNull(dueMs)),
      rows.map(({ groupId }) => groupId),
      rows.map(({ draft: { about } }) => (about === null ? null : storable(about.entityType))),
      rows.map(({ draft: { about } }) => (about === null ? null : storable(about.entityId))),
      rows.map(({ draft: { about } }) => about?.alertId ?? null),
      rows.map(({ draft }) => draft.askedBy),
    ],
  )
}

function instantOrNull(instantMs: EpochMs | null): string | Date | null {
  return instantMs === null ? null : storableInstant(instantMs)
}
