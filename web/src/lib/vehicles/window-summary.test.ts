import { deepEqual, equal } from 'node:assert/strict'
import { test } from 'node:test'
import type { VehicleWindow } from './types.ts'
import { newestWindow, windowPoints } from './window-summary.ts'

const windowOf = (minute: number, more: Partial<VehicleWindow> = {}): VehicleWindow => ({
  windowStart: new Date(minute * 60_000).toISOString(),
  windowEnd: new Date((minute + 15) * 60_000).toISOString(),
  model: 'Corolla',
  readings: 5,
  maxSpeedKmh: 50,
  activeVehicles: 2,
  colors: { red: 2 },
  revision: 1,
  final: true,
  ...more,
})

test('the open window that has run longest is shown, over all its models', () => {
  const now = newestWindow([
    windowOf(0),
    windowOf(1, { final: false }),
    windowOf(1, {
      final: false,
      model: 'Polo',
      maxSpeedKmh: 70,
      activeVehicles: 1,
      colors: { red: 1 },
    }),
    windowOf(2, { final: false }),
  ])
  deepEqual(
    [now?.windowStart, now?.activeVehicles, now?.maxSpeeds, now?.colors, now?.final],
    [
      new Date(60_000).toISOString(),
      3,
      [
        { name: 'Polo', value: 70 },
        { name: 'Corolla', value: 50 },
      ],
      [{ name: 'red', value: 3 }],
      false,
    ],
  )
  equal(newestWindow([windowOf(0), windowOf(3)])?.windowStart, new Date(180_000).toISOString())
  equal(newestWindow([]), undefined)
})

test('over time a window is one point: vehicles add up, speeds compare', () => {
  deepEqual(
    windowPoints([
      windowOf(5, { maxSpeedKmh: null }),
      windowOf(0),
      windowOf(0, { maxSpeedKmh: 90 }),
    ]),
    [
      { atS: 900, activeVehicles: 4, maxSpeedKmh: 90 },
      { atS: 1_200, activeVehicles: 2, maxSpeedKmh: null },
    ],
  )
})
