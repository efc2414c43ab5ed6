import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { Milestone } from '../api/types.ts'
import { routeOf } from './shipment-route.ts'

const AT = '2026-01-31T08:00:00Z'

function milestone(location: string, lat: number | null, actualAt: string | null): Milestone {
  const nothing = {
    region: null,
    estimatedAt: null,
    truckId: null,
    warehouseId: null,
    reason: null,
  }
  const lon = lat === null ? null : 36.8
  return {
    ...nothing,
    type: 'arrived',
    location,
    lat,
    lon,
    actualAt,
    plannedAt: AT,
    recordedAt: AT,
  }
}

test('milestones in one place in a row are one stop, and what lies ahead is another', () => {
  const timeline = [
    milestone('Nairobi', -1.3, AT),
    milestone('Nairobi', -1.3, AT),
    milestone('on the way', null, AT),
    milestone('Mombasa', -4, null),
  ]
  const { stops, now } = routeOf({ timeline, lat: -1.3, lon: 36.8 })
  assert.deepEqual(
    stops.map(({ location, reached }) => [location, reached]),
    [
      ['Nairobi', true],
      ['Mombasa', false],
    ],
  )
  assert.deepEqual(now, [36.8, -1.3])
})

test('a shipment that never told where it was has no route', () => {
  const timeline = [milestone('Nairobi', null, AT)]
  assert.deepEqual(routeOf({ timeline, lat: null, lon: null }), { stops: [], now: null })
})
