// The cold-chain report: what a stretch of readings proves about the goods. Pure, and in constant memory
// but for the lists of excursions and gaps, so that a year streams through it as well as a day.
//
//   reading ──► zone: stands until the next one, no longer than the gap limit ──► coverage, means
//                 ├──► excursion: first reading outside ──► first reading back inside, half-open
//                 └──► limits: instant, consecutive, cumulative

import { assert } from '../../kernel/errors.ts'
import {
  type DurationMs,
  type EpochMs,
  HOUR_MS,
  MINUTE_MS,
  SECOND_MS,
  toIso,
} from '../../kernel/time.ts'
import type { GoodsProfile, Side, TemperatureLimit } from './profiles.ts'
import { judge, type Verdict } from './verdict.ts'
import { ZoneLedger } from './zone-ledger.ts'

/** A reading stands for this many usual intervals, and no longer. */
export const GAP_INTERVALS = 3
export const MIN_GAP_LIMIT_MS = 5 * MINUTE_MS
export const MAX_GAP_LIMIT_MS = 2 * HOUR_MS
/** Where there are too few readings to know their interval. */
const GAP_LIMIT_WITHOUT_INTERVAL_MS = 15 * MINUTE_MS
/** Excursions and gaps listed; further ones are counted and judged, not listed. */
export const MAX_LISTED = 1_000
/** Compartments of one box. */
export const MAX_ZONES = 32

export interface ReportReading {
  readonly recordedAtMs: EpochMs
  readonly temperatureC: number
  readonly zone: string | null
}

export interface ReportScope {
  readonly profile: GoodsProfile
  /** `[fromMs, toMs)`. */
  readonly fromMs: EpochMs
  readonly toMs: EpochMs
  readonly gapLimitMs: DurationMs
}

export interface Gap {
  readonly startsAt: string
  readonly endsAt: string
  readonly durationS: number
  readonly zone: string | null
}

export interface Excursion {
  readonly startsAt: string
  /** Null where it had not ended by the end of the range. */
  readonly endsAt: string | null
  readonly durationS: number
  readonly side: Side
  readonly maximumC?: number
  readonly minimumC?: number
  readonly readings: number
  readonly zone: string | null
}

export interface Breach {
  readonly side: Side
  readonly thresholdC: number
  readonly inclusive: boolean
  readonly mode: TemperatureLimit['mode']
  /** What the limit allows, and what was reached: of a cumulative limit in total, else the longest run. */
  readonly limitS: number
  readonly reachedS: number
  /** When the limit was reached. */
  readonly at: string
  readonly severity: TemperatureLimit['severity']
  readonly zone: string | null
  /** The profile's allowance for excursions covers it. */
  readonly excused: boolean
}

export interface ZoneSummary {
  readonly zone: string | null
  readonly readings: number
  readonly coveragePercent: number
  readonly minimumC: number
  readonly maximumC: number
  readonly meanKineticTemperatureC: number
}

export interface MktFinding {
  readonly windowS: number
  readonly maxC: number
  /** Highest mean kinetic temperature of any window in the range. */
  readonly worstC: number
  /** False where the range is shorter than one window. */
  readonly windowComplete: boolean
  readonly passed: boolean
}

export interface ColdChainReport {
  readonly from: string
  readonly to: string
  readonly profile: GoodsProfile
  readonly readings: number
  readonly readingsAbove: number
  readonly readingsBelow: number
  /** Of the zone that is covered least. */
  readonly coveragePercent: number
  readonly gapLimitS: number
  readonly gaps: readonly Gap[]
  readonly gapCount: number
  readonly minimumC: number | null
  readonly maximumC: number | null
  /** Weighted by the time that each reading stands for; of the warmest zone. */
  readonly meanC: number | null
  readonly meanKineticTemperatureC: number | null
  readonly mkt: MktFinding | null
  readonly excursions: readonly Excursion[]
  readonly excursionCount: number
  readonly breaches: readonly Breach[]
  readonly zones: readonly ZoneSummary[]
  readonly verdict: Verdict
  readonly reasons: readonly string[]
}

/** How long a reading may stand, from the usual interval between readings. */
export function gapLimitMs(
  profile: Pick<GoodsProfile, 'nominalIntervalMs'>,
  medianIntervalMs: DurationMs | undefined,
): number {
  const intervalMs = profile.nominalIntervalMs ?? medianIntervalMs
  if (intervalMs === undefined) return GAP_LIMIT_WITHOUT_INTERVAL_MS
  return Math.min(MAX_GAP_LIMIT_MS, Math.max(MIN_GAP_LIMIT_MS, GAP_INTERVALS * intervalMs))
}

/** The lower median of the intervals between the readings of each zone; undefined below two readings. */
export function medianIntervalMs(readings: readonly ReportReading[]): DurationMs | undefined {
  const before = new Map<string | null, EpochMs>()
  const intervals: DurationMs[] = []
  for (const { zone, recordedAtMs } of readings) {
    const previousMs = before.get(zone)
    if (previousMs !== undefined) intervals.push(recordedAtMs - previousMs)
    before.set(zone, recordedAtMs)
  }
  return intervals.sort((a, b) => a - b)[Math.floor((intervals.length - 1) / 2)]
}

export interface ReportBuilder {
  /** Readings inside the range, in order of their time. */
  add(reading: ReportReading): void
  finish(): ColdChainReport
}

