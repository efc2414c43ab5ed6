// What is odd about a trip, as far as the trip alone tells: its times, its speed, its fare.

import { HOUR_MS, MINUTE_MS } from '../../kernel/time.ts'
import type { TripState } from './trip.ts'

export const ANOMALIES = [
  'dropoff-before-pickup',
  'no-duration',
  'impossible-speed',
  'fare-far-off',
] as const
export type Anomaly = (typeof ANOMALIES)[number]

/** No ride is faster on average. */
export const IMPOSSIBLE_SPEED_KMH = 200
/** A fare is far off where it is so many times the usual one, or less than that part of it. */
export const FARE_FACTOR = 5
/** Table of what a ride costs, by currency; a trip in another currency is not judged by its fare. */
export const TARIFF_TABLE = 'trip-tariffs'

export interface Tariff {
  readonly base: number
  readonly perKm: number
  readonly perMinute: number
}

export type Tariffs = Readonly<Record<string, Tariff>>

/** Rough ones: they tell ten times too much from a little, no more. */
export const builtInTariffs: Tariffs = {
  EUR: { base: 4, perKm: 2, perMinute: 0.5 },
  GBP: { base: 4, perKm: 2, perMinute: 0.4 },
  KES: { base: 150, perKm: 50, perMinute: 4 },
  USD: { base: 3, perKm: 1.9, perMinute: 0.7 },
}

export interface TripJudgement {
  readonly anomalies: readonly Anomaly[]
  readonly durationS: number | null
  /** On average; null where the trip took no time or its length is not known. */
  readonly speedKmh: number | null
  readonly usualFare: number | null
}

export function judgeTrip(trip: TripState, tariffs: Tariffs): TripJudgement {
  const durationMs = trip.dropoffAtMs === null ? null : trip.dropoffAtMs - trip.pickupAtMs
  const lasted = durationMs !== null && durationMs > 0
  const speedKmh =
    lasted && trip.distanceKm !== null ? trip.distanceKm / (durationMs / HOUR_MS) : null
  const tariff = trip.currency === null ? undefined : tariffs[trip.currency]
  const usualFare =
    lasted && trip.distanceKm !== null && tariff !== undefined
      ? tariff.base + tariff.perKm * trip.distanceKm + tariff.perMinute * (durationMs / MINUTE_MS)
      : null
  const anomalies: Anomaly[] = []
  const backwards = durationMs !== null && durationMs < 0
  if (backwards || trip.dropoffClockBeforePickup) anomalies.push('dropoff-before-pickup')
  if (durationMs === 0 && trip.status === 'completed') anomalies.push('no-duration')
  if (speedKmh !== null && speedKmh > IMPOSSIBLE_SPEED_KMH) anomalies.push('impossible-speed')
  if (isFarOff(trip, usualFare)) anomalies.push('fare-far-off')
  return {
    anomalies,
    durationS: durationMs === null ? null : Math.round(durationMs / 1_000),
    speedKmh: speedKmh === null ? null : Math.round(speedKmh * 10) / 10,
    usualFare: usualFare === null ? null : Math.round(usualFare * 100) / 100,
  }
}

/** A negative fare takes another one back, and one of nothing was waived: neither is judged. */
function isFarOff({ status, fare }: TripState, usualFare: number | null): boolean {
  const amount = fare === null ? 0 : Number(fare)
  if (status !== 'completed' || usualFare === null || amount <= 0) return false
  return amount > FARE_FACTOR * usualFare || amount < usualFare / FARE_FACTOR
}

/** Says what is wrong with the operator's tariffs, or nothing. */
export function checkTariffs(content: unknown): string | undefined {
  if (typeof content !== 'object' || content === null || Array.isArray(content)) {
    return 'must be an object of tariffs by currency'
  }
  for (const [currency, tariff] of Object.entries(content)) {
    if (!isTariff(tariff)) {
      return `${currency}: must have base, perKm and perMinute, numbers from 0`
    }
  }
  return undefined
}

const tariffsByContent = new WeakMap<object, Tariffs>()

/** Built-in tariffs with the operator's put over them. */
export function tariffsOf(content: unknown): Tariffs {
  if (typeof content !== 'object' || content === null) return builtInTariffs
  let tariffs = tariffsByContent.get(content)
  if (tariffs === undefined) {
    const own = Object.entries(content).filter(([, tariff]) => isTariff(tariff))
    tariffs = { ...builtInTariffs, ...Object.fromEntries(own) }
    tariffsByContent.set(content, tariffs)
  }
  return tariffs
}

/** What a trip in that currency is judged by. */
export function tariffRow(
  currency: unknown,
  content: unknown,
): readonly { readonly table: string; readonly row: Readonly<Record<string, unknown>> }[] {
  const tariff = typeof currency === 'string' ? tariffsOf(content)[currency] : undefined
  return tariff === undefined ? [] : [{ table: TARIFF_TABLE, row: { currency, ...tariff } }]
}

function isTariff(value: unknown): value is Tariff {
  if (typeof value !== 'object' || value === null) return false
  return ['base', 'perKm', 'perMinute'].every((part) => {
    const amount: unknown = Reflect.get(value, part)
    return typeof amount === 'number' && Number.isFinite(amount) && amount >= 0
  })
}
