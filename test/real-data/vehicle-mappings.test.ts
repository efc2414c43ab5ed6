// The mappings of vehicle data on the files that they were made for. Figures are counted from the files by
// other means, and stand in their README.

import { deepEqual, equal } from 'node:assert/strict'
import { test } from 'node:test'
import { mapFile } from '../mapped-file.ts'
import { sharedDataOrSkip } from '../requirements.ts'

test('five drives of the OBD kit keep every row that has a speed, in local time of its date', async (t) => {
  const drives: readonly (readonly [string, number, number, string])[] = [
    ['2017-07-05_Seat_Leon_RT_S_Stau', 46_346, 2_200, '2017-07-05T05:16:30.716Z'],
    ['2017-07-06_Seat_Leon_KA_RT_Normal', 57_246, 14_780, '2017-07-06T16:54:28.809Z'],
    ['2017-07-11_Seat_Leon_S_RT_Frei', 28_111, 2_090, '2017-07-11T16:34:06.548Z'],
    ['2017-07-13_Seat_Leon_RT_KA_Stau_Messfehler', 59_631, 13_670, '2017-07-13T05:00:41.622Z'],
    ['2018-02-17_Seat_Leon_BB_RT_Normal_Glatteis', 41_608, 0, '2018-02-17T13:15:47.480Z'],
  ]
  for (const [drive, rows, fast, firstAt] of drives) {
    const file = sharedDataOrSkip(t, `obd-seat-leon-2017-2018/${drive}.csv.gz`)
    if (file === undefined) return
    const { events, skipped, refused } = await mapFile(file, 'obd-kit')
    const first = events[0]?.event
    deepEqual([events.length, skipped, refused], [rows, 3, []], drive)
    deepEqual([first?.vehicleId, first?.recordedAt], ['Seat_Leon', firstAt], drive)
    equal(events.filter(({ event }) => Number(event.speedKmh) > 120).length, fast, drive)
  }
})
