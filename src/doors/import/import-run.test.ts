import { deepEqual, equal, ok, rejects } from 'node:assert/strict'
import { mkdtemp, readdir, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { basename, join } from 'node:path'
import { after, before, test } from 'node:test'
import { gzipSync } from 'node:zlib'
import {
  eventIds,
  type ImportServer,
  mappingOf,
  startImportServer,
} from '../../../test/faults/import-under-test.ts'
import { sharedDataOrSkip } from '../../../test/requirements.ts'
import { systemClock } from '../../adapters/clock/system-clock.ts'
import type { Mapping } from '../mapping.ts'
import { findMapping } from '../mapping-library.ts'
import { openProgress } from './import-progress.ts'
import { type ImportOptions, type ImportReport, MAX_BATCH_EVENTS, runImport } from './import-run.ts'
import { EVENTS_BEYOND_GAP, MAX_PACE_WAIT_MS, Pacer } from './pacer.ts'

let folder: string
let server: ImportServer
before(async () => {
  folder = await mkdtemp(join(tmpdir(), 'outrider-import-'))
})
after(() => rm(folder, { recursive: true }))

test.beforeEach(async () => {
  server = await startImportServer()
})
test.afterEach(() => server.close())

const csv = mappingOf(`
topic: truck-readings
format: csv
fields:
  truckId: id
  recordedAt: at
  temperatureC: t`)

const ndjson = mappingOf(`
topic: truck-readings
format: ndjson
fields:
  truckId: truck.id
  recordedAt: at
  temperatureC: /values/0`)

let files = 0
async function fileOf(content: string | Buffer, name = 'rows.csv'): Promise<string> {
  const file = join(folder, `${files++}-${name}`)
  await writeFile(file, content)
  return file
}

function rows(count: number, from = 0): string {
  return Array.from({ length: count }, (_, index) => {
    const number = from + index
    return `T-${number % 5},${1_700_000_000_000 + number * 1_000},${number % 80}\n`
  }).join('')
}

const HEADER = 'id,at,t\n'

async function run(
  file: string,
  mapping: Mapping,
  change: Partial<ImportOptions> = {},
): Promise<ImportReport> {
  return runImport({
    file,
    fileName: basename(file),
    standardInput: process.stdin,
    mapping,
    sink: server.sink(),
    clock: systemClock(),
    speedup: null,
    progress: await progressOf(file),
    restart: false,
    signal: new AbortController().signal,
    ...change,
  })
}

const progressOf = (file: string) =>
  openProgress({ file, mapping: 'm', target: 'here', folder: join(folder, 'imports') })

const counts = ({ accepted, rejected, skipped, settled }: ImportReport) => [
  accepted,
  rejected,
  skipped,
  settled.duplicates,
]

test('the file of the real logger gives 64 accepted readings, and 64 repeats the second time', async (t) => {
  const file = sharedDataOrSkip(t, 'cold-chain-logger-leg-2021/readings.csv')
  if (file === undefined) return
  const source = await findMapping('cold-chain-logger')
  ok(source.ok)
  const mapping = mappingOf(source.value.text)
  deepEqual(counts(await run(file, mapping)), [64, 0, 0, 0])
  const readings = (await server.events()).map(({ value }) =>
    JSON.parse(Buffer.from(value).toString()),
  )
  equal(readings.length, 64)
  deepEqual(
    new Set(readings.map(({ truckId, profile }) => `${truckId} ${profile}`)),
    new Set(['DD:33:04:13:34:CD pharma']),
  )
  equal(readings.filter(({ temperatureC }) => temperatureC > 25).length, 14)
  equal(Math.max(...readings.map(({ temperatureC }) => temperatureC)), 27)
  deepEqual(counts(await run(file, mapping)), [64, 0, 0, 64])
})

test('CSV and NDJSON, plain and compressed, give the same events', async () => {
  const lines = rows(2_500)
  const json = lines
    .trimEnd()
    .split('\n')
    .map((line) => {
      const [id, at, t] = line.split(',')
      return JSON.stringify({ truck: { id }, at: Number(at), values: [Number(t)] })
    })
  const plain = await fileOf(HEADER + lines)
  deepEqual(counts(await run(plain, csv)), [2_500, 0, 0, 0])
  deepEqual(
    counts(await run(await fileOf(gzipSync(`\ufeff${HEADER}${lines}`)), csv)),
    [2_500, 0, 0, 2_500],
  )
  deepEqual(counts(await run(await fileOf(json.join('\n')), ndjson)), [2_500, 0, 0, 2_500])
  equal((await server.events()).length, 7_500)
})

test('two rows of one content are two events', async () => {
  const row = 'T,1700000000000,4\n'
  deepEqual(counts(await run(await fileOf(HEADER + row + row), csv)), [2, 0, 0, 0])
})

test('a file that has grown repeats what was there, and adds what is new', async () => {
  await run(await fileOf(HEADER + rows(100)), csv)
  deepEqual(counts(await run(await fileOf(HEADER + rows(150)), csv)), [150, 0, 0, 100])
})

test('rejected rows are named with number and reason, and kept with where they came from', async () => {
  const bad =
    'T,2026-02-30T00:00:00Z,4\nT,1700000000000,warm\nT,1700000000000,90\na,b,c,d\n"open,1,2\n'
  const report = await run(await fileOf(HEADER + rows(3) + bad + rows(2, 3), 'bad.csv'), csv)
  deepEqual(counts(report), [5, 5, 0, 0])
  deepEqual(
    report.refused.map(({ row, code, message }) => `${row} ${code} ${message.slice(0, 40)}`),
    [
      '4 bad-time recordedAt must be ISO 8601 with an offs',
      '5 unmappable temperatureC: "warm" is not a number',
      '6 bad-value temperatureC: expected number to be less',
      '7 unmappable 4 cells, but the header has 3 columns',
      '8 unmappable a quote is opened and never closed',
    ],
  )
  const kept = await server.deadLetters()
  equal(kept.length, 5)
  kept.forEach(({ raw }, index) => {
    const { importedFrom } = JSON.parse(raw)
    equal(importedFrom.row, 4 + index)
    ok(importedFrom.file.endsWith('bad.csv'))
  })
  ok(kept[3]?.raw.includes('a,b,c,d'))
})

test('lines of NDJSON that are no rows are rejected, each by itself', async () => {
  const good = JSON.stringify({ truck: { id: 'T' }, at: 1_700_000_000_000, values: [4] })
  const bad = [
    '{',
    '[1]',
    `{"a":${'['.repeat(50)}`,
    '"x"',
    '{"truck":{"toString":1}}',
    '{"__proto__":{"at":1}}',
  ]
  const report = await run(await fileOf([good, ...bad, good].join('\n')), ndjson)
  deepEqual(counts(report), [2, bad.length, 0, 0])
})

test('a truncated gzip gives its whole rows, and says so', async () => {
  const whole = HEADER + rows(5_000)
  const zipped = gzipSync(whole, { level: 1 })
  const report = await run(await fileOf(zipped.subarray(0, zipped.length / 2)), csv)
  equal(report.damage, 'cut-gzip')
  ok(report.accepted > 1_000 && report.accepted < 5_000, `${report.accepted} accepted`)
  deepEqual([report.rejected, report.settled.duplicates], [0, 0])
  const expected = whole.split('\n').slice(1, 1 + report.accepted)
  const found = (await server.events()).map(({ value }) => {
    const { truckId, recordedAt, temperatureC } = JSON.parse(Buffer.from(value).toString())
    return `${truckId},${recordedAt},${temperatureC}`
  })
  deepEqual(found.sort(), expected.sort())
  const lost = whole.length - HEADER.length - expected.join('\n').length - 1
  ok(report.droppedBytes < 40 && lost > 0, `${report.droppedBytes} bytes dropped`)
})

test('a gzip that is damaged inside gives the rows before the damage', async () => {
  const zipped = gzipSync(HEADER + rows(20_000), { level: 1 })
  zipped.fill(0xff, zipped.length / 2, zipped.length / 2 + 200)
  const report = await run(await fileOf(zipped), csv)
  equal(report.damage, 'broken-gzip')
  ok(report.accepted > 1_000, `${report.accepted} accepted`)
})

test('a file that cannot be imported is told why', async () => {
  const cases: readonly (readonly [string | Buffer, RegExp])[] = [
    ['', /It is empty/],
    [HEADER, /It holds no rows/],
    ['\n\n', /It holds no rows/],
    ['id,time\n1,2\n', /It has no column "at", "t"; it has: id, time/],
    [Buffer.from(`\ufeff${HEADER}`, 'utf16le'), /UTF-16/],
    [gzipSync(HEADER + rows(9)).subarray(0, 15), /damaged before the first row/],
  ]
  for (const [content, message] of cases) {
    await rejects(run(await fileOf(content), csv), { name: 'UnreadableFile', message })
  }
  const named = mappingOf(`
topic: truck-readings
format: csv
fields: {truckId: {fileName: '^truck-(.+)[.]csv$'}, recordedAt: at, temperatureC: t}`)
  const file = await fileOf(HEADER + rows(1))
  await rejects(run(file, named), /The mapping does not fit its name: truckId: the file name/)
  deepEqual(counts(await run(file, named, { fileName: 'truck-7.csv' })), [1, 0, 0, 0])
})

test('an interrupted import goes on where it stopped, and sends nothing twice', async () => {
  const file = await fileOf(HEADER + rows(5_500))
  const stop = new AbortController()
  let posts = 0
  server.onPost = () => {
    if (++posts === 2) stop.abort()
  }
  const first = await run(file, csv, { signal: stop.signal, sink: server.sink(stop.signal) })
  ok(first.interrupted)
  ok(first.accepted >= 2 * MAX_BATCH_EVENTS && first.accepted < 5_500, `${first.accepted} accepted`)
  equal((await server.events()).length, first.accepted)
  server.onPost = () => {}
  const second = await run(file, csv)
  deepEqual([second.resumedAfterRow, ...counts(second)], [first.accepted, 5_500, 0, 0, 0])
  equal(second.settled.note, 'Counted in the archive: repeats are kept, and change nothing.')
  const ids = await eventIds(server)
  equal(ids.size, 5_500)
  ok([...ids.values()].every((times) => times === 1))
  deepEqual(await readdir(join(folder, 'imports')), [])
})

test('a batch whose answer was lost is sent again, and its repeats are recognised and counted', async () => {
  const file = await fileOf(HEADER + rows(2_500))
  const progress = await progressOf(file)
  let saves = 0
  const forgetful = {
    ...progress,
    async save(position: Parameters<typeof progress.save>[0]) {
      if (++saves === 2) throw new Error('the power went out')
      await progress.save(position)
    },
  }
  await rejects(run(file, csv, { progress: forgetful }), /the power went out/)
  const report = await run(file, csv)
  equal(report.resumedAfterRow, MAX_BATCH_EVENTS)
  equal(report.settled.duplicates, (await server.events()).length - 2_500)
  ok(report.settled.duplicates >= MAX_BATCH_EVENTS)
  equal((await eventIds(server)).size, 2_500)
})

test('a new beginning, another content or another mapping does not resume', async () => {
  const file = await fileOf(HEADER + rows(50))
  const progress = await progressOf(file)
  await progress.save({ rows: 40, accepted: 40, rejected: 0, skipped: 0, words: {} })
  deepEqual(counts(await run(file, csv, { restart: true })), [50, 0, 0, 0])
  await progress.save({ rows: 40, accepted: 40, rejected: 0, skipped: 0, words: {} })
  await writeFile(file, HEADER + rows(60))
  equal((await run(file, csv)).resumedAfterRow, 0)
  await writeFile(file, HEADER + rows(50))
})

test('skipped rows are counted, also over two tries', async () => {
  const even = mappingOf(`
topic: truck-readings
format: csv
fields: {truckId: id, recordedAt: at, temperatureC: t}
skipWhen: int(row.t) % 2 == 1`)
  const file = await fileOf(HEADER + rows(4_801))
  const stop = new AbortController()
  server.onPost = () => stop.abort()
  ok((await run(file, even, { signal: stop.signal })).interrupted)
  server.onPost = () => {}
  const report = await run(file, even)
  ok(report.resumedAfterRow > 0)
  deepEqual(counts(report), [2_401, 0, 2_400, 0])
})

test('a busy server is waited for; one that goes away is named', async () => {
  server.refusals.push(503, 429, 413)
  deepEqual(counts(await run(await fileOf(HEADER + rows(10)), csv)), [10, 0, 0, 0])
  server.refusals.push(400)
  await rejects(run(await fileOf(HEADER + rows(11)), csv), {
    code: 'server-failed',
    retry: 'never',
  })
})

test('a wrong token is named as such', async () => {
  const { createHttpSink } = await import('./http-sink.ts')
  const signal = new AbortController().signal
  const sink = createHttpSink({ baseUrl: server.url, token: 'wrong', clock: systemClock(), signal })
  await rejects(run(await fileOf(HEADER + rows(1)), csv, { sink }), /Set OUTRIDER_ADMIN_TOKEN/)
})

test('columns become rows where the mapping says so', async () => {
  const wide = mappingOf(`
topic: truck-readings
format: csv
unpivot: {keep: [time], name: box, value: celsius}
fields: {truckId: box, recordedAt: time, temperatureC: celsius}`)
  const file = await fileOf('time,A,B,C\n1700000000000,1,2,3\n1700000001000,4,x,6\n')
  const report = await run(file, wide)
  deepEqual(counts(report), [5, 1, 0, 0])
  equal(report.refused[0]?.row, 5)
  const found = (await server.events()).map(
    ({ key, value }) => `${key} ${JSON.parse(Buffer.from(value).toString()).temperatureC}`,
  )
  deepEqual(found.sort(), ['A 1', 'A 4', 'B 2', 'C 3', 'C 6'])
})

test('the format may be told by the first byte', async () => {
  const either = mappingOf(`
topic: truck-readings
format: auto
fields: {truckId: id, recordedAt: at, temperatureC: t}`)
  deepEqual(counts(await run(await fileOf(HEADER + rows(3)), either)), [3, 0, 0, 0])
  const json = `\n {"id":"T","at":1700000000000,"t":4}\n`
  deepEqual(counts(await run(await fileOf(json), either)), [1, 0, 0, 0])
})

/** Time that passes only when it is waited for. */
function virtualClock() {
  let nowMs = 0
  return {
    nowMs: () => nowMs,
    monotonicMs: () => nowMs,
    async sleep(durationMs: number) {
      nowMs += durationMs
    },
  }
}

test('with a speed-up events wait until their time has come, and one wrong clock stops nothing', async () => {
  const clock = virtualClock()
  const pacer = new Pacer(clock, 60)
  equal(pacer.waitMs(0), 0)
  equal(pacer.waitMs(60_000), 1_000)
  await clock.sleep(1_000)
  equal(pacer.waitMs(30_000), 0)
  equal(pacer.waitMs(90_000), 500)
  await clock.sleep(400)
  equal(pacer.waitMs(120_000), 600)
  await clock.sleep(600)
  const far = 180_000 + 60 * MAX_PACE_WAIT_MS + 1
  equal(pacer.waitMs(far), 0)
  equal(pacer.waitMs(180_000), 1_000)
  await clock.sleep(1_000)
  for (let event = 0; event < EVENTS_BEYOND_GAP; event++) equal(pacer.waitMs(far), 0)
  equal(pacer.waitMs(far + 60_000), 1_000)
})

test('an import with a speed-up takes the time that its events took, divided', async () => {
  const clock = virtualClock()
  await run(await fileOf(HEADER + rows(61)), csv, { clock, speedup: 10 })
  equal(clock.nowMs(), 6_000)
  equal((await server.events()).length, 61)
})
