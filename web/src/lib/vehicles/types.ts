// The shapes of the vehicle routes in docs/api.md, as the dashboard reads them.

import type { Alert, Channel, Stretch, TruckAlert } from '$lib/api/types.ts'

export interface Vehicle {
  readonly vehicleId: string
  readonly recordedAt: string
  readonly receivedAt: string
  readonly speedKmh: number | null
  readonly rpm: number | null
  readonly gear: number | null
  readonly expectedGear: number | null
  readonly lat: number | null
  readonly lon: number | null
  readonly odometerKm: number | null
  readonly fuelLph: number | null
  readonly postedLimitKmh: number | null
  readonly stateOfChargePercent: number | null
  readonly known: boolean
  readonly brand: string | null
  readonly model: string
  readonly color: string
  readonly moving: boolean
  readonly alerts: readonly TruckAlert[]
}

export interface VehicleDetail extends Vehicle {
  readonly openAlerts: readonly Alert[]
}

export interface VehicleSeries {
  readonly vehicleId: string
  readonly readings: number
  readonly gapLimitS: number
  readonly channels: Readonly<Record<string, Channel | undefined>>
  readonly gaps: readonly Stretch[]
}

/** Windows that are computed: how long, and every how long one begins. */
export interface WindowSize {
  readonly size: string
  readonly slide: string
  readonly sizeS: number
  readonly slideS: number
}

export interface VehicleWindow {
  readonly windowStart: string
  readonly windowEnd: string
  readonly model: string
  readonly readings: number
  readonly maxSpeedKmh: number | null
  readonly activeVehicles: number
  readonly colors: Readonly<Record<string, number>>
  readonly revision: number
  readonly final: boolean
}
