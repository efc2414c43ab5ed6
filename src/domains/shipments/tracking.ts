// Links by which a customer follows one shipment without signing in, and the little that they show.

import type { EpochMs } from '../../kernel/time.ts'
import type { Database, SqlRow } from '../../ports/database.ts'
import type { TenantScope } from '../../ports/tenant-database.ts'
import type { MilestoneType } from './events.ts'
import type { TimelineEntry } from './timeline.ts'

/** Links of one shipment that hold at a time; of more the oldest is revoked. */
export const MAX_LINKS_PER_SHIPMENT = 50
export const MAX_LINKS_LISTED = 200

export interface NewTrackingLink extends TenantScope {
  readonly id: string
  readonly merchantId: string
  readonly shipmentId: string
  /** SHA-256 of the token in the link. */
  readonly hash: Uint8Array
  readonly createdAtMs: EpochMs
  readonly createdBy: string
  readonly expiresAtMs: EpochMs
}

/** Whose shipment a link leads to. */
export interface TrackedShipment {
  readonly tenantId: string
  readonly merchantId: string
  readonly shipmentId: string
  readonly expiresAtMs: EpochMs
}

/** Asked again with the same id, the link is the newer one: of the older nobody kept the token. */
export async function createTrackingLink(database: Database, link: NewTrackingLink): Promise<void> {
  const { tenantId, merchantId, shipmentId } = link
  await database.query(
    `INSERT INTO tracking_link (id, tenant_id, merchant_id, shipment_id, token_hash, created_at, created_by, expires_at)
     VALUES ($1, $2, $3, $4, decode($5, 'hex'), $6, $7, $8) ON CONFLICT (id) DO UPDATE SET token_hash = excluded.token_hash`,
    [
      ...[link.id, tenantId, merchantId, shipmentId, Buffer.from(link.hash).toString('hex')],
      ...[new Date(link.createdAtMs), link.createdBy, new Date(link.expiresAtMs)],
    ],
  )
  await database.query(
    `UPDATE tracking_link SET revoked_at = now(), revoked_by = 'too many' WHERE id IN (
       SELECT id FROM tracking_link WHERE tenant_id = $1 AND shipment_id = $2 AND revoked_at IS NULL
       ORDER BY created_at DESC, id OFFSET ${MAX_LINKS_PER_SHIPMENT})`,
    [tenantId, shipmentId],
  )
}

/** Undefined alike where the link was never made, has expired, or was revoked. */
export async function followTrackingLink(
  database: Database,
  hash: Uint8Array,
): Promise<TrackedShipment | undefined> {
  const [row] = await database.query(
    `SELECT tenant_id, merchant_id, shipment_id, extract(epoch FROM expires_at)::float8 * 1000 AS expires_ms
     FROM tracking_link
     WHERE token_hash = decode($1, 'hex') AND revoked_at IS NULL AND expires_at > now()`,
    [Buffer.from(hash).toString('hex')],
  )
  return row === undefined
    ? undefined
    : {
        tenantId: String(row.tenant_id),
        merchantId: String(row.merchant_id),
        shipmentId: String(row.shipment_id),
        expiresAtMs: Number(row.expires_ms),
      }
}

export function trackingLinksOf(
  database: Database,
  { tenantId, shipmentId }: { readonly tenantId: string; readonly shipmentId: string },
): Promise<readonly SqlRow[]> {
  return database.query(
    `SELECT id, created_at, created_by, expires_at, revoked_at FROM tracking_link
     WHERE tenant_id = $1 AND shipment_id = $2 ORDER BY created_at DESC, id LIMIT ${MAX_LINKS_LISTED}`,
    [tenantId, shipmentId],
  )
}

/** All links of the shipment, or the one named. Returns how many held until now. */
export async function revokeTrackingLinks(
  database: Database,
  asked: {
    readonly tenantId: string
    readonly shipmentId: string
    readonly id?: string
    readonly by: string
  },
): Promise<number> {
  const rows = await database.query(
    `UPDATE tracking_link SET revoked_at = now(), revoked_by = $4
     WHERE tenant_id = $1 AND shipment_id = $2 AND ($3::text IS NULL OR id::text = $3)
       AND revoked_at IS NULL RETURNING id`,
    [asked.tenantId, asked.shipmentId, asked.id?.toLowerCase() ?? null, asked.by],
  )
  return rows.length
}

export interface PublicStep {
  readonly type: MilestoneType
  readonly atMs: EpochMs
  /** Of a facility; null where it could be somebody's door. */
  readonly location: string | null
}

/** Milestones at which the goods are, or may be, where the customer lives. */
const AT_THE_DOOR: ReadonlySet<MilestoneType> = new Set([
  'out-for-delivery',
  'attempt-failed',
  'delivered',
  'returned',
  'exception',
])

/** What a customer is shown of the timeline: what happened, in order; no trucks, positions or reasons. */
export function publicSteps(timeline: readonly TimelineEntry[]): readonly PublicStep[] {
  return timeline.flatMap(({ type, actualMs, location }) =>
    actualMs === null
      ? []
      : [{ type, atMs: actualMs, location: AT_THE_DOOR.has(type) ? null : location }],
  )
}
