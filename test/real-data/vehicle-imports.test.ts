// Ships and electric cars imported as an operator imports them, and what the API says of them afterwards: dead
// letters, last positions, windows of the sizes that a setting chose. Figures as in the README of each data set.

import { deepEqual, equal } from 'node:assert/strict'
import { readdirSync } from 'node:fs'
import { join } from 'node:path'
import { type TestContext, test } from 'node:test'
import { type Program, runCommand, startProgram, temporaryDataDir } from '../program.ts'
import { sharedDataOrSkip } from '../requirements.ts'
import { until } from '../waiting.ts'

const PAGE = 1_000
const DODGE = '58395f40e4b0a979d45bd61b'

interface ImportReport {
  readonly accepted: number
  readonly rejected: number
}

interface Page<T> {
  readonly items: readonly T[]
  readonly next: string | null
}

interface Speed {
  readonly speedKmh: number | null
  readonly postedLimitKmh: number | null
}

interface ShownWindow {
  readonly windowStart: string
  readonly windowEnd: string
  readonly readings: number
  readonly activeVehicles: number
  readonly maxSpeedKmh: number | null
}

test('ships of the AIS file have a last position each, and stragglers disturb no window of any size', async (t) => {
  const file = sharedDataOrSkip(t, 'ais-us-2022-01-03/positions.csv.gz')
  if (file === undefined) return
  const program = await started(t, { OUTRIDER_VEHICLE_WINDOWS: '15m/1m, 30m/5m' })
  deepEqual(await imported(program, file, 'ais'), { accepted: 70_140, rejected: 0 })
  await until('all messages to be judged', () => isJudged(program))

  equal((await archived(program)).length, 70_140)
  await until('every ship to be shown', async () => {
    const ships = await counted<{ readonly vehicleId: string }>(program, '/vehicles?')
    return new Set(ships.map(({ vehicleId }) => vehicleId)).size === 7_454
  })

  const day = 'from=2022-01-03T00:00:00Z&to=2022-01-04T00:00:00Z'
  // Those that are open are told within a second, with the same figures as when they are final.
  await until('the windows to be told', async () => {
    const quarters = await windowsOf(program, `${day}&size=15m&slide=15m`)
    deepEqual(quarters.slice(0, 2), [
      ['00:00', '00:15', 47_813, 7_307],
      ['00:15', '00:30', 21_935, 6_643],
    ])
    deepEqual(
      quarters.filter(([start]) => start > '12').map(([start, , readings]) => [start, readings]),
      [
        ['14:15', 8],
        ['23:45', 259],
      ],
    )
    const [half] = await windowsOf(program, `${day}&size=30m&slide=30m`)
    deepEqual(half?.slice(0, 3), ['00:00', '00:30', 47_813 + 21_935])
    return true
  })
  const { items } = await get<Page<{ readonly size: string }>>(program, '/vehicles/windows/sizes')
  deepEqual(
    items.map(({ size }) => size),
    ['15m', '30m'],
  )
})

test('157 Twizy records are dead letters for their dates, and 1,522 of all exceed the posted limit', async (t) => {
  const folder = sharedDataOrSkip(t, 'ev-twizy-rabat-2021')
  if (folder === undefined) return
  const program = await started(t)
  const total = { accepted: 0, rejected: 0 }
  for (const name of readdirSync(folder).filter((each) => each.endsWith('.csv.gz'))) {
    const { accepted, rejected } = await imported(program, join(folder, name), 'twizy')
    total.accepted += accepted
    total.rejected += rejected
  }
  deepEqual(total, { accepted: 34_025 - 157, rejected: 157 })
  await until('all records to be judged', () => isJudged(program))

  const letters = await counted<{
    readonly reason: { readonly path: string }
    readonly raw: string
  }>(program, '/dead-letters?topic=vehicle-telemetry&')
  deepEqual(
    [letters.length, new Set(letters.map(({ reason }) => reason.path))],
    [157, new Set(['/recordedAt'])],
  )
  const kept = (await archived(program)).map((line): Speed => JSON.parse(line))
  // Each as the mapping made it, with the date that there never was.
  const refused = letters.map(({ raw }): Speed => JSON.parse(raw))
  // Of all records, before the dead letters are taken out.
  deepEqual([kept.filter(exceeds).length, refused.filter(exceeds).length], [1_491, 31])
  const alerts = await counted<{ readonly count: number }>(program, '/alerts?rule=posted-limit&')
  equal(
    alerts.reduce((sum, { count }) => sum + count, 0),
    1_491,
  )
})

