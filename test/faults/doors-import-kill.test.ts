// An import that is killed again and again loses no row and, by its event ids, repeats none.

import { equal, ok } from 'node:assert/strict'
import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, test } from 'node:test'
import { fileURLToPath } from 'node:url'
import { gzipSync } from 'node:zlib'
import { eventIds, type ImportServer, startImportServer, TOKEN } from './import-under-test.ts'

const MAIN = fileURLToPath(new URL('../../src/app/main.ts', import.meta.url))
const ROWS = 12_000
const KILLS = 5

let folder: string
let server: ImportServer
before(async () => {
  folder = await mkdtemp(join(tmpdir(), 'outrider-import-kill-'))
  server = await startImportServer()
})
after(async () => {
  await server.close()
  await rm(folder, { recursive: true })
})

function outrider(...args: readonly string[]): ChildProcess {
  const { PATH } = process.env
  const environment = { PATH, OUTRIDER_ADMIN_TOKEN: TOKEN, OUTRIDER_DATA_DIR: join(folder, 'data') }
  return spawn(process.execPath, [MAIN, ...args, '--to', server.url], {
    cwd: folder,
    env: environment,
    stdio: ['ignore', 'pipe', 'pipe'],
  })
}

async function ended(
  child: ChildProcess,
): Promise<{ code: number | null; out: string; err: string }> {
  let out = ''
  let err = ''
  child.stdout?.on('data', (chunk) => {
    out += chunk
  })
  child.stderr?.on('data', (chunk) => {
    err += chunk
  })
  const [code] = await once(child, 'close')
  return { code, out, err }
}

async function trucksFile(name: string): Promise<string> {
  const header = 'truck_id,timestamp,temperature,fuel_level,latitude,longitude,speed\n'
  const rows = Array.from(
    { length: ROWS },
    (_, row) => `T-${row % 9},${1_700_000_000 + row},${(row % 300) / 10},50,-1.2,36.8,40\n`,
  )
  const file = join(folder, name)
  await writeFile(file, gzipSync(header + rows.join('')))
  return file
}

test(`an import killed ${KILLS} times goes on each time, and every row is there under one id`, async () => {
  const file = await trucksFile('trucks.csv.gz')
  const args = ['import', file, '--mapping', 'truck-sensors']
  for (let kill = 1; kill <= KILLS; kill++) {
    let posts = 0
    const child = outrider(...args)
    server.onPost = () => {
      if (++posts === 2) child.kill('SIGKILL')
    }
    await ended(child)
    equal(child.signalCode, 'SIGKILL')
    server.onPost = () => {}
  }
  const last = await ended(outrider(...args, '--json'))
  equal(last.code, 0, last.err)
  const report = JSON.parse(last.out)
  ok(report.resumedAfterRow > 0, 'it began anew')
  equal(report.rows, ROWS)
  const ids = await eventIds(server)
  equal(ids.size, ROWS)
  // Sent twice at most where a kill came between the answer and the note of it.
  const repeats = [...ids.values()].reduce((sum, times) => sum + times - 1, 0)
  ok(repeats <= KILLS * 2_000, `${repeats} repeats`)
})

test('Ctrl-C ends an import with exit code 1 and how to go on', async () => {
  const file = await trucksFile('again.csv.gz')
  const child = outrider('import', file, '--mapping', 'truck-sensors')
  server.onPost = () => child.kill('SIGINT')
  const { code, err } = await ended(child)
  server.onPost = () => {}
  equal(code, 1)
  ok(err.includes('Give the same command again to go on.'), err)
})

test('what is wrong with the command or the file is told in one line with its exit code', async () => {
  const empty = join(folder, 'empty.csv')
  await writeFile(empty, '')
  const cases: readonly (readonly [readonly string[], number, string])[] = [
    [
      ['import', join(folder, 'gone.csv'), '--mapping', 'truck-sensors'],
      2,
      'there is no such file',
    ],
    [['import', folder, '--mapping', 'truck-sensors'], 2, 'is a folder'],
    [
      ['import', empty, '--mapping', 'trucks'],
      2,
      'Built in are: ais, car-sensors, cold-chain-logger, envirocar, metr-la, nyc-green-taxi, nyc-taxi-mixed, obd-kit, ride-trips, scms, truck-sensors, twizy.',
    ],
    [['import', empty, '--mapping', empty], 2, ':1:1: a mapping is a YAML map'],
    [['import', empty, '--mapping', 'truck-sensors', '--speedup', 'fast'], 2, '--speedup must be'],
    [['import', empty, '--mapping', 'truck-sensors'], 1, 'It is empty.'],
  ]
  for (const [args, expected, message] of cases) {
    const { code, err } = await ended(outrider(...args))
    equal(code, expected, err)
    ok(err.includes(message), err)
  }
})
