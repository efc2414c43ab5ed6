// Writes to the customer of a shipment that it reached a milestone, with a link to follow it by. What asks for it
// has an id made of shipment and milestone, so each is told once.

import {
  CUSTOMER_CATEGORY,
  CUSTOMER_WORKFLOW,
  customerTemplate,
  newsOf,
} from '../../domains/shipments/customer-messages.ts'
import { MILESTONE_TYPES } from '../../domains/shipments/events.ts'
import { shipmentById } from '../../domains/shipments/queries.ts'
import { createTrackingLink } from '../../domains/shipments/tracking.ts'
import { DAY_MS, type DurationMs } from '../../kernel/time.ts'
import type { Database } from '../../ports/database.ts'
import type {
  WorkflowContext,
  WorkflowDefinition,
  WorkflowOutcome,
} from '../../ports/workflow-engine.ts'
import type { Delivering } from '../messages/delivery.ts'
import { tell } from '../messages/message-workflows.ts'
import type { Placing } from '../messages/place-message.ts'

/** A link in a message holds for so long. */
const LINK_HELD_MS: DurationMs = 30 * DAY_MS
const EMAIL = /^[^\s@<>",;]{1,64}@[^\s@<>",;]{1,255}$/

export interface CustomerWorkflowOptions extends Placing, Delivering {
  readonly database: Database
  /** 256 bits by chance, as text for an address. */
  readonly newSecret: () => string
  /** SHA-256. */
  readonly hashOf: (token: string) => Uint8Array
}

export function customerWorkflows(options: CustomerWorkflowOptions): readonly WorkflowDefinition[] {
  return [{ name: CUSTOMER_WORKFLOW, run: (context, input) => run(context, input, options) }]
}

async function run(
  context: WorkflowContext,
  input: unknown,
  options: CustomerWorkflowOptions,
): Promise<WorkflowOutcome> {
  const asked = Object(input)
  const shipmentId = String(asked.shipmentId)
  const milestone = MILESTONE_TYPES.find((type) => type === asked.milestone)
  if (milestone === undefined) return { outcome: 'unknown-milestone', failed: true }
  const facts = await context.step('shipment', () => factsOf(context, shipmentId, options))
  if (facts === null) return { outcome: 'no-shipment' }
  const { email, ...values } = facts
  if (email === null || !EMAIL.test(email)) return { outcome: 'no-address' }
  const nowMs = await context.nowMs()
  const trackingUrl = await context.step('link', async () => {
    const token = options.newSecret()
    await createTrackingLink(options.database, {
      ...{ id: context.id, tenantId: context.tenantId, merchantId: values.merchantId, shipmentId },
      ...{ hash: options.hashOf(token), createdAtMs: nowMs, createdBy: CUSTOMER_WORKFLOW },
      expiresAtMs: nowMs + LINK_HELD_MS,
    })
    return options.publicUrl === null ? null : `${options.publicUrl}/track/${token}`
  })
  await tell(
    context,
    {
      ...{ causeId: context.id, workflowId: context.id, tenantId: context.tenantId },
      ...{ template: customerTemplate, category: CUSTOMER_CATEGORY, severity: 'info' },
      about: { entityType: 'shipment', entityId: shipmentId },
      to: [{ email }],
      values: {
        ...values,
        shipmentId,
        news: newsOf(milestone),
        milestoneAt: typeof asked.milestoneAt === 'string' ? asked.milestoneAt : null,
        trackingUrl,
      },
    },
    options,
  )
  return { outcome: 'told', detail: { milestone } }
}

async function factsOf(
  { tenantId }: WorkflowContext,
  shipmentId: string,
  { database }: CustomerWorkflowOptions,
) {
  const row = await shipmentById(database, { tenantId, shipmentId })
  if (row === undefined) return null
  const isOver = row.outcome !== null
  return {
    merchantId: String(row.merchant_id),
    email: row.customer_email === null ? null : String(row.customer_email),
    customerName: row.customer_name === null ? null : String(row.customer_name),
    expectedAt: !isOver && row.expected_at instanceof Date ? row.expected_at.toISOString() : null,
  }
}