export function reportBuilder(scope: ReportScope): ReportBuilder {
  const zones = new Map<string | null, ZoneLedger>()
  let newestMs = Number.NEGATIVE_INFINITY
  return {
    add(reading) {
      const { recordedAtMs, zone } = reading
      assert(recordedAtMs >= newestMs, 'A report needs its readings in order of time.')
      assert(
        recordedAtMs >= scope.fromMs && recordedAtMs < scope.toMs,
        'A reading is out of range.',
      )
      newestMs = recordedAtMs
      let ledger = zones.get(zone)
      if (ledger === undefined) {
        assert(zones.size < MAX_ZONES, `A report takes at most ${MAX_ZONES} zones.`)
        ledger = new ZoneLedger(zone, scope)
        zones.set(zone, ledger)
      }
      ledger.add(recordedAtMs, reading.temperatureC)
    },
    finish() {
      const ledgers = [...zones.values()]
      for (const ledger of ledgers) ledger.finish()
      return assemble(scope, ledgers)
    },
  }
}

/** The report of readings at hand. Without a range it goes from the first reading to the last, included. */
export function coldChainReport(
  readings: readonly ReportReading[],
  options: {
    readonly profile: GoodsProfile
    readonly fromMs?: EpochMs | undefined
    readonly toMs?: EpochMs | undefined
  },
): ColdChainReport {
  const { profile } = options
  const fromMs = options.fromMs ?? readings[0]?.recordedAtMs ?? 0
  const toMs = options.toMs ?? (readings.at(-1)?.recordedAtMs ?? 0) + 1
  const limitMs = gapLimitMs(profile, medianIntervalMs(readings))
  const builder = reportBuilder({ profile, fromMs, toMs, gapLimitMs: limitMs })
  for (const reading of readings) builder.add(reading)
  return builder.finish()
}

function assemble(scope: ReportScope, ledgers: readonly ZoneLedger[]): ColdChainReport {
  const { profile, fromMs, toMs } = scope
  const spanMs = toMs - fromMs
  const total = (count: (ledger: ZoneLedger) => number): number =>
    ledgers.reduce((sum, ledger) => sum + count(ledger), 0)
  const highest = (value: (ledger: ZoneLedger) => number): number | null =>
    ledgers.length === 0 ? null : Math.max(...ledgers.map(value))
  const lowest = (value: (ledger: ZoneLedger) => number): number | null =>
    ledgers.length === 0 ? null : Math.min(...ledgers.map(value))
  const coverage = (ledger: ZoneLedger): number => percent(ledger.coveredMs, spanMs)
  const byStart = <T extends { readonly startsAt: string }>(a: T, b: T): number =>
    a.startsAt.localeCompare(b.startsAt)

  const mkt = mktFinding(scope, ledgers)
  const coveragePercent = lowest(coverage) ?? 0
  const judgement = judge({
    profile,
    mkt,
    coveragePercent,
    readings: total((ledger) => ledger.readings),
    zones: ledgers,
  })
  return {
    from: toIso(fromMs),
    to: toIso(toMs),
    profile,
    readings: total((ledger) => ledger.readings),
    readingsAbove: total((ledger) => ledger.readingsAbove),
    readingsBelow: total((ledger) => ledger.readingsBelow),
    coveragePercent,
    gapLimitS: Math.round(scope.gapLimitMs / SECOND_MS),
    gaps: ledgers
      .flatMap((ledger) => ledger.gaps)
      .sort(byStart)
      .slice(0, MAX_LISTED),
    gapCount: ledgers.length === 0 ? 1 : total((ledger) => ledger.gapCount),
    minimumC: lowest((ledger) => ledger.minimumC),
    maximumC: highest((ledger) => ledger.maximumC),
    meanC: round(highest((ledger) => ledger.meanC)),
    meanKineticTemperatureC: round(highest((ledger) => ledger.meanKineticTemperatureC)),
    mkt,
    excursions: ledgers
      .flatMap((ledger) => ledger.excursions)
      .sort(byStart)
      .slice(0, MAX_LISTED),
    excursionCount: total((ledger) => ledger.excursionCount),
    breaches: judgement.breaches,
    zones: ledgers.map((ledger) => ({
      zone: ledger.zone,
      readings: ledger.readings,
      coveragePercent: coverage(ledger),
      minimumC: ledger.minimumC,
      maximumC: ledger.maximumC,
      meanKineticTemperatureC: round(ledger.meanKineticTemperatureC) ?? 0,
    })),
    verdict: judgement.verdict,
    reasons: judgement.reasons,
  }
}

function mktFinding(scope: ReportScope, ledgers: readonly ZoneLedger[]): MktFinding | null {
  const { mkt } = scope.profile
  if (mkt === undefined || ledgers.length === 0) return null
  const worstC = Math.max(...ledgers.map((ledger) => ledger.worstWindowC))
  return {
    windowS: Math.round(mkt.windowMs / SECOND_MS),
    maxC: mkt.maxC,
    worstC: round(worstC) ?? worstC,
    windowComplete: scope.toMs - scope.fromMs >= mkt.windowMs,
    passed: worstC <= mkt.maxC,
  }
}

/** One decimal, and never 100 where something is missing. */
function percent(partMs: DurationMs, wholeMs: DurationMs): number {
  if (wholeMs <= 0) return 0
  return Math.floor(Math.min(1, partMs / wholeMs) * 1_000) / 10
}

/** Means to four decimals: further ones are noise of the arithmetic. */
function round(value: number | null): number | null {
  return value === null ? null : Math.round(value * 10_000) / 10_000
}
