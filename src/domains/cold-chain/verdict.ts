// From findings to a verdict, with its reasons in words. Doubt is never decided in favour of the goods.

import { type DurationMs, HOUR_MS, MINUTE_MS, SECOND_MS, toIso } from '../../kernel/time.ts'
import type { GoodsProfile, Side, TemperatureLimit } from './profiles.ts'
import type { Breach, MktFinding } from './report.ts'
import type { LimitLedger, ZoneLedger } from './zone-ledger.ts'

/** Below this share of the time covered, good readings prove nothing. */
export const MIN_COVERAGE_PERCENT = 80

export type Verdict =
  | 'conformant'
  | 'excursion-within-allowance'
  | 'non-conformant'
  | 'insufficient-data'

export interface Findings {
  readonly profile: GoodsProfile
  readonly mkt: MktFinding | null
  readonly coveragePercent: number
  readonly readings: number
  readonly zones: readonly ZoneLedger[]
}

export interface Judgement {
  readonly verdict: Verdict
  readonly reasons: readonly string[]
  readonly breaches: readonly Breach[]
}

/**
 * Non-conformant where a limit is broken that no allowance covers, or an allowance is exceeded. The mean
 * kinetic temperature can only add a fault: an excursion below is never excused by it, only by the lower
 * end of the permitted range.
 */
export function judge(findings: Findings): Judgement {
  const { profile, zones, coveragePercent, readings, mkt } = findings
  const allowance = allowanceFaults(findings)
  const breaches = zones.flatMap((zone) =>
    zone.limits.flatMap((limit) => breachOf(limit, zone, profile, allowance.length === 0)),
  )
  const unexcused = breaches.filter((breach) => !breach.excused).map(describeBreach)
  const faults = [...new Set([...allowance, ...unexcused, ...unlimited(profile, zones)])]
  if (faults.length > 0) return { verdict: 'non-conformant', reasons: faults, breaches }
  if (readings === 0) {
    const reasons = ['There are no readings in the range.']
    return { verdict: 'insufficient-data', reasons, breaches }
  }
  if (coveragePercent < MIN_COVERAGE_PERCENT) {
    const reason = `Readings cover ${coveragePercent} % of the time; ${MIN_COVERAGE_PERCENT} % is needed.`
    return { verdict: 'insufficient-data', reasons: [reason], breaches }
  }
  const excursions = zones.reduce((sum, zone) => sum + zone.excursionCount, 0)
  if (excursions > 0) {
    const found = excursions === 1 ? 'One excursion' : `${excursions} excursions, all`
    const reasons = [`${found} within what the profile allows.`]
    if (mkt !== null) {
      reasons.push(`The mean kinetic temperature of ${mkt.worstC} °C stays within ${mkt.maxC} °C.`)
    }
    return { verdict: 'excursion-within-allowance', reasons, breaches }
  }
  const reasons = [`Every reading lies within ${profile.minC} to ${profile.maxC} °C.`]
  return { verdict: 'conformant', reasons, breaches }
}

function allowanceFaults({ profile, zones, mkt }: Findings): readonly string[] {
  const faults: string[] = []
  if (mkt !== null && !mkt.passed) {
    faults.push(`The mean kinetic temperature reached ${mkt.worstC} °C; ${mkt.maxC} °C is allowed.`)
  }
  const { permitted } = profile
  if (permitted === undefined) return faults
  for (const zone of zones) {
    if (zone.maximumC > permitted.maxC) {
      faults.push(
        `${thousandths(zone.maximumC)} °C is above the ${permitted.maxC} °C that an excursion may reach.`,
      )
    }
    if (zone.minimumC < permitted.minC) {
      faults.push(
        `${thousandths(zone.minimumC)} °C is below the ${permitted.minC} °C that an excursion may reach.`,
      )
    }
    const longestMs = Math.max(zone.longestAboveMs, zone.longestBelowMs)
    if (longestMs > permitted.durationMs) {
      const allowed = inWords(permitted.durationMs)
      faults.push(`An excursion lasted ${inWords(longestMs)}; ${allowed} is allowed.`)
    }
  }
  return faults
}

/** Excursions on a side for which the profile knows no limit and no allowance at all. */
function unlimited(profile: GoodsProfile, zones: readonly ZoneLedger[]): readonly string[] {
  if (profile.permitted !== undefined) return []
  const knows = (side: Side): boolean => profile.limits.some((limit) => limit.side === side)
  return zones.flatMap((zone) => [
    ...(zone.readingsAbove > 0 && !knows('above')
      ? [`${thousandths(zone.maximumC)} °C is above ${profile.maxC} °C.`]
      : []),
    ...(zone.readingsBelow > 0 && !knows('below')
      ? [`${thousandths(zone.minimumC)} °C is below ${profile.minC} °C.`]
      : []),
  ])
}

function breachOf(
  ledger: LimitLedger,
  zone: ZoneLedger,
  profile: GoodsProfile,
  allowanceHolds: boolean,
): readonly Breach[] {
  const { limit, reachedAtMs, reachedMs } = ledger
  if (reachedAtMs === undefined) return []
  return [
    {
      side: limit.side,
      thresholdC: limit.thresholdC,
      inclusive: limit.inclusive,
      mode: limit.mode,
      limitS: limit.durationMs / SECOND_MS,
      reachedS: reachedMs / SECOND_MS,
      at: toIso(reachedAtMs),
      severity: limit.severity,
      zone: zone.zone,
      excused: allowanceHolds && isInsidePermitted(limit, profile),
    },
  ]
}

function isInsidePermitted(limit: TemperatureLimit, { permitted }: GoodsProfile): boolean {
  if (permitted === undefined) return false
  return limit.side === 'above'
    ? limit.thresholdC < permitted.maxC
    : limit.thresholdC > permitted.minC
}

function describeBreach(breach: Breach): string {
  const beyond = breach.inclusive ? `${breach.side} or at` : breach.side
  const zone = breach.zone === null ? '' : ` in zone "${breach.zone}"`
  const where = `${beyond} ${breach.thresholdC} °C${zone}`
  const reached = inWords(breach.reachedS * SECOND_MS)
  const limit = inWords(breach.limitS * SECOND_MS)
  switch (breach.mode) {
    case 'instant':
      return `The temperature was ${where} for ${reached}; no time is allowed.`
    case 'consecutive':
      return `The temperature was ${where} for ${reached} running; less than ${limit} is allowed.`
    case 'cumulative':
      return `The temperature was ${where} for ${reached} in total; less than ${limit} is allowed.`
  }
}

function inWords(durationMs: DurationMs): string {
  if (durationMs >= HOUR_MS) return `${tenths(durationMs / HOUR_MS)} h`
  if (durationMs >= MINUTE_MS) return `${tenths(durationMs / MINUTE_MS)} min`
  return `${tenths(durationMs / SECOND_MS)} s`
}

/** Sensors know no more, but a number on its way here may say so. */
function thousandths(value: number): number {
  return Math.round(value * 1_000) / 1_000
}

function tenths(value: number): number {
  return Math.round(value * 10) / 10
}
