// FAULTS 4 and 5: the running program is killed again and again under load; whatever it had acknowledged
// is in the archive, once.

import assert from 'node:assert/strict'
import { test } from 'node:test'
import { seededRandom } from '../../src/adapters/random/seeded-random.ts'
import { type Program, runCommand, startProgram, temporaryDataDir } from '../program.ts'

const KILLS = Number(process.env.OUTRIDER_TEST_KILLS ?? 20)
const SENDERS = 4
const BATCH = 50
const TRUCKS = 200
/** Longest life between two kills. */
const LIFE_MS = 700

interface Load {
  readonly acknowledged: Set<string>
  /** Where the senders send now; null while the program is away. */
  address: string | null
  ended: boolean
}

test(`whatever was acknowledged is archived once, over ${KILLS} kills under load`, async (t) => {
  const dataDir = temporaryDataDir(t)
  const seed = Number(process.env.OUTRIDER_TEST_SEED ?? Date.now() % 1_000_000)
  t.diagnostic(`seed ${seed} (OUTRIDER_TEST_SEED)`)
  const random = seededRandom(seed)
  const load: Load = { acknowledged: new Set(), address: null, ended: false }
  const senders = Array.from({ length: SENDERS }, (_, index) => send(load, index))
  const readyMs: number[] = []
  let program: Program | undefined
  try {
    for (let kill = 0; kill < KILLS; kill++) {
      const startedMs = performance.now()
      program = await startProgram(dataDir)
      readyMs.push(performance.now() - startedMs)
      load.address = program.address
      await pause(random.next() * LIFE_MS)
      load.address = null
      await program.kill()
    }
    program = await startProgram(dataDir)
    load.address = program.address
    await pause(LIFE_MS)
  } finally {
    load.ended = true
    await Promise.all(senders)
    if (load.address === null) await program?.kill()
  }
  readyMs.sort((a, b) => a - b)
  t.diagnostic(
    `${load.acknowledged.size} acknowledged; ready again after ${Math.round(readyMs[readyMs.length >> 1] ?? 0)} ms ` +
      `(median), ${Math.round(readyMs.at(-1) ?? 0)} ms (worst)`,
  )
  assert.ok(load.acknowledged.size > KILLS * BATCH, 'the load was real')
  await untilArchived(program.address)
  const archived = await archivedOnce(program.address)
  const lost = [...load.acknowledged].filter((id) => archived.get(id) === undefined)
  const repeated = [...archived].filter(([, count]) => count > 1)
  assert.deepEqual(
    { lost: lost.slice(0, 5), repeated: repeated.slice(0, 5) },
    { lost: [], repeated: [] },
  )
  assert.equal(await program.stop(), 0, program.output())
  const verified = await runCommand(['verify', '--json', '--data-dir', dataDir])
  assert.equal(verified.code, 0, verified.stdout + verified.stderr)
})

/** Sends batch after batch, each until it is acknowledged, as a device with a buffer would. */
async function send(load: Load, sender: number): Promise<void> {
  let sequence = 0
  while (!load.ended) {
    const ids: string[] = []
    const lines: string[] = []
    for (let index = 0; index < BATCH; index++) {
      const eventId = `s${sender}-${sequence++}`
      ids.push(eventId)
      lines.push(
        JSON.stringify({
          truckId: `T${sender}-${sequence % TRUCKS}`,
          recordedAt: Date.now(),
          eventId,
          temperatureC: 4 + (sequence % 50) / 10,
        }),
      )
    }
    const body = lines.join('\n')
    for (;;) {
      if (await deliver(load.address, body)) {
        for (const id of ids) load.acknowledged.add(id)
        break
      }
      if (load.ended) return
      await pause(5)
    }
  }
}

async function deliver(address: string | null, body: string): Promise<boolean> {
  if (address === null) return false
  try {
    const response = await fetch(`${address}/api/v1/events/truck-readings`, {
      method: 'POST',
      headers: { 'content-type': 'application/x-ndjson' },
      body,
    })
    const { accepted } = (await response.json()) as { accepted?: number }
    return response.status === 202 && accepted === BATCH
  } catch {
    return false
  }
}

async function untilArchived(address: string): Promise<void> {
  for (;;) {
    const topics = (await (await fetch(`${address}/api/v1/topics`)).json()) as {
      partitions: { lag: number }[]
    }[]
    if (topics.flatMap(({ partitions }) => partitions).every(({ lag }) => lag === 0)) return
    await pause(20)
  }
}

/** How many rows of each event id count, repeats flagged as such left out. */
async function archivedOnce(address: string): Promise<Map<string, number>> {
  const response = await fetch(
    `${address}/api/v1/history/truck-readings?from=0&to=4102444800000&duplicates=false`,
    { headers: { accept: 'application/x-ndjson' } },
  )
  const counts = new Map<string, number>()
  for (const line of (await response.text()).split('\n')) {
    if (line === '') continue
    const { eventId } = JSON.parse(line) as { eventId: string }
    counts.set(eventId, (counts.get(eventId) ?? 0) + 1)
  }
  return counts
}

function pause(durationMs: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, durationMs))
}
