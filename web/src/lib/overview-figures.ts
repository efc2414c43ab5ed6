// What the overview shows of cars and trips: what the newest figures are, and how they went in the last hour.

import { get } from '$lib/api/client.ts'
import type { Page, TripSeries } from '$lib/api/types.ts'
import type { VehicleWindow } from '$lib/vehicles/types.ts'
import { newestWindow, windowPoints } from '$lib/vehicles/window-summary.ts'

const MINUTE_MS = 60_000
const HOUR_MS = 60 * MINUTE_MS

export interface OverviewFigures {
  readonly activeVehicles: number
  readonly fastestKmh: number | null
  readonly trips: number
  readonly revenue: number
  readonly currency: string | null
  readonly vehicleTrend: readonly TrendPoint[]
  readonly tripTrend: readonly TrendPoint[]
}

interface TrendPoint {
  readonly atMs: number
  readonly value: number
}

export async function overviewFigures(
  nowMs: number,
  signal: AbortSignal,
): Promise<OverviewFigures> {
  const from = nowMs - HOUR_MS
  const [windows, series] = await Promise.all([
    get<Page<VehicleWindow>>('/vehicles/windows', { from, order: 'desc', limit: 1_000 }, signal),
    get<TripSeries>('/trips/series', { from, bucket: '1m' }, signal),
  ])
  const newest = newestWindow(windows.items)
  const speeds = newest?.maxSpeeds.map(({ value }) => value) ?? []
  const currency = series.items.find((point) => point.currency !== null)?.currency ?? null
  const begun = series.items.filter(({ bucketEnd }) => Date.parse(bucketEnd) <= nowMs)
  return {
    activeVehicles: newest?.activeVehicles ?? 0,
    fastestKmh: speeds.length === 0 ? null : Math.max(...speeds),
    trips: series.items.reduce((sum, { trips }) => sum + trips, 0),
    revenue: series.items.reduce(
      (sum, point) => sum + (point.currency === currency ? Number(point.revenue) : 0),
      0,
    ),
    currency,
    vehicleTrend: windowPoints(windows.items).map(({ atS, activeVehicles }) => ({
      atMs: atS * 1_000,
      value: activeVehicles,
    })),
    tripTrend: begun.map(({ bucketEnd, trips }) => ({ atMs: Date.parse(bucketEnd), value: trips })),
  }
}
