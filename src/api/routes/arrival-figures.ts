// What became of journeys, in figures.

import { type Static, Type } from '@sinclair/typebox'
import type { FastifyInstance } from 'fastify'
import { outcomesOf } from '../../domains/arrivals/queries.ts'
import { DAY_MS, toIso } from '../../kernel/time.ts'
import { principalOf } from '../access.ts'
import type { ApiContext } from '../context.ts'
import { nullable, query, range } from '../schemas.ts'
import { rangeOf } from '../validation.ts'

const outcomeQuery = query(range)
const tags = ['arrivals']

export function arrivalFigureRoutes(app: FastifyInstance, { options }: ApiContext): void {
  const { clock, database } = options

  app.get<{ Querystring: Static<typeof outcomeQuery> }>(
    '/arrivals/outcomes',
    {
      config: { access: 'read' },
      schema: {
        tags,
        summary:
          'What became of the journeys that were settled in a range, at the start or before; the last day where none is given',
        querystring: outcomeQuery,
        response: {
          200: Type.Object({
            from: Type.String(),
            to: Type.String(),
            journeys: Type.Integer(),
            byOutcome: Type.Record(Type.String(), Type.Integer()),
            onTimeRate: nullable(
              Type.Number({ description: 'From 0 to 1; canceled ones left out' }),
            ),
          }),
        },
      },
    },
    async (request) => {
      const asked = rangeOf(request.query)
      const toMs = asked.toMs ?? clock.nowMs()
      const fromMs = asked.fromMs ?? toMs - DAY_MS
      const { tenantId } = principalOf(request)
      const rows = await outcomesOf(database, { tenantId, fromMs, toMs })
      const byOutcome = Object.fromEntries(
        rows.map(({ outcome, journeys }) => [String(outcome), Number(journeys)]),
      )
      const journeys = Object.values(byOutcome).reduce((sum, count) => sum + count, 0)
      const counted = journeys - (byOutcome.canceled ?? 0)
      const onTimeRate = counted === 0 ? null : (byOutcome['on-time'] ?? 0) / counted
      return { from: toIso(fromMs), to: toIso(toMs), journeys, byOutcome, onTimeRate }
    },
  )
}
