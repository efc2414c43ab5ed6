// The cold-chain report for a spreadsheet: the findings one a line, then excursions, breaches and gaps.

import { csvLine } from './csv.ts'
import type { ReportDocument } from './report-json.ts'

export function reportCsv(report: ReportDocument): string {
  return [findings(report), excursions(report), breaches(report), gaps(report)].join('\r\n')
}

function findings(report: ReportDocument): string {
  const { profile, mkt } = report
  return table(
    ['finding', 'value'],
    [
      ['truckId', report.truckId],
      ['shipmentId', report.shipmentId],
      ['from', report.from],
      ['to', report.to],
      ['profile', profile.name],
      ['profileTitle', profile.title],
      ['verdict', report.verdict],
      ['reasons', report.reasons.join(' ')],
      ['readings', report.readings],
      ['readingsAbove', report.readingsAbove],
      ['readingsBelow', report.readingsBelow],
      ['excludedDuplicate', report.excluded.duplicate],
      ['excludedFuture', report.excluded.future],
      ['coveragePercent', report.coveragePercent],
      ['gapLimitS', report.gapLimitS],
      ['gapCount', report.gapCount],
      ['minimumC', report.minimumC],
      ['maximumC', report.maximumC],
      ['meanC', report.meanC],
      ['meanKineticTemperatureC', report.meanKineticTemperatureC],
      ['mktWorstC', mkt?.worstC],
      ['mktMaxC', mkt?.maxC],
      ['excursionCount', report.excursionCount],
    ],
  )
}

function excursions(report: ReportDocument): string {
  return table(
    ['excursionStartsAt', 'endsAt', 'durationS', 'side', 'worstC', 'readings', 'zone'],
    report.excursions.map((found) => [
      found.startsAt,
      found.endsAt,
      found.durationS,
      found.side,
      found.maximumC ?? found.minimumC,
      found.readings,
      found.zone,
    ]),
  )
}

function breaches(report: ReportDocument): string {
  return table(
    ['breachAt', 'side', 'thresholdC', 'mode', 'limitS', 'reachedS', 'severity', 'zone', 'excused'],
    report.breaches.map((found) => [
      found.at,
      found.side,
      found.thresholdC,
      found.mode,
      found.limitS,
      found.reachedS,
      found.severity,
      found.zone,
      found.excused,
    ]),
  )
}

function gaps(report: ReportDocument): string {
  return table(
    ['gapStartsAt', 'endsAt', 'durationS', 'zone'],
    report.gaps.map((gap) => [gap.startsAt, gap.endsAt, gap.durationS, gap.zone]),
  )
}

function table(head: readonly string[], rows: readonly (readonly unknown[])[]): string {
  return csvLine(head) + rows.map(csvLine).join('')
}
