// What must hold, checked by the database itself while faults go on, and by counting at the end.

import pg from 'pg'
import { readTopic } from '../cluster/topic-reader.ts'
import { runCommand } from '../program.ts'
import { until } from '../waiting.ts'
import type { Load } from './load.ts'
import { eventId } from './load.ts'
import type { Stage } from './stage.ts'

const LISTED = 5
const WATCH_MS = 250
/** What a topic did not take is told again every second. */
const TELLING_MS = 30_000

/** Every step of every task, written in the transaction that makes it. */
const TRAIL = `
  CREATE TABLE IF NOT EXISTS campaign_trail (
    step bigserial PRIMARY KEY, pipeline text, log_partition int,
    old_epoch bigint, new_epoch bigint, old_next bigint, new_next bigint,
    old_snapshot bigint, new_snapshot bigint);
  CREATE OR REPLACE FUNCTION campaign_step() RETURNS trigger LANGUAGE plpgsql AS $$
  BEGIN
    INSERT INTO campaign_trail (pipeline, log_partition, old_epoch, new_epoch, old_next, new_next, old_snapshot, new_snapshot)
    VALUES (NEW.pipeline, NEW.log_partition, OLD.epoch, NEW.epoch, OLD.next_offset, NEW.next_offset,
      OLD.snapshot_offset, NEW.snapshot_offset);
    RETURN NEW;
  END $$;
  CREATE OR REPLACE TRIGGER campaign_step AFTER UPDATE ON task FOR EACH ROW EXECUTE FUNCTION campaign_step();`

const BACKWARD = `
  SELECT count(*) FROM campaign_trail
  WHERE new_epoch < old_epoch OR new_next < old_next OR new_snapshot < old_snapshot
    OR new_snapshot > new_next OR (new_epoch <> old_epoch AND new_next <> old_next)`

export interface Audit {
  /** Steps seen and what was wrong with them so far. */
  readonly violations: string[]
  steps(): number
  claims(): number
  stop(): Promise<void>
}

/** Watches until stopped; a database that is away is asked again. */
export async function startAudit(stage: Stage): Promise<Audit> {
  const { url } = stage.postgres
  await query(url, TRAIL)
  const violations: string[] = []
  let running = true
  let steps = 0
  let claims = 0
  const look = async (): Promise<void> => {
    const backward = Number((await query(url, BACKWARD))[0]?.count)
    if (backward > 0)
      violations.push(`${backward} steps of tasks went backward or wrote for another epoch`)
    const [seen] = await query(
      url,
      'SELECT count(*) AS steps, count(*) FILTER (WHERE new_epoch > old_epoch) AS claims FROM campaign_trail',
    )
    steps = Number(seen?.steps)
    claims = Number(seen?.claims)
  }
  const watching = (async () => {
    while (running && violations.length === 0) {
      await look().catch(() => undefined)
      await new Promise((resolve) => setTimeout(resolve, WATCH_MS))
    }
  })()
  return {
    violations,
    steps: () => steps,
    claims: () => claims,
    async stop() {
      running = false
      await watching
      if (violations.length === 0) await look()
    },
  }
}

/** Everything that was acknowledged: archived, once, in order, and the alerts those of a run without faults. */
export async function finalFaults(stage: Stage, load: Load): Promise<readonly string[]> {
  return [
    ...(await archiveFaults(stage, load)),
    ...(await verifyFaults(stage)),
    ...(await replayFaults(stage)),
    ...(await untoldFaults(stage)),
  ]
}

/** Each alert as it stands is on its topic, however often; an owner that died has a follower who tells it. */
async function untoldFaults(stage: Stage): Promise<readonly string[]> {
  const recorded = (
    await query(stage.postgres.url, `SELECT id || ':' || revision AS name FROM alert`)
  ).map(({ name }) => String(name))
  let untold = recorded
  const look = async (): Promise<boolean> => {
    const messages = await readTopic(stage.kafka, 'alerts')
    const told = new Set(messages.map(({ headers }) => headers['outrider-deduplication-key']))
    untold = recorded.filter((name) => !told.has(name))
    return untold.length === 0
  }
  await until('all alerts are told', look, TELLING_MS).catch(() => undefined)
  if (untold.length === 0) return []
  const shown = untold.slice(0, LISTED).join(', ')
  return [`${untold.length} of ${recorded.length} alerts are not on their topic: ${shown}`]
}

async function archiveFaults(stage: Stage, load: Load): Promise<readonly string[]> {
  const rows = await query(
    stage.postgres.url,
    `SELECT truck_id, array_agg(event_id ORDER BY log_offset) AS ids FROM truck_reading
     WHERE NOT coalesce('duplicate' = ANY(flags), false) GROUP BY truck_id`,
  )
  const archived = new Map(rows.map((row) => [String(row.truck_id), Object(row.ids)]))
  const faults: string[] = []
  for (const [truckId, count] of load.acknowledged()) {
    const ids: readonly string[] = archived.get(truckId) ?? []
    const wanted = Array.from({ length: count }, (_, index) => eventId(truckId, index + 1))
    const missing = wanted.filter((id) => !ids.includes(id))
    if (missing.length > 0)
      faults.push(listed(`acknowledged, not archived, of ${truckId}`, missing))
    if (new Set(ids).size < ids.length) faults.push(`archived twice and not flagged, of ${truckId}`)
    else if (missing.length === 0 && wanted.some((id, index) => ids[index] !== id)) {
      faults.push(`out of order, of ${truckId}`)
    }
  }
  return faults
}

async function verifyFaults(stage: Stage): Promise<readonly string[]> {
  const { code, stdout, stderr } = await runCommand(['verify', '--json'], stage.environment)
  return code === 0 ? [] : [`verify ended with ${code}: ${stdout.slice(0, 2_000)}${stderr}`]
}

async function replayFaults(stage: Stage): Promise<readonly string[]> {
  const args = ['replay', '--topic', 'truck-readings', '--json']
  const { code, stdout, stderr } = await runCommand(args, stage.environment)
  if (code === null || stdout === '') return [`replay ended with ${code}: ${stderr}`]
  const report = Object(JSON.parse(stdout))
  const { alerts, recorded, same } = report
  if (!(alerts > 0)) return ['the replay brought no alert, so it compares nothing']
  return same === alerts && same === recorded
    ? []
    : [
        `alerts differ from those of a run without faults: ${JSON.stringify(report).slice(0, 3_000)}`,
      ]
}

function listed(what: string, ids: readonly string[]): string {
  return `${what}: ${ids.slice(0, LISTED).join(', ')}${ids.length > LISTED ? ` and ${ids.length - LISTED} more` : ''}`
}

export async function query(url: string, sql: string): Promise<readonly Record<string, unknown>[]> {
  const client = new pg.Client({ connectionString: url, connectionTimeoutMillis: 2_000 })
  client.on('error', () => undefined)
  try {
    await client.connect()
    const result: { readonly rows?: readonly Record<string, unknown>[] } = await client.query(sql)
    return result.rows ?? []
  } finally {
    await client.end().catch(() => undefined)
  }
}
