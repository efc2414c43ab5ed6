// The contract of routing stores against a real server.

import { suitePostgres } from '../../../test/postgres-server.ts'
import { routingStoreContract } from '../../ports/routing-store.contract.ts'
import { createRoutingStore } from './routing-store.ts'

routingStoreContract('PostgreSQL', async () => {
  const { address, database } = await suitePostgres()
  return {
    store: createRoutingStore({ address }),
    async alert(id, { status = 'firing', acknowledged = false } = {}) {
      await database.query(
        `INSERT INTO alert (id, tenant_id, rule, rule_version, severity, entity_type, entity_id, status,
           starts_at, updated_at, revision, summary, labels, value, peak, event_count, withdrawn, topic,
           log_partition, log_offset, changed_by, received_at, acknowledged_at)
         VALUES ($1, 'default', 'warm', 1, 'major', 'thing', 'T', $2, now(), now(), 1, '', '{}', '{}', '{}', 1,
           false, 'things', 0, 0, '{}', now(), CASE WHEN $3 THEN now() END)
         ON CONFLICT (id) DO UPDATE SET status = excluded.status, acknowledged_at = excluded.acknowledged_at`,
        [id, status, acknowledged],
      )
    },
    async silence(id) {
      await database.query(
        `WITH told AS (INSERT INTO alert_change DEFAULT VALUES)
         INSERT INTO silence (id, tenant_id, matchers, starts_at, ends_at, reason, created_by, created_at,
           updated_by, updated_at)
         VALUES ($1, 'default', '[{"name":"rule","operator":"=","value":"warm"}]', now(),
           now() + interval '1 hour', 'why', 'me', now(), 'me', now())`,
        [id],
      )
    },
    async notifications() {
      const rows = await database.query(
        `SELECT n.id, array_agg(a.alert_id ORDER BY a.alert_id) AS alerts
         FROM notification n JOIN notification_alert a ON a.notification_id = n.id GROUP BY n.id ORDER BY n.id`,
      )
      return rows.map((row) => ({
        id: String(row.id),
        alerts: Array.isArray(row.alerts) ? row.alerts.map(String) : [],
      }))
    },
    async marks(alertId) {
      const [row] = await database.query('SELECT silenced_by FROM alert WHERE id = $1', [alertId])
      return Array.isArray(row?.silenced_by) ? row.silenced_by.map(String) : []
    },
    async expireLease() {
      await database.query("UPDATE alert_router SET leased_until = '-infinity'")
    },
  }
})
