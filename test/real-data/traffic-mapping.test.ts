// The mapping of METR-LA on the file that it was made for: 1,440 rows of five minutes, 207 sensors.

import { deepEqual, equal } from 'node:assert/strict'
import { test } from 'node:test'
import { mapFile } from '../mapped-file.ts'
import { sharedDataOrSkip } from '../requirements.ts'

test('every cell of the speeds of Los Angeles becomes an observation of its sensor', async (t) => {
  const file = sharedDataOrSkip(t, 'metr-la-speeds-2012-03/speeds.csv.gz')
  if (file === undefined) return
  const { events, skipped, refused } = await mapFile(file, 'metr-la')
  deepEqual([events.length, skipped, refused], [1_440 * 207, 0, []])
  const first = events[0]?.event
  deepEqual(
    [first?.segmentId, first?.observedAt, Math.round(Number(first?.speedKmh) * 10) / 10],
    ['773869', '2012-03-01T08:00:00.000Z', 103.6],
  )
  equal(new Set(events.map(({ event }) => event.segmentId)).size, 207)
})
