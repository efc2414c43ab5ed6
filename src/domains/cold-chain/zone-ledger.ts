// What the readings of one zone add up to: time covered, means, excursions, limits. One pass, in order.

import { type DurationMs, type EpochMs, SECOND_MS, toIso } from '../../kernel/time.ts'
import { meanOf, WorstWindow } from './mean-kinetic-temperature.ts'
import { isBeyond, type Side, sideOutside, type TemperatureLimit } from './profiles.ts'
import { type Excursion, type Gap, MAX_LISTED, type ReportScope } from './report.ts'

interface OpenExcursion {
  readonly side: Side
  readonly startMs: EpochMs
  worstC: number
  readings: number
}

export class ZoneLedger {
  readonly zone: string | null
  readonly limits: readonly LimitLedger[]
  readonly gaps: Gap[] = []
  readonly excursions: Excursion[] = []
  gapCount = 0
  excursionCount = 0
  readings = 0
  readingsAbove = 0
  readingsBelow = 0
  coveredMs: DurationMs = 0
  minimumC = Number.POSITIVE_INFINITY
  maximumC = Number.NEGATIVE_INFINITY
  longestAboveMs: DurationMs = 0
  longestBelowMs: DurationMs = 0

  readonly #scope: ReportScope
  readonly #worstWindow: WorstWindow | undefined
  readonly #means = meanOf()
  #last: { readonly atMs: EpochMs; readonly temperatureC: number } | undefined
  #excursion: OpenExcursion | undefined

  constructor(zone: string | null, scope: ReportScope) {
    this.zone = zone
    this.#scope = scope
    this.limits = scope.profile.limits.map((limit) => new LimitLedger(limit))
    const windowMs = scope.profile.mkt?.windowMs
    this.#worstWindow = windowMs === undefined ? undefined : new WorstWindow(scope.fromMs, windowMs)
  }

  add(atMs: EpochMs, temperatureC: number): void {
    this.#settleUntil(atMs)
    this.#last = { atMs, temperatureC }
    this.readings += 1
    this.minimumC = Math.min(this.minimumC, temperatureC)
    this.maximumC = Math.max(this.maximumC, temperatureC)
    for (const limit of this.limits) limit.onReading(atMs, temperatureC)
    this.#onSide(sideOutside(this.#scope.profile, temperatureC), atMs, temperatureC)
  }

  /** Call once, after the last reading. */
  finish(): void {
    const { toMs, gapLimitMs } = this.#scope
    const coveredUntilMs = Math.min(toMs, (this.#last?.atMs ?? 0) + gapLimitMs)
    this.#settleUntil(toMs)
    for (const limit of this.limits) limit.onEnd(coveredUntilMs)
    this.#closeExcursion(coveredUntilMs, null)
  }

  get meanC(): number {
    return this.#means.meanC() ?? this.minimumC
  }

  get meanKineticTemperatureC(): number {
    return this.#means.kineticC() ?? this.minimumC
  }

  /** Highest mean kinetic temperature of any window; minus infinity where the profile asks for none. */
  get worstWindowC(): number {
    return this.#worstWindow?.worstC() ?? Number.NEGATIVE_INFINITY
  }

  /** The last reading stands until `atMs`, or until the gap limit and then nothing is known. */
  #settleUntil(atMs: EpochMs): void {
    const { fromMs, gapLimitMs } = this.#scope
    const last = this.#last
    if (last === undefined) {
      if (atMs - fromMs > gapLimitMs) this.#addGap(fromMs, atMs)
      return
    }
    const untilMs = Math.min(atMs, last.atMs + gapLimitMs)
    this.coveredMs += untilMs - last.atMs
    this.#means.add(last.temperatureC, untilMs - last.atMs)
    this.#worstWindow?.add(last.temperatureC, last.atMs, untilMs)
    if (untilMs < atMs) this.#addGap(untilMs, atMs)
  }

  #addGap(startMs: EpochMs, endMs: EpochMs): void {
    this.gapCount += 1
    if (this.gaps.length >= MAX_LISTED) return
    this.gaps.push({
      startsAt: toIso(startMs),
      endsAt: toIso(endMs),
      durationS: (endMs - startMs) / SECOND_MS,
      zone: this.zone,
    })
  }

  #onSide(side: Side | undefined, atMs: EpochMs, temperatureC: number): void {
    if (side === 'above') this.readingsAbove += 1
    if (side === 'below') this.readingsBelow += 1
    if (this.#excursion !== undefined && this.#excursion.side !== side) {
      this.#closeExcursion(atMs, atMs)
    }
    if (side === undefined) return
    this.#excursion ??= { side, startMs: atMs, worstC: temperatureC, readings: 0 }
    this.#excursion.readings += 1
    const worse = side === 'above' ? Math.max : Math.min
    this.#excursion.worstC = worse(this.#excursion.worstC, temperatureC)
  }

  #closeExcursion(untilMs: EpochMs, endsAtMs: EpochMs | null): void {
    const open = this.#excursion
    if (open === undefined) return
    this.#excursion = undefined
    this.excursionCount += 1
    const durationMs = untilMs - open.startMs
    if (open.side === 'above') this.longestAboveMs = Math.max(this.longestAboveMs, durationMs)
    else this.longestBelowMs = Math.max(this.longestBelowMs, durationMs)
    if (this.excursions.length >= MAX_LISTED) return
    this.excursions.push({
      startsAt: toIso(open.startMs),
      endsAt: endsAtMs === null ? null : toIso(endsAtMs),
      durationS: durationMs / SECOND_MS,
      side: open.side,
      ...(open.side === 'above' ? { maximumC: open.worstC } : { minimumC: open.worstC }),
      readings: open.readings,
      zone: this.zone,
    })
  }
}

/**
 * Time beyond one limit. A run goes from its first reading beyond to the first reading that is not, gaps
 * included: what was not measured inside it counts against the goods.
 */
export class LimitLedger {
  readonly limit: TemperatureLimit
  /** When the limit was reached. */
  reachedAtMs: EpochMs | undefined
  #runStartMs: EpochMs | undefined
  #totalMs: DurationMs = 0
  #longestMs: DurationMs = 0

  constructor(limit: TemperatureLimit) {
    this.limit = limit
  }

  /** Of a cumulative limit the total, else the longest run. */
  get reachedMs(): DurationMs {
    return this.limit.mode === 'cumulative' ? this.#totalMs : this.#longestMs
  }

  onReading(atMs: EpochMs, temperatureC: number): void {
    const beyond = isBeyond(this.limit, temperatureC)
    if (this.#runStartMs === undefined && beyond) this.#runStartMs = atMs
    this.#judge(atMs)
    if (!beyond) this.#endRun(atMs)
  }

  onEnd(atMs: EpochMs): void {
    this.#judge(atMs)
    this.#endRun(atMs)
  }

  #judge(atMs: EpochMs): void {
    if (this.#runStartMs === undefined || this.reachedAtMs !== undefined) return
    const before = this.limit.mode === 'cumulative' ? this.#totalMs : 0
    const overMs = before + (atMs - this.#runStartMs) - this.limit.durationMs
    if (overMs >= 0) this.reachedAtMs = atMs - overMs
    if (this.limit.mode === 'instant') this.reachedAtMs = this.#runStartMs
  }

  #endRun(atMs: EpochMs): void {
    if (this.#runStartMs === undefined) return
    const runMs = atMs - this.#runStartMs
    this.#totalMs += runMs
    this.#longestMs = Math.max(this.#longestMs, runMs)
    this.#runStartMs = undefined
  }
}
