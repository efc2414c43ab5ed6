// How good past estimates were: each against the arrival that came, by how far ahead it looked.

import type { EpochMs } from '../../kernel/time.ts'
import type { Database, SqlRow } from '../../ports/database.ts'

/** Upper bounds of the horizons, minutes; the last has none. */
export const HORIZONS_MIN = [5, 10, 20, 40, 80] as const
const CLASSES = 10

export interface HorizonScore {
  /** `[fromMin, toMin)` between the estimate and the arrival. */
  readonly fromMin: number
  readonly toMin: number | null
  readonly estimates: number
  readonly journeys: number
  /** Mean of P50 against the arrival, s; positive: people came later than said. */
  readonly meanErrorS: number
  readonly meanAbsoluteErrorS: number
  /** Share of arrivals no later than P50, and P90: 0.5 and 0.9 where the estimates are honest. */
  readonly withinP50: number
  readonly withinP90: number
}

export interface CalibrationClass {
  /** `[from, to)` of the probability that was said. */
  readonly from: number
  readonly to: number
  readonly estimates: number
  readonly meanProbability: number
  /** Share that was late indeed. */
  readonly lateShare: number
}

export interface Accuracy {
  readonly estimates: number
  readonly journeys: number
  readonly horizons: readonly HorizonScore[]
  readonly calibration: readonly CalibrationClass[]
  /** Mean of the squared difference between probability and outcome; null without estimates. */
  readonly brierScore: number | null
}

export interface AccuracyScope {
  readonly tenantId: string
  /** `[fromMs, toMs)` of the estimates. */
  readonly fromMs?: EpochMs | undefined
  readonly toMs?: EpochMs | undefined
}

/** Late is judged by the start that the estimate itself was held against. */
const SCORED = `SELECT estimate.journey_id, late_probability,
    extract(epoch FROM arrived_at - estimate.estimated_at)::float8 / 60 AS ahead_min,
    extract(epoch FROM arrived_at - estimate.eta_p50)::float8 AS error_s,
    arrived_at <= estimate.eta_p50 AS within_p50, arrived_at <= estimate.eta_p90 AS within_p90,
    arrived_at > estimate.starts_at AS late
  FROM eta_estimate AS estimate
    JOIN (SELECT tenant_id, journey_id, arrived_at FROM arrival WHERE arrived_at IS NOT NULL) AS arrival
      USING (tenant_id, journey_id)
  WHERE tenant_id = $1 AND estimate.estimated_at < arrived_at
    AND ($2::timestamptz IS NULL OR estimate.estimated_at >= $2)
    AND ($3::timestamptz IS NULL OR estimate.estimated_at < $3)`

export async function accuracyOf(database: Database, scope: AccuracyScope): Promise<Accuracy> {
  const { tenantId, fromMs, toMs } = scope
  const parameters = [tenantId, dateOf(fromMs), dateOf(toMs)] as const
  const [horizons, classes, whole] = await Promise.all([
    database.query(
      `SELECT width_bucket(ahead_min, ARRAY[${HORIZONS_MIN.join(', ')}]::float8[]) AS horizon,
         count(*)::int AS estimates, count(DISTINCT journey_id)::int AS journeys,
         avg(error_s) AS mean_error_s, avg(abs(error_s)) AS mean_absolute_error_s,
         avg(within_p50::int)::float8 AS within_p50, avg(within_p90::int)::float8 AS within_p90
       FROM (${SCORED}) AS scored GROUP BY horizon ORDER BY horizon`,
      parameters,
    ),
    database.query(
      `SELECT least(${CLASSES - 1}, floor(late_probability * ${CLASSES}))::int AS class,
         count(*)::int AS estimates, avg(late_probability) AS mean_probability,
         avg(late::int)::float8 AS late_share
       FROM (${SCORED}) AS scored GROUP BY class ORDER BY class`,
      parameters,
    ),
    database.query(
      `SELECT count(*)::int AS estimates, count(DISTINCT journey_id)::int AS journeys,
         avg((late_probability - late::int) ^ 2) AS brier FROM (${SCORED}) AS scored`,
      parameters,
    ),
  ])
  const [all] = whole
  return {
    estimates: Number(all?.estimates ?? 0),
    journeys: Number(all?.journeys ?? 0),
    horizons: horizons.map(horizonOf),
    calibration: classes.map(classOf),
    brierScore: all?.brier === null || all === undefined ? null : Number(all.brier),
  }
}

function dateOf(ms: EpochMs | undefined): Date | null {
  return ms === undefined ? null : new Date(ms)
}

function horizonOf(row: SqlRow): HorizonScore {
  const place = Number(row.horizon)
  return {
    fromMin: HORIZONS_MIN[place - 1] ?? 0,
    toMin: HORIZONS_MIN[place] ?? null,
    estimates: Number(row.estimates),
    journeys: Number(row.journeys),
    meanErrorS: Number(row.mean_error_s),
    meanAbsoluteErrorS: Number(row.mean_absolute_error_s),
    withinP50: Number(row.within_p50),
    withinP90: Number(row.within_p90),
  }
}

function classOf(row: SqlRow): CalibrationClass {
  const place = Number(row.class)
  return {
    from: place / CLASSES,
    to: (place + 1) / CLASSES,
    estimates: Number(row.estimates),
    meanProbability: Number(row.mean_probability),
    lateShare: Number(row.late_share),
  }
}
