// Scores of past estimates, against a real database: by hand, a journey that came when it was said, and one late.

import { deepEqual, equal } from 'node:assert/strict'
import { test } from 'node:test'
import { testPostgres } from '../../../test/postgres-server.ts'
import { MINUTE_MS } from '../../kernel/time.ts'
import { accuracyOf } from './accuracy.ts'

const START_MS = Date.UTC(2026, 0, 5, 8)
const at = (minutes: number): Date => new Date(START_MS + minutes * MINUTE_MS)

test('estimates are scored by how far ahead they looked, and by what they said of being late', async (t) => {
  const { database } = await testPostgres(t)
  const arrived = (journeyId: string, minutes: number) =>
    database.query(
      `INSERT INTO arrival (tenant_id, journey_id, estimated_at, appointment_id, starts_at, eta_p50, eta_p90,
         late_probability, remaining_m, free_flow_s, expected_s, pace, position_at, lat, lon, source,
         arrived_at, log_partition, log_offset)
       VALUES ('default', $1, $2, 'a', $3, $2, $2, 0, 0, 0, 0, 1, $2, 0, 0, 'roads', $2, 0, 0)`,
      [journeyId, at(minutes), at(30)],
    )
  const estimated = (journeyId: string, made: number, p50: number, p90: number, late: number) =>
    database.query(
      `INSERT INTO eta_estimate (tenant_id, journey_id, estimated_at, cause, appointment_id, starts_at,
         eta_p50, eta_p90, late_probability, remaining_m, position_at, source, log_partition, log_offset)
       VALUES ('default', $1, $2, 'position', 'a', $3, $4, $5, $6, 0, $2, 'roads', 0, 0)`,
      [journeyId, at(made), at(30), at(p50), at(p90), late],
    )
  deepEqual((await accuracyOf(database, { tenantId: 'default' })).brierScore, null)
  await arrived('in-time', 20)
  await estimated('in-time', 2, 22, 25, 0.1)
  await estimated('in-time', 17, 20, 21, 0)
  await arrived('late', 40)
  await estimated('late', 25, 36, 39, 0.9)
  await estimated('never-there', 0, 10, 12, 0.5)
  const found = await accuracyOf(database, { tenantId: 'default' })
  equal(found.estimates, 3)
  equal(found.journeys, 2)
  deepEqual(
    found.horizons.map((each) => [
      each.fromMin,
      each.toMin,
      each.estimates,
      Math.round(each.meanErrorS),
      Math.round(each.meanAbsoluteErrorS),
      each.withinP50,
      each.withinP90,
    ]),
    [
      [0, 5, 1, 0, 0, 1, 1],
      [10, 20, 2, 60, 180, 0.5, 0.5],
    ],
  )
  deepEqual(
    found.calibration.map(({ from, lateShare, estimates }) => [from, lateShare, estimates]),
    [
      [0, 0, 1],
      [0.1, 0, 1],
      [0.9, 1, 1],
    ],
  )
  equal(Math.round((found.brierScore ?? 0) * 1e6), Math.round(((0.01 + 0 + 0.01) / 3) * 1e6))
  const before = await accuracyOf(database, { tenantId: 'default', toMs: START_MS + 3 * MINUTE_MS })
  equal(before.estimates, 1)
})
