// Sizes and slides of the windows as an operator sets them, from the setting to what the API tells.

import { deepEqual, equal, match } from 'node:assert/strict'
import { test } from 'node:test'
import { startProgram, temporaryDataDir } from '../program.ts'
import { until } from '../waiting.ts'

interface ShownWindow {
  readonly windowStart: string
  readonly windowEnd: string
  readonly maxSpeedKmh: number
  readonly activeVehicles: number
  readonly final: boolean
}

test('windows have the sizes and slides of the setting, the first of which is the usual one', async (t) => {
  const windows = { OUTRIDER_VEHICLE_WINDOWS: '10m/5m, 1m/1m' }
  const program = await startProgram(temporaryDataDir(t), ['--no-simulate'], windows)
  t.after(() => program.kill())
  const get = (path: string): Promise<Response> => fetch(`${program.address}/api/v1${path}`)
  const items = async <T>(path: string): Promise<readonly T[]> => {
    const response = await get(path)
    equal(response.status, 200, await response.clone().text())
    const page: { readonly items: readonly T[] } = JSON.parse(await response.text())
    return page.items
  }

  const sizes = await items<{ readonly size: string; readonly slide: string }>(
    '/vehicles/windows/sizes',
  )
  deepEqual(
    sizes.map(({ size, slide }) => [size, slide]),
    [
      ['10m', '5m'],
      ['1m', '1m'],
    ],
  )

  const reading = (vehicleId: string, at: string, speedKmh: number) => ({
    ...{ vehicleId, recordedAt: `2026-01-05T${at}Z`, speedKmh },
  })
  // The last of each make final what ends before them, whatever partition they are in.
  const sent = [
    reading('slow', '08:03:00', 50),
    reading('fast', '08:07:00', 90),
    reading('slow', '08:30:00', 30),
    reading('fast', '08:30:00', 40),
  ]
  const answer = await fetch(`${program.address}/api/v1/events/vehicle-telemetry`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify(sent),
  })
  equal(answer.status, 202, await answer.text())

  const range = 'from=2026-01-05T07:00:00Z&to=2026-01-05T08:20:00Z'
  const shown = async (asked: string): Promise<readonly unknown[]> => {
    const found = await items<ShownWindow>(`/vehicles/windows?${range}${asked}`)
    return found.map(({ windowStart, windowEnd, maxSpeedKmh, activeVehicles, final }) => [
      ...[windowStart.slice(11, 16), windowEnd.slice(11, 16), maxSpeedKmh, activeVehicles, final],
    ])
  }
  const tens = [
    ['07:55', '08:05', 50, 1, true],
    ['08:00', '08:10', 90, 2, true],
    ['08:05', '08:15', 90, 1, true],
  ]
  await until('windows to be final', async () => {
    deepEqual(await shown(''), tens)
    return true
  })
  deepEqual(await shown('&size=10m&slide=10m'), [tens[1]])
  await until('minutes to be final', async () => {
    deepEqual(await shown('&size=1m'), [
      ['08:03', '08:04', 50, 1, true],
      ['08:07', '08:08', 90, 1, true],
    ])
    return true
  })

  const other = await get(`/vehicles/windows?${range}&size=15m`)
  equal(other.status, 400)
  match(await other.text(), /there are windows of 10m\/5m, 1m\/1m/)
})
