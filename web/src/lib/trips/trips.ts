// What the trips screen asks for, and the stretch of time that it shows.

import { get, list } from '$lib/api/client.ts'
import type { Trip, TripSeries, TripTotals } from '$lib/api/types.ts'
import type { ChartChannel } from '$lib/chart/channel.ts'
import type { Formatter } from '$lib/format.ts'

const MINUTE_MS = 60_000
const HOUR_MS = 60 * MINUTE_MS
const DAY_MS = 24 * HOUR_MS
const SHOWN_TRIPS = 50

export interface TripSpan {
  readonly name: string
  readonly label: string
  readonly spanMs: number
  readonly bucket: string
  readonly bucketLabel: string
  readonly bucketMs: number
}

const HOUR: TripSpan = {
  name: '1h',
  label: '1 hour',
  spanMs: HOUR_MS,
  bucket: '1m',
  bucketLabel: 'minute',
  bucketMs: MINUTE_MS,
}

export const tripSpans: readonly TripSpan[] = [
  HOUR,
  {
    name: '24h',
    label: '24 hours',
    spanMs: DAY_MS,
    bucket: '15m',
    bucketLabel: '15 minutes',
    bucketMs: 15 * MINUTE_MS,
  },
  {
    name: '7d',
    label: '7 days',
    spanMs: 7 * DAY_MS,
    bucket: '2h',
    bucketLabel: '2 hours',
    bucketMs: 2 * HOUR_MS,
  },
  {
    name: '400d',
    label: '400 days',
    spanMs: 400 * DAY_MS,
    bucket: '1d',
    bucketLabel: 'day',
    bucketMs: DAY_MS,
  },
]

export function tripSpanOf(name: string | null): TripSpan {
  return tripSpans.find((span) => span.name === name) ?? HOUR
}

export interface TripFigures {
  readonly totals: TripTotals
  readonly series: TripSeries
  readonly trips: readonly Trip[]
}

/** The trips listed are those of the filters; the figures are of all trips of the span. */
export async function tripFigures(
  span: TripSpan,
  filters: { readonly status: string | null; readonly odd: boolean },
  about: { readonly nowMs: number; readonly signal: AbortSignal },
): Promise<TripFigures> {
  const from = Math.floor((about.nowMs - span.spanMs) / span.bucketMs) * span.bucketMs
  const query = {
    from,
    status: filters.status,
    anomaly: filters.odd
      ? 'dropoff-before-pickup,no-duration,impossible-speed,fare-far-off'
      : undefined,
  }
  const [totals, series, trips] = await Promise.all([
    get<TripTotals>('/trips/summary', { from }, about.signal),
    get<TripSeries>('/trips/series', { from, bucket: span.bucket }, about.signal),
    list<Trip>('/trips', query, SHOWN_TRIPS, about.signal),
  ])
  return { totals, series, trips: trips.items }
}

/** Three figures over time; a bucket without trips had none, and no average. */
export function tripChannels(
  { series, totals }: Pick<TripFigures, 'series' | 'totals'>,
  show: Formatter,
): readonly ChartChannel[] {
  const fromMs = Date.parse(series.from)
  const bucketMs = series.bucketS * 1000
  const buckets = Math.max(0, Math.round((Date.parse(series.to) - fromMs) / bucketMs))
  const byStart = new Map(series.items.map((point) => [Date.parse(point.bucketStart), point]))
  const starts = Array.from({ length: buckets }, (_, index) => fromMs + index * bucketMs)
  const points = starts.map((startMs) => byStart.get(startMs))
  const atS = starts.map((startMs) => startMs / 1000)
  const km = (value: number | null | undefined) =>
    value === null || value === undefined ? null : show.distanceValue(value)
  return [
    { title: 'Trips begun', unit: '', digits: 0, atS, values: points.map((p) => p?.trips ?? 0) },
    {
      title: 'Revenue',
      unit: totals.currency ?? '',
      digits: 0,
      atS,
      values: points.map((point) => point?.revenue ?? 0),
    },
    {
      title: 'Average distance',
      unit: show.distanceUnit,
      digits: 1,
      atS,
      values: points.map((point) => km(point?.averageDistanceKm)),
    },
  ]
}

/** With the decimals that the currency has, or as many as the amount needs. */
export function money(amount: number | string | null, currency: string | null): string {
  if (amount === null) return '–'
  const value = Number(amount)
  if (currency === null) return value.toLocaleString('en-GB', { maximumFractionDigits: 6 })
  return value.toLocaleString('en-GB', {
    style: 'currency',
    currency,
    currencyDisplay: 'code',
    maximumFractionDigits: 6,
    minimumFractionDigits: 2,
  })
}

export const statusWords: Readonly<Record<string, string>> = {
  'in-progress': 'In progress',
  completed: 'Completed',
  canceled: 'Canceled',
}

export const paymentWords: Readonly<Record<string, string>> = {
  card: 'Card',
  cash: 'Cash',
  wallet: 'Wallet',
  'no-charge': 'No charge',
  dispute: 'Dispute',
  unknown: 'Unknown',
  'not-recorded': 'Not recorded',
}

export const anomalyWords: Readonly<Record<string, string>> = {
  'dropoff-before-pickup': 'dropoff before pickup',
  'no-duration': 'took no time',
  'impossible-speed': 'impossible speed',
  'fare-far-off': 'fare far off',
}
