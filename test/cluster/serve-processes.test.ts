// Several serve processes beside one that ingests and processes, over Redis: the same feed at each, a client
// that goes on at another one, and views that come back after Redis lost them.

import assert from 'node:assert/strict'
import { after, before, describe, it } from 'node:test'
import { type Program, runCommand, startProgram, temporaryDataDir } from '../program.ts'
import { requireOrSkip } from '../requirements.ts'
import { postgresMissing, startPostgres, type TestPostgresServer } from '../servers/postgres.ts'
import { redisMissing, startRedis, type TestRedis } from '../servers/redis.ts'
import { until } from '../waiting.ts'
import { FeedReader } from './feed-reader.ts'

const missing = [redisMissing(), postgresMissing()].filter((reason) => reason !== undefined)

let minute = 0

function reading(truckId: string, temperatureC: number): string {
  minute += 1
  const recordedAt = new Date(Date.UTC(2026, 0, 1) + minute * 60_000).toISOString()
  return JSON.stringify({ truckId, recordedAt, temperatureC, profile: 'vaccine' })
}

async function send(address: string, events: readonly string[]): Promise<void> {
  const response = await fetch(`${address}/api/v1/events/truck-readings`, {
    method: 'POST',
    headers: { 'content-type': 'application/x-ndjson' },
    body: events.join('\n'),
  })
  assert.equal(response.status, 202, await response.text())
}

async function alertOf(address: string, truckId: string): Promise<Record<string, unknown>> {
  const response = await fetch(`${address}/api/v1/alerts?entity=${truckId}`)
  const { items } = Object(await response.json())
  return Object(items?.[0])
}

const isAlertOf = (truckId: string) => (event: { event: string; data: Record<string, unknown> }) =>
  event.event === 'alert' && event.data.entityId === truckId

