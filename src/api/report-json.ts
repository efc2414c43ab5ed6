// The cold-chain report as it goes over HTTP.

import { Type } from '@sinclair/typebox'
import { goodsProfileSchema, temperatureLimitSchema } from '../domains/cold-chain/profiles.ts'
import type { ColdChainReport } from '../domains/cold-chain/report.ts'
import { nullable } from './schemas.ts'

export interface ReportDocument extends ColdChainReport {
  readonly truckId: string | null
  readonly shipmentId: string | null
  /** Readings that prove nothing: repeats, and those whose clock ran ahead. */
  readonly excluded: { readonly duplicate: number; readonly future: number }
}

const zone = nullable(Type.String())
const { side, mode, severity } = temperatureLimitSchema.properties

export const reportSchema = Type.Object({
  truckId: nullable(Type.String()),
  shipmentId: nullable(Type.String()),
  from: Type.String(),
  to: Type.String(),
  profile: goodsProfileSchema,
  readings: Type.Integer(),
  readingsAbove: Type.Integer(),
  readingsBelow: Type.Integer(),
  excluded: Type.Object({ duplicate: Type.Integer(), future: Type.Integer() }),
  coveragePercent: Type.Number({ description: 'Of the zone that is covered least' }),
  gapLimitS: Type.Number({ description: 'A reading stands no longer than this' }),
  gaps: Type.Array(
    Type.Object({
      startsAt: Type.String(),
      endsAt: Type.String(),
      durationS: Type.Number(),
      zone,
    }),
  ),
  gapCount: Type.Integer(),
  minimumC: nullable(Type.Number()),
  maximumC: nullable(Type.Number()),
  meanC: nullable(Type.Number({ description: 'Weighted by time; of the warmest zone' })),
  meanKineticTemperatureC: nullable(Type.Number()),
  mkt: nullable(
    Type.Object({
      windowS: Type.Number(),
      maxC: Type.Number(),
      worstC: Type.Number(),
      windowComplete: Type.Boolean(),
      passed: Type.Boolean(),
    }),
  ),
  excursions: Type.Array(
    Type.Object({
      startsAt: Type.String(),
      endsAt: nullable(Type.String()),
      durationS: Type.Number(),
      side,
      maximumC: Type.Optional(Type.Number()),
      minimumC: Type.Optional(Type.Number()),
      readings: Type.Integer(),
      zone,
    }),
  ),
  excursionCount: Type.Integer(),
  breaches: Type.Array(
    Type.Object({
      side,
      thresholdC: Type.Number(),
      inclusive: Type.Boolean(),
      mode,
      limitS: Type.Number(),
      reachedS: Type.Number(),
      at: Type.String(),
      severity,
      zone,
      excused: Type.Boolean(),
    }),
  ),
  zones: Type.Array(
    Type.Object({
      zone,
      readings: Type.Integer(),
      coveragePercent: Type.Number(),
      minimumC: Type.Number(),
      maximumC: Type.Number(),
      meanKineticTemperatureC: Type.Number(),
    }),
  ),
  verdict: Type.Union([
    Type.Literal('conformant'),
    Type.Literal('excursion-within-allowance'),
    Type.Literal('non-conformant'),
    Type.Literal('insufficient-data'),
  ]),
  reasons: Type.Array(Type.String()),
})
