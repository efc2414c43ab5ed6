// Readings of trucks, sent as any device sends them.

import assert from 'node:assert/strict'

export interface SentReading {
  readonly truckId: string
  readonly temperatureC: number
  /** Before now. */
  readonly ageS?: number
  readonly [field: string]: unknown
}

/** Resolves once the readings are kept. */
export async function sendReadings(
  address: string,
  readings: readonly SentReading[],
): Promise<void> {
  const events = readings.map(({ ageS = 0, ...fields }) => ({
    recordedAt: Date.now() - ageS * 1_000,
    lat: -1.2864,
    lon: 36.8172,
    speedKmh: 54,
    headingDeg: 120,
    doorOpen: false,
    profile: 'default',
    ...fields,
  }))
  const response = await fetch(`${address}/api/v1/events/truck-readings`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify(events),
  })
  assert.equal(response.status, 202, await response.text())
}