describe('serve processes', { skip: missing.length > 0 && missing.join('; ') }, () => {
  const started: { stop(): Promise<unknown> }[] = []
  let postgres: TestPostgresServer
  let redis: TestRedis
  let worker: Program
  let serving: Program[] = []
  let dataDir = ''
  const cleanups: (() => void)[] = []
  const context = { after: (work: () => void) => cleanups.push(work) }

  const environment = (): NodeJS.ProcessEnv => ({ ...postgres.settings, ...redis.settings })
  const start = async (roles: string): Promise<Program> => {
    const program = await startProgram(dataDir, ['--no-simulate', '--roles', roles], environment())
    started.push(program)
    return program
  }
  const addressOf = (index: number): string => serving[index]?.address ?? ''

  before(async () => {
    dataDir = temporaryDataDir(context)
    postgres = await startPostgres()
    started.push(postgres)
    redis = await startRedis()
    started.push(redis)
    worker = await start('doors,tasks')
    serving = await Promise.all([start('serve'), start('serve')])
  })
  after(async () => {
    for (const each of started.reverse()) await each.stop()
    for (const cleanup of cleanups) cleanup()
  })

  it('tell the same alerts, show the same trucks, and know how far the topics are', async () => {
    const feeds = await Promise.all([FeedReader.open(addressOf(0)), FeedReader.open(addressOf(1))])
    await send(worker.address, [reading('T-1', 5), reading('T-1', 9)])
    for (const feed of feeds) {
      await until('the alert comes', () => feed.count(isAlertOf('T-1')) > 0)
      feed.close()
    }
    for (const address of [addressOf(0), addressOf(1)]) {
      await until('the truck is shown', async () => {
        const { items } = Object(await (await fetch(`${address}/api/v1/trucks`)).json())
        return items.length === 1 && items[0].truckId === 'T-1'
      })
      await until('nothing lags', async () => {
        const topics = Object(await (await fetch(`${address}/api/v1/topics`)).json())
        const readings = topics.find(({ topic }: { topic: string }) => topic === 'truck-readings')
        const ends = readings.partitions.map((each: { endOffset: number }) => each.endOffset)
        const lags = readings.partitions.map((each: { lag: number }) => each.lag)
        return Math.max(...ends) === 2 && Math.max(...lags) === 0
      })
    }
  })

  it('tell each other what people did about an alert', async () => {
    await until('the alert is recorded', async () => {
      return (await alertOf(addressOf(0), 'T-1')).id !== undefined
    })
    const { id } = await alertOf(addressOf(0), 'T-1')
    const feed = await FeedReader.open(addressOf(1))
    await until('the feed is live', () => feed.count(({ event }) => event === 'ready') === 1)
    const response = await fetch(`${addressOf(0)}/api/v1/alerts/${id}/acknowledge`, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: '{}',
    })
    assert.equal(response.status, 200)
    await until('the other one tells', () =>
      feed.events.some((each) => isAlertOf('T-1')(each) && each.data.acknowledgedBy === 'local'),
    )
    feed.close()
  })

  it('let a client go on at another one, with what it missed and no snapshot', async () => {
    const first = await FeedReader.open(addressOf(0))
    await until('it is live', () => first.count(({ event }) => event === 'ready') === 1)
    await send(worker.address, [reading('T-2', 9)])
    await until('the alert comes', () => first.count(isAlertOf('T-2')) > 0)
    await until('it is numbered', () => first.lastEventId !== undefined)
    first.close()
    await send(worker.address, [reading('T-3', 9)])
    const last = first.lastEventId ?? ''
    const second = await FeedReader.open(addressOf(1), { lastEventId: last })
    await until('it hears what it missed', () => second.count(isAlertOf('T-3')) > 0)
    await until('it is live again', () => second.count(({ event }) => event === 'ready') === 1)
    const ready = second.events.find(({ event }) => event === 'ready')
    assert.equal(ready?.data.resumed, true)
    assert.equal(
      second.count(({ event }) => event === 'reset'),
      0,
    )
    assert.equal(second.count(isAlertOf('T-1')), 0, 'what it had is not told again')
    second.close()
  })

  it('go on when Redis loses everything, and it is filled again', async (t) => {
    const feed = await FeedReader.open(addressOf(0))
    await until('it is live', () => feed.count(({ event }) => event === 'ready') === 1)
    const startedMs = performance.now()
    await redis.restart()
    await send(worker.address, [reading('T-4', 5)])
    await until('a new truck arrives', () => feed.count(({ data }) => data.key === 'T-4') > 0)
    t.diagnostic(
      `a reading is shown ${Math.round(performance.now() - startedMs)} ms after the loss`,
    )
    const trucks = Object(await (await fetch(`${addressOf(0)}/api/v1/trucks`)).json())
    assert.equal(trucks.items.length, 4, 'pages never showed less')
    const last = await start('serve')
    await until('everything is there again', async () => {
      const found = Object(await (await fetch(`${last.address}/api/v1/trucks`)).json())
      const overview = Object(await (await fetch(`${last.address}/api/v1/overview`)).json())
      return found.items.length === 4 && overview.alerts.open === 3
    })
    await last.stop()
    assert.equal(feed.ended, false, 'streams never ended')
    feed.close()
  })

  it('end their streams when they are stopped, within ten seconds, and say so before', async () => {
    const [first] = serving
    assert.ok(first !== undefined)
    const feed = await FeedReader.open(first.address)
    await until('it is live', () => feed.count(({ event }) => event === 'ready') === 1)
    const startedMs = performance.now()
    const stopped = first.stop()
    await until(
      'it is not ready',
      async () => (await fetch(`${first.address}/readyz`)).status === 503,
    )
    const answer = await fetch(`${first.address}/api/v1/trucks`)
    assert.equal(answer.status, 503)
    assert.equal(Object(await answer.json()).code, 'shutting-down')
    await until('the stream has ended', () => feed.ended)
    assert.equal(await stopped, 0)
    assert.ok(performance.now() - startedMs < 10_000)
    serving = [await start('serve'), ...serving.slice(1)]
  })

  it('leave the archive whole when the process that writes is killed', async () => {
    for (let n = 0; n < 50; n++) await send(worker.address, [reading(`K-${n % 7}`, 5)])
    await worker.kill()
    const answer = await fetch(`${addressOf(1)}/api/v1/trucks`)
    assert.equal(answer.status, 200, 'pages go on')
    worker = await start('doors,tasks')
    await send(worker.address, [reading('K-0', 5)])
    await until('nothing lags', async () => {
      const topics = Object(await (await fetch(`${addressOf(1)}/api/v1/topics`)).json())
      return topics.every(({ partitions }: { partitions: { lag: number }[] }) =>
        partitions.every(({ lag }) => lag === 0),
      )
    })
    const verified = await runCommand(['verify', '--data-dir', dataDir], environment())
    assert.equal(verified.code, 0, verified.stdout + verified.stderr)
  })
})

describe('roles in processes of their own', () => {
  it('that lack what they need are refused, with all of it named', async (t) => {
    const dataDir = temporaryDataDir(t)
    const start = (roles: string): Promise<{ code: number | null; stderr: string }> =>
      runCommand(['start', '--port', '0', '--data-dir', dataDir, '--no-simulate', '--roles', roles])
    const tasks = await start('tasks')
    assert.equal(tasks.code, 2)
    assert.match(tasks.stderr, /OUTRIDER_KAFKA_BROKERS/)
    assert.match(tasks.stderr, /OUTRIDER_DATABASE_URL/)
    assert.match(tasks.stderr, /OUTRIDER_VIEWS=redis/)
    const serve = await start('serve')
    assert.doesNotMatch(serve.stderr, /KAFKA/)
    assert.match(serve.stderr, /OUTRIDER_DATABASE_URL/)
    const nonsense = await start('doors,windows')
    assert.match(nonsense.stderr, /one of doors, tasks, work, serve; found "windows"/)
  })

  it('need a Redis and a PostgreSQL to be tested', (t) => {
    requireOrSkip(t, 'servers', missing.length === 0, missing.join('; '))
  })
})
