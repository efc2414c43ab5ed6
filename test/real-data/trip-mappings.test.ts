// The mapping of New York taxi trips on rows such as its files do not have, but may.

import { deepEqual, equal, match } from 'node:assert/strict'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'node:test'
import { trips } from '../../src/domains/trips/events.ts'
import { mapFile } from '../mapped-file.ts'

const HEAD =
  'lpep_pickup_datetime,lpep_dropoff_datetime,PULocationID,DOLocationID,trip_distance,fare_amount,payment_type'

test('a payment type of New York that is in no list is unknown, with its number; a fare that is none is refused', async (t) => {
  const folder = await mkdtemp(join(tmpdir(), 'outrider-taxi-'))
  t.after(() => rm(folder, { recursive: true }))
  const file = join(folder, 'trips.csv')
  const ride = '2025-11-05 08:00:00,2025-11-05 08:20:00,74,75,2.5'
  await writeFile(
    file,
    [HEAD, `${ride},12.50,1`, `${ride},12.50,9`, `${ride},free,1`, `${ride},12.50,`].join('\n'),
  )
  const { events, refused } = await mapFile(file, 'nyc-green-taxi')
  const payments = events.map(({ event }) => {
    const trip = trips.parse(event)
    return trip.ok ? [trip.value.paymentMethod, trip.value.paymentMethodOriginal] : trip.error
  })
  deepEqual(payments, [
    ['card', null],
    ['unknown', '9'],
    [null, null],
  ])
  equal(refused.length, 1)
  match(String(refused[0]?.reason), /fare/)
  equal(refused[0]?.row, 3)
})
