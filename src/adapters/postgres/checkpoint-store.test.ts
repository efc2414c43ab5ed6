// The contract of checkpoint stores against a real server, and what only PostgreSQL does.

import { after, test } from 'node:test'
import { silentLogger, suitePostgres, type TestPostgres } from '../../../test/postgres-server.ts'
import { requireOrSkip } from '../../../test/requirements.ts'
import { postgresMissing, startPostgres } from '../../../test/servers/postgres.ts'
import type { Alert } from '../../ports/alert.ts'
import {
  type ContractRow,
  checkpointStoreContract,
  type StoredRecords,
} from '../../ports/checkpoint-store.contract.ts'
import type { DeadLetter, OutboxEntry, WindowResult } from '../../ports/checkpoint-store.ts'
import type { Database, SqlRow } from '../../ports/database.ts'
import { systemClock } from '../clock/system-clock.ts'
import { createCheckpointStore } from './checkpoint-store.ts'
import { connectDatabase } from './database.ts'
import { migrate } from './migrate.ts'

let shared: Promise<TestPostgres> | null = null

checkpointStoreContract('PostgreSQL', async () => {
  shared ??= withRowTable()
  const { address, database } = await shared
  return {
    store: createCheckpointStore({ address }),
    records: recordsOf(database),
  }
})

const missing = postgresMissing()
let own: Promise<OwnServer> | null = null
after(async () => (await own)?.stop())

test('the contract holds on a server of one’s own too', (t) => {
  requireOrSkip(t, 'PostgreSQL', missing === undefined, missing ?? '')
})

if (missing === undefined) {
  checkpointStoreContract('PostgreSQL of one’s own', async () => {
    own ??= ownServer()
    const { address, database } = await own
    return {
      store: createCheckpointStore({ address, clock: systemClock() }),
      records: recordsOf(database),
    }
  })
}

interface OwnServer extends Pick<TestPostgres, 'address' | 'database'> {
  stop(): Promise<void>
}

async function ownServer(): Promise<OwnServer> {
  const server = await startPostgres()
  const address = { connectionString: server.url }
  await migrate(address, silentLogger)
  const database = connectDatabase({ address })
  await makeRowTable(database)
  return {
    address,
    database,
    async stop() {
      await database.close()
      await server.stop()
    },
  }
}

async function withRowTable(): Promise<TestPostgres> {
  const postgres = await suitePostgres()
  await makeRowTable(postgres.database)
  return postgres
}

/** Durable rows have a table that a migration makes; the suite's own is made here. */
async function makeRowTable(database: Database): Promise<void> {
  await database.query(
    `CREATE TABLE contract_row (tenant_id text NOT NULL, log_partition int NOT NULL,
       log_offset bigint NOT NULL, owner text, name text, seen_at timestamptz NOT NULL,
       price numeric, count int, kept text, items jsonb, PRIMARY KEY (tenant_id, owner, name))`,
  )
}

function recordsOf(database: Database): StoredRecords {
  return {
    async alert(id) {
      const rows = await database.query('SELECT * FROM alert WHERE id = $1', [id])
      return rows[0] === undefined ? undefined : alertOf(rows[0])
    },
    async revisions(alertId) {
      const rows = await database.query(
        'SELECT revision FROM alert_transition WHERE alert_id = $1 ORDER BY revision',
        [alertId],
      )
      return rows.map((row) => Number(row.revision))
    },
    async acknowledge(alertId, by) {
      await database.query(
        'UPDATE alert SET acknowledged_at = now(), acknowledged_by = $2 WHERE id = $1',
        [alertId, by],
      )
    },
    async acknowledgedBy(alertId) {
      const rows = await database.query('SELECT acknowledged_by FROM alert WHERE id = $1', [
        alertId,
      ])
      const by = rows[0]?.acknowledged_by
      return typeof by === 'string' ? by : null
    },
    async deadLetters(topic) {
      const rows = await database.query('SELECT * FROM dead_letter WHERE topic = $1', [topic])
      return rows.map(deadLetterOf)
    },
    async outbox(kind) {
      const rows = await database.query('SELECT * FROM outbox WHERE kind = $1', [kind])
      return rows.map(outboxEntryOf)
    },
    async windows(name) {
      const rows = await database.query('SELECT * FROM window_kpi WHERE window_name = $1', [name])
      return rows.map((row) => ({ partition: Number(row.log_partition), result: windowOf(row) }))
    },
    async rows(owner) {
      const rows = await database.query(
        'SELECT * FROM contract_row WHERE owner = $1 ORDER BY name COLLATE "C"',
        [owner],
      )
      return rows.map(rowOf)
    },
  }
}

const text = (value: unknown): string => String(value)
const timeMs = (value: unknown): number => (value instanceof Date ? value.getTime() : Number.NaN)

function rowOf(row: SqlRow): ContractRow {
  return {
    owner: text(row.owner),
    name: text(row.name),
    seenAtMs: timeMs(row.seen_at),
    price: row.price === null ? null : text(row.price),
    count: row.count === null ? null : Number(row.count),
    kept: row.kept === null ? null : text(row.kept),
    items: row.items,
  }
}

function alertOf(row: SqlRow): Alert {
  return {
    id: text(row.id),
    tenantId: text(row.tenant_id),
    rule: text(row.rule),
    ruleVersion: Number(row.rule_version),
    severity: row.severity as Alert['severity'],
    entityType: text(row.entity_type),
    entityId: text(row.entity_id),
    status: row.status as Alert['status'],
    startsAtMs: timeMs(row.starts_at),
    endsAtMs: row.ends_at === null ? null : timeMs(row.ends_at),
    updatedAtMs: timeMs(row.updated_at),
    revision: Number(row.revision),
    summary: text(row.summary),
    labels: row.labels as Alert['labels'],
    value: row.value as Alert['value'],
    peak: row.peak as Alert['peak'],
    count: Number(row.event_count),
    withdrawn: row.withdrawn === true,
    position: {
      topic: text(row.topic),
      partition: Number(row.log_partition),
      offset: Number(row.log_offset),
    },
    changedBy: row.changed_by as Alert['changedBy'],
    receivedAtMs: timeMs(row.received_at),
  }
}

function deadLetterOf(row: SqlRow): DeadLetter {
  return {
    id: text(row.id),
    topic: text(row.topic),
    receivedAtMs: timeMs(row.received_at),
    tenantId: text(row.tenant_id),
    door: text(row.door),
    code: text(row.code),
    message: text(row.message),
    path: text(row.path),
    raw: text(row.raw),
    rawEncoding: row.raw_encoding as DeadLetter['rawEncoding'],
    position:
      row.log_topic === null
        ? null
        : {
            topic: text(row.log_topic),
            partition: Number(row.log_partition),
            offset: Number(row.log_offset),
          },
  }
}

function outboxEntryOf(row: SqlRow): OutboxEntry {
  return {
    id: text(row.id),
    kind: text(row.kind),
    tenantId: text(row.tenant_id),
    payload: row.payload as OutboxEntry['payload'],
  }
}

function windowOf(row: SqlRow): WindowResult {
  return {
    window: text(row.window_name),
    era: Number(row.era),
    keysHash: row.keys_hash === null ? null : Number(row.keys_hash),
    group: text(row.group_key),
    tenantId: text(row.tenant_id),
    startMs: timeMs(row.window_start),
    endMs: timeMs(row.window_end),
    values: row.values as WindowResult['values'],
    revision: Number(row.revision),
    final: row.final === true,
  }
}