test('1,407 enviroCar readings are 1,308 once repeats are known, and the maxima of 5 March are theirs', async (t) => {
  const file = sharedDataOrSkip(t, 'envirocar-muenster-2020/readings.ndjson.gz')
  if (file === undefined) return
  const program = await started(t)
  deepEqual(await imported(program, file, 'envirocar'), { accepted: 1_407, rejected: 0 })
  await until('all readings to be judged', () => isJudged(program))

  const once = await archived(program)
  equal(once.length, 1_308)
  const fast = once
    .map((line): Speed & { readonly vehicleId: string } => JSON.parse(line))
    .filter(({ speedKmh }) => Number(speedKmh) > 120)
  deepEqual([fast.length, new Set(fast.map(({ vehicleId }) => vehicleId))], [27, new Set([DODGE])])
  const noon = 'from=2020-03-05T13:15:00Z&to=2020-03-05T14:00:00Z'
  await until('the maxima of the afternoon', async () => {
    const path = `/vehicles/windows?${noon}&size=15m&slide=15m&`
    const windows = await counted<ShownWindow>(program, path)
    deepEqual(
      windows.map(({ windowStart, maxSpeedKmh }) => [
        windowStart.slice(11, 16),
        maxSpeedKmh?.toFixed(1),
      ]),
      [
        ['13:15', '129.0'],
        ['13:30', '127.0'],
        ['13:45', '60.0'],
      ],
    )
    return true
  })
})

function exceeds({ speedKmh, postedLimitKmh }: Speed): boolean {
  return Number(speedKmh) > Number(postedLimitKmh)
}

async function started(t: TestContext, settings: NodeJS.ProcessEnv = {}): Promise<Program> {
  const program = await startProgram(temporaryDataDir(t), ['--no-simulate'], settings)
  t.after(() => program.kill())
  return program
}

async function imported(program: Program, file: string, mapping: string): Promise<ImportReport> {
  const flags = ['--mapping', mapping, '--to', program.address, '--json']
  const { stdout, stderr } = await runCommand(['import', file, ...flags])
  const { accepted, rejected }: ImportReport = JSON.parse(stdout === '' ? stderr : stdout)
  return { accepted, rejected }
}

async function get<T>({ address }: Program, path: string): Promise<T> {
  const response = await fetch(`${address}/api/v1${path}`)
  equal(response.status, 200, await response.clone().text())
  const answer: T = JSON.parse(await response.text())
  return answer
}

/** All telemetry, a line each. */
async function archived({ address }: Program): Promise<readonly string[]> {
  const headers = { accept: 'application/x-ndjson' }
  const response = await fetch(`${address}/api/v1/history/vehicle-telemetry`, { headers })
  equal(response.status, 200)
  return (await response.text()).trimEnd().split('\n')
}

/** All of a list; `path` ends where parameters may follow. */
async function counted<T>(program: Program, path: string): Promise<readonly T[]> {
  const all: T[] = []
  let cursor: string | null = null
  do {
    const after: string = cursor === null ? '' : `&cursor=${encodeURIComponent(cursor)}`
    const page: Page<T> = await get(program, `${path}limit=${PAGE}${after}`)
    all.push(...page.items)
    cursor = page.next
  } while (cursor !== null)
  return all
}

/** Start and end as they are on the clock, readings and vehicles. */
async function windowsOf(
  program: Program,
  query: string,
): Promise<readonly (readonly [string, string, number, number])[]> {
  const windows = await counted<ShownWindow>(program, `/vehicles/windows?${query}&`)
  return windows.map(({ windowStart, windowEnd, readings, activeVehicles }) => [
    windowStart.slice(11, 16),
    windowEnd.slice(11, 16),
    readings,
    activeVehicles,
  ])
}

async function isJudged(program: Program): Promise<boolean> {
  const topics: readonly { readonly partitions: readonly { readonly lag: number }[] }[] = await get(
    program,
    '/topics',
  )
  return topics.every(({ partitions }) => partitions.every(({ lag }) => lag === 0))
}
