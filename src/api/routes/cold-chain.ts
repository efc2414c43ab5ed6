// The cold-chain report as JSON and CSV, and the goods profiles that it judges by.

import { type Static, Type } from '@sinclair/typebox'
import type { FastifyInstance, FastifyRequest } from 'fastify'
import { goodsProfileSchema } from '../../domains/cold-chain/profiles.ts'
import { principalOf } from '../access.ts'
import { coldChainReport, type ReadingWatch } from '../cold-chain-report.ts'
import type { ApiContext } from '../context.ts'
import { HttpProblem } from '../problems.ts'
import { reportCsv } from '../report-csv.ts'
import { reportCurves } from '../report-curves.ts'
import { type ReportDocument, reportSchema } from '../report-json.ts'
import { createReportPrinter } from '../report-pdf.ts'
import { listOf, query, range, text } from '../schemas.ts'
import { invalidParameter, rangeOf } from '../validation.ts'

/** Reports from one address. */
const REPORT_LIMIT = { max: 120, timeWindow: '1 minute' }

const reportQuery = query({
  truckId: Type.Optional(text()),
  shipmentId: Type.Optional(text()),
  ...range,
  profile: Type.Optional(text()),
})
type ReportQuery = Static<typeof reportQuery>

const tags = ['cold chain']
const schema = { tags, querystring: reportQuery }
const config = { access: 'read', rateLimit: REPORT_LIMIT } as const

export function coldChainRoutes(app: FastifyInstance, { options, heavyReads }: ApiContext): void {
  const printer = createReportPrinter(options.clock)

  app.get<{ Querystring: ReportQuery }>(
    '/cold-chain/report',
    {
      config,
      schema: {
        ...schema,
        summary: 'What the readings of a truck or shipment prove',
        response: { 200: reportSchema },
      },
    },
    async (request) => heavyReads.run(() => reportFor(options, request)),
  )

  app.get<{ Querystring: ReportQuery }>(
    '/cold-chain/report.csv',
    {
      config,
      schema: {
        ...schema,
        summary: 'The same as CSV',
        produces: ['text/csv'],
        response: { 200: Type.String() },
      },
    },
    async (request, reply) =>
      reply
        .type('text/csv; charset=utf-8')
        .header('content-disposition', 'attachment; filename="cold-chain-report.csv"')
        .send(reportCsv(await heavyReads.run(() => reportFor(options, request)))),
  )

  app.get<{ Querystring: ReportQuery }>(
    '/cold-chain/report.pdf',
    {
      config,
      schema: {
        ...schema,
        summary: 'The same on paper, with a chart: PDF, A4',
        produces: ['application/pdf'],
        response: { 200: Type.String({ format: 'binary' }) },
      },
    },
    async (request, reply) => {
      const pdf = await heavyReads.run(async () => {
        const curves = reportCurves()
        const report = await reportFor(options, request, curves.watch)
        return printer.print({
          report,
          curves: curves.finish(),
          generatedAtMs: options.clock.nowMs(),
          version: options.version,
        })
      })
      return reply
        .type('application/pdf')
        .header('content-disposition', 'attachment; filename="cold-chain-report.pdf"')
        .send(pdf)
    },
  )

  app.get(
    '/profiles',
    {
      config: { access: 'read' },
      schema: {
        tags,
        summary: 'Goods profiles',
        response: { 200: listOf(goodsProfileSchema) },
      },
    },
    async () => ({ items: options.profiles(), next: null }),
  )
}

async function reportFor(
  options: ApiContext['options'],
  request: FastifyRequest<{ Querystring: ReportQuery }>,
  watch?: ReadingWatch,
): Promise<ReportDocument> {
  const { truckId, shipmentId, profile: profileName } = request.query
  if ((truckId === undefined) === (shipmentId === undefined)) {
    throw invalidParameter('truckId', 'either truckId or shipmentId is required, not both')
  }
  const { tenantId } = principalOf(request)
  const range = rangeOf(request.query)
  const report = await coldChainReport(
    options,
    { tenantId, truckId, shipmentId, ...range, profileName },
    watch,
  )
  if (report !== null) return report
  throw new HttpProblem('no-readings', 'There are no readings for it, and no range was given.')
}
