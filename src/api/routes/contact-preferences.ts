// How people want to be written to: their zone, quiet hours, and what they do not want to hear about.

import { type Static, Type } from '@sinclair/typebox'
import type { FastifyInstance } from 'fastify'
import type { SqlRow } from '../../ports/database.ts'
import { isTimeZone } from '../../rules/schedule.ts'
import { principalOf } from '../access.ts'
import { EMAIL } from '../arrival-desk.ts'
import type { ApiContext } from '../context.ts'
import { HttpProblem } from '../problems.ts'
import { instant, listOf, nullable } from '../schemas.ts'
import { isoOf } from '../sql-values.ts'
import { invalidParameter } from '../validation.ts'

/** One list shows no more. */
const MAX_LISTED = 1_000
const MAX_REFUSED = 50

const strict = { additionalProperties: false }
const time = () =>
  Type.String({ pattern: '^([01]\\d|2[0-3]):[0-5]\\d$', expected: 'a time such as 22:00' })
const quietHours = Type.Object({ from: time(), to: time() }, strict)
const parameter = Type.Object({
  address: Type.String({ maxLength: 320, pattern: EMAIL, expected: 'an e-mail address' }),
})
const preference = {
  zone: Type.String({ minLength: 1, maxLength: 100, description: 'As in Africa/Nairobi' }),
  quietHours: nullable(quietHours),
  refused: Type.Array(Type.String({ pattern: '^[a-z][a-z0-9-]{0,99}$', expected: 'a category' }), {
    maxItems: MAX_REFUSED,
    description: 'Categories, such as late-arrival',
  }),
}
const preferenceSchema = Type.Object({
  address: Type.String(),
  ...preference,
  updatedAt: instant('When'),
  updatedBy: Type.String(),
})
const body = Type.Object(preference, strict)
const tags = ['messages']
const COLUMNS = 'address, zone, quiet_from, quiet_to, refused, updated_at, updated_by'

export function contactPreferenceRoutes(app: FastifyInstance, { options }: ApiContext): void {
  const { database } = options
  const config = { access: 'operate' } as const

  app.get(
    '/contact-preferences',
    {
      config: { access: 'read' },
      schema: {
        tags,
        summary: 'How people want to be written to, by address',
        response: { 200: listOf(preferenceSchema) },
      },
    },
    async (request) => {
      const rows = await database.query(
        `select ${COLUMNS} from contact_preference where tenant_id = $1 order by address limit ${MAX_LISTED}`,
        [principalOf(request).tenantId],
      )
      return { items: rows.map(preferenceOf), next: null }
    },
  )

  app.put<{ Params: Static<typeof parameter>; Body: Static<typeof body> }>(
    '/contact-preferences/:address',
    {
      config,
      schema: {
        tags,
        summary: 'Say how somebody wants to be written to; critical messages break the quiet',
        params: parameter,
        body,
        response: { 200: preferenceSchema },
      },
    },
    async (request) => {
      const { zone, quietHours: quiet, refused } = request.body
      if (!isTimeZone(zone)) throw invalidParameter('zone', `"${zone}" is no time zone`)
      if (quiet !== null && quiet.from === quiet.to) {
        throw invalidParameter('quietHours', 'end when they begin: say null for none')
      }
      const { tenantId, name } = principalOf(request)
      const [row] = await database.query(
        `insert into contact_preference (tenant_id, address, zone, quiet_from, quiet_to, refused, updated_by)
         values ($1, $2, $3, $4, $5, $6, $7)
         on conflict (tenant_id, address) do update set zone = excluded.zone, quiet_from = excluded.quiet_from,
           quiet_to = excluded.quiet_to, refused = excluded.refused, updated_at = now(),
           updated_by = excluded.updated_by
         returning ${COLUMNS}`,
        [
          tenantId,
          request.params.address.toLowerCase(),
          zone,
          quiet?.from ?? null,
          quiet?.to ?? null,
          [...new Set(refused)],
          name,
        ],
      )
      if (row === undefined) throw new HttpProblem('internal', 'It was not kept.')
      return preferenceOf(row)
    },
  )

  app.delete<{ Params: Static<typeof parameter> }>(
    '/contact-preferences/:address',
    {
      config,
      schema: {
        tags,
        summary: 'Forget what somebody wanted: they are written to at any time, in UTC',
        params: parameter,
        response: { 204: Type.Null() },
      },
    },
    async (request, reply) => {
      const rows = await database.query(
        'delete from contact_preference where tenant_id = $1 and address = $2 returning address',
        [principalOf(request).tenantId, request.params.address.toLowerCase()],
      )
      if (rows.length > 0) return reply.code(204).send()
      throw new HttpProblem('not-found', 'Nothing is kept of that address.')
    },
  )
}

function preferenceOf(row: SqlRow) {
  const { quiet_from: from, quiet_to: to, refused } = row
  return {
    address: String(row.address),
    zone: String(row.zone),
    quietHours: typeof from === 'string' && typeof to === 'string' ? { from, to } : null,
    refused: Array.isArray(refused) ? refused.map(String) : [],
    updatedAt: isoOf(row.updated_at),
    updatedBy: String(row.updated_by),
  }
}
