// Judges the temperature of one compartment reading by reading: which limits of the goods profile are
// breached, and since when. A reading stands until the next one.

import { copyOver } from '../../kernel/plain-data.ts'
import type { DurationMs, EpochMs } from '../../kernel/time.ts'
import { HOUR_MS } from '../../kernel/time.ts'
import type { Severity } from '../../ports/alert.ts'
import { type GoodsProfile, isBeyond, type Side, type TemperatureLimit } from './profiles.ts'

/** A reading counts towards a cumulative limit for at most so long; what follows is a gap. */
export const LONGEST_STAND_MS: DurationMs = 2 * HOUR_MS

/** Progress towards one limit of the profile. */
export interface LimitProgress {
  /** Since when the temperature is beyond without a break; null while it is not. */
  sinceMs: EpochMs | null
  totalMs: DurationMs
}

/** State of one compartment; plain data. */
export interface CompartmentState {
  readonly zone: string
  profile: string
  shipmentId: string | null
  lastMs: EpochMs
  lastC: number
  limits: LimitProgress[]
}

export interface TemperatureJudgement {
  readonly breached: boolean
  /** Back inside the range by the profile's hysteresis. */
  readonly recovered: boolean
  readonly side: Side | null
  readonly severity: Severity | null
  /** Threshold of the gravest limit breached. */
  readonly limitC: number | null
  /** How far outside the storage range; 0 inside. */
  readonly deviationC: number
}

/** Nothing is known of a temperature, or nobody asks. */
export const UNJUDGED: TemperatureJudgement = {
  breached: false,
  recovered: true,
  side: null,
  severity: null,
  limitC: null,
  deviationC: 0,
}

const GRAVITY: Readonly<Record<Severity, number>> = {
  info: 0,
  warning: 1,
  minor: 2,
  major: 3,
  critical: 4,
}

export function newCompartment(zone: string): CompartmentState {
  return { zone, profile: '', shipmentId: null, lastMs: 0, lastC: Number.NaN, limits: [] }
}

/** `spares`, which nobody needs any more, become the copies. */
export function copyCompartments(
  states: readonly CompartmentState[],
  spares: CompartmentState[],
): CompartmentState[] {
  spares.length = Math.min(spares.length, states.length)
  states.forEach((state, index) => {
    spares[index] = copyCompartment(state, spares[index] ?? null)
  })
  return spares
}

function copyCompartment(
  state: CompartmentState,
  spare: CompartmentState | null,
): CompartmentState {
  const limits = spare?.limits ?? []
  limits.length = Math.min(limits.length, state.limits.length)
  state.limits.forEach((limit, index) => {
    limits[index] = copyOver(limit, limits[index] ?? null)
  })
  const copy = copyOver(state, spare)
  copy.limits = limits
  return copy
}

/** Takes a reading into account, which must not be older than the one before, and judges it. */
export function judgeTemperature(
  state: CompartmentState,
  reading: {
    readonly atMs: EpochMs
    readonly temperatureC: number
    readonly shipmentId: string | null
  },
  profile: GoodsProfile | undefined,
): TemperatureJudgement {
  const name = profile?.name ?? ''
  const otherShipment = reading.shipmentId !== null && reading.shipmentId !== state.shipmentId
  const otherGoods =
    state.profile !== name || state.limits.length !== (profile?.limits.length ?? 0) || otherShipment
  if (otherGoods) {
    state.profile = name
    state.limits = (profile?.limits ?? []).map(() => ({ sinceMs: null, totalMs: 0 }))
  }
  if (otherShipment) state.shipmentId = reading.shipmentId
  const standMs = Number.isNaN(state.lastC)
    ? 0
    : Math.min(LONGEST_STAND_MS, Math.max(0, reading.atMs - state.lastMs))
  state.lastMs = reading.atMs
  state.lastC = reading.temperatureC
  if (profile === undefined) return UNJUDGED
  const { temperatureC } = reading
  let gravest: TemperatureLimit | null = null
  for (let index = 0; index < profile.limits.length; index++) {
    const limit = profile.limits[index]
    const progress = state.limits[index]
    if (limit === undefined || progress === undefined) continue
    if (!follow(progress, limit, reading, standMs)) continue
    if (gravest === null || GRAVITY[limit.severity] > GRAVITY[gravest.severity]) gravest = limit
  }
  const { minC, maxC, hysteresisC } = profile
  return {
    breached: gravest !== null,
    recovered: temperatureC <= maxC - hysteresisC && temperatureC >= minC + hysteresisC,
    side: gravest?.side ?? null,
    severity: gravest?.severity ?? null,
    limitC: gravest?.thresholdC ?? null,
    deviationC: Math.max(0, temperatureC - maxC, minC - temperatureC),
  }
}

/** Moves the progress on; true where the limit is breached at this reading. */
function follow(
  progress: LimitProgress,
  limit: TemperatureLimit,
  reading: { readonly atMs: EpochMs; readonly temperatureC: number },
  standMs: DurationMs,
): boolean {
  if (progress.sinceMs !== null) progress.totalMs += standMs
  const beyond = isBeyond(limit, reading.temperatureC)
  if (!beyond) progress.sinceMs = null
  else progress.sinceMs ??= reading.atMs
  switch (limit.mode) {
    case 'instant':
      return beyond
    case 'consecutive':
      return progress.sinceMs !== null && reading.atMs - progress.sinceMs >= limit.durationMs
    case 'cumulative':
      return beyond && progress.totalMs >= limit.durationMs
  }
}
