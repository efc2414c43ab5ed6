// At which milestones customers are written to, and what.

import type { Database, SqlRow } from '../../ports/database.ts'
import type { MessageTemplate } from '../../ports/message.ts'
import { MILESTONE_TYPES, type MilestoneType } from './events.ts'

/** What people may refuse to be written about; merchants read the messages of this category. */
export const CUSTOMER_CATEGORY = 'shipment-milestone'
/** The workflow that a shipment asks for; the migration of customers names it too. */
export const CUSTOMER_WORKFLOW = 'customer-milestone'
export const MAX_MESSAGES_LISTED = 200
/** Of more the ones with most shipments are listed. */
export const MAX_MERCHANTS_LISTED = 1_000

const NEWS: Readonly<Record<MilestoneType, string>> = {
  created: 'is announced',
  'picked-up': 'was picked up',
  departed: 'is on its way',
  arrived: 'arrived at a hub',
  customs: 'is at customs',
  'out-for-delivery': 'is out for delivery',
  'attempt-failed': 'could not be delivered; it will be tried again',
  'available-for-pickup': 'can be picked up',
  delivered: 'was delivered',
  exception: 'is held up',
  returned: 'is on its way back to the sender',
  canceled: 'was canceled',
  expired: 'has not been heard of for long',
}

export function newsOf(milestone: MilestoneType): string {
  return NEWS[milestone]
}

export const customerTemplate: MessageTemplate = {
  name: 'shipment-milestone',
  purpose: 'A shipment reached a milestone at which its merchant has customers written to.',
  subject: 'Your parcel {shipmentId} {news}',
  lines: ['Hello {customerName},', 'your parcel {shipmentId} from {merchantId} {news}.'],
  facts: [
    { label: 'When', value: '{milestoneAt}' },
    { label: 'Expected', value: '{expectedAt}' },
  ],
  actions: [{ label: 'Follow your parcel', url: '{trackingUrl}' }],
  example: {
    shipmentId: 'S-1001',
    merchantId: 'Acme',
    customerName: 'Wanjiru',
    news: newsOf('out-for-delivery'),
    milestoneAt: '2026-01-31T08:00:00Z',
    expectedAt: '2026-01-31T15:00:00Z',
    trackingUrl: 'https://outrider.example/track/abc',
  },
}

export interface MilestoneChoice {
  readonly merchantId: string
  /** In the order of a usual journey. */
  readonly milestones: readonly MilestoneType[]
  /** Null where nothing was ever chosen. */
  readonly updatedAt: Date | null
  readonly updatedBy: string | null
}

export async function milestonesOf(
  database: Database,
  { tenantId, merchantId }: { readonly tenantId: string; readonly merchantId: string },
): Promise<MilestoneChoice> {
  const [row] = await database.query(
    `SELECT milestones, updated_at, updated_by FROM merchant_milestones
     WHERE tenant_id = $1 AND merchant_id = $2`,
    [tenantId, merchantId],
  )
  return choiceOf(merchantId, row)
}

export interface MerchantChoice extends MilestoneChoice {
  readonly shipments: number
}

/** Merchants that a shipment names, or that chose, the ones with most shipments first. */
export async function merchantChoices(
  database: Database,
  tenantId: string,
): Promise<readonly MerchantChoice[]> {
  const rows = await database.query(
    `SELECT merchant_id, coalesce(shipments, 0) AS shipments, milestones, updated_at, updated_by
     FROM (SELECT tenant_id, merchant_id, sum(shipments) AS shipments FROM shipment_total
       WHERE tenant_id = $1 GROUP BY tenant_id, merchant_id) AS known
       FULL JOIN merchant_milestones USING (tenant_id, merchant_id)
     WHERE tenant_id = $1 ORDER BY shipments DESC, merchant_id LIMIT ${MAX_MERCHANTS_LISTED}`,
    [tenantId],
  )
  return rows.map((row) => ({
    ...choiceOf(String(row.merchant_id), row),
    shipments: Number(row.shipments),
  }))
}

export async function chooseMilestones(
  database: Database,
  asked: {
    readonly tenantId: string
    readonly merchantId: string
    readonly milestones: readonly MilestoneType[]
    readonly by: string
  },
): Promise<MilestoneChoice> {
  const [row] = await database.query(
    `INSERT INTO merchant_milestones (tenant_id, merchant_id, milestones, updated_at, updated_by)
     VALUES ($1, $2, $3::text[], now(), $4)
     ON CONFLICT (tenant_id, merchant_id) DO UPDATE SET milestones = excluded.milestones,
       updated_at = excluded.updated_at, updated_by = excluded.updated_by
     RETURNING milestones, updated_at, updated_by`,
    [asked.tenantId, asked.merchantId, asked.milestones, asked.by],
  )
  return choiceOf(asked.merchantId, row)
}

function choiceOf(merchantId: string, row: SqlRow | undefined): MilestoneChoice {
  const chosen: readonly unknown[] = Array.isArray(row?.milestones) ? row.milestones : []
  return {
    merchantId,
    milestones: MILESTONE_TYPES.filter((type) => chosen.includes(type)),
    updatedAt: row?.updated_at instanceof Date ? row.updated_at : null,
    updatedBy: typeof row?.updated_by === 'string' ? row.updated_by : null,
  }
}

/** What the customer of a shipment was written, newest first. */
export function customerMessagesOf(
  database: Database,
  { tenantId, shipmentId }: { readonly tenantId: string; readonly shipmentId: string },
): Promise<readonly SqlRow[]> {
  return database.query(
    `SELECT id, created_at, ended_at, kind, address, subject, status, reason FROM message
     WHERE tenant_id = $1 AND entity_type = 'shipment' AND entity_id = $2 AND category = $3
     ORDER BY created_at DESC, id LIMIT ${MAX_MESSAGES_LISTED}`,
    [tenantId, shipmentId, CUSTOMER_CATEGORY],
  )
}
