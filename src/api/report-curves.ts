// The curves that go with a report on paper: one a zone, taken from the same readings in the same pass.

import { type CurveBuilder, curveBuilder } from '../domains/cold-chain/curve.ts'
import type { ReportReading, ReportScope } from '../domains/cold-chain/report.ts'
import { CHART_COLUMNS } from './report-chart.ts'
import type { ZoneCurve } from './report-pages.ts'

export interface ReportCurves {
  /** Takes the readings in order of their time; zones are bounded by the report that sees them first. */
  readonly watch: (scope: ReportScope) => (reading: ReportReading) => void
  /** In the order in which the zones appeared; an empty one where there were no readings. */
  finish(): readonly ZoneCurve[]
}

export function reportCurves(): ReportCurves {
  const builders = new Map<string | null, CurveBuilder>()
  let judged: ReportScope | undefined
  const start = (scope: ReportScope, zone: string | null): CurveBuilder => {
    const builder = curveBuilder({ ...scope, columns: CHART_COLUMNS })
    builders.set(zone, builder)
    return builder
  }
  return {
    watch(scope) {
      judged = scope
      return ({ zone, recordedAtMs, temperatureC }) => {
        const builder = builders.get(zone) ?? start(scope, zone)
        builder.add(recordedAtMs, temperatureC)
      }
    },
    finish() {
      if (builders.size === 0 && judged !== undefined) start(judged, null)
      return [...builders].map(([zone, builder]) => ({ zone, curve: builder.finish() }))
    },
  }
}
