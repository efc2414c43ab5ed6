// The views in Redis against a real server: the contract, several processes' worth of readers, outages, and a
// store that loses everything.

import assert from 'node:assert/strict'
import { randomUUID } from 'node:crypto'
import { after, describe, it, type TestContext } from 'node:test'
import { silentLogger } from '../../../test/postgres-server.ts'
import { requireOrSkip } from '../../../test/requirements.ts'
import { redisMissing, startRedis, type TestRedis } from '../../../test/servers/redis.ts'
import { UNHANDLED } from '../../ports/alert.ts'
import { alertOf, entryOf, viewsContract } from '../../ports/views.contract.ts'
import type { FeedMessage } from '../../ports/views.ts'
import { systemClock } from '../clock/system-clock.ts'
import { connectRedis } from './redis-connection.ts'
import { MAX_FEED_RECORDS, redisKeys } from './redis-script.ts'
import { openRedisPublisher, openRedisViews, type RedisPlace } from './redis-views.ts'

const missing = redisMissing()
let running: Promise<TestRedis> | null = null
after(async () => (await running)?.stop())

function sharedRedis(): Promise<TestRedis> {
  running ??= startRedis()
  return running
}

function placeOf({ url }: Pick<TestRedis, 'url'>, change: Partial<RedisPlace> = {}): RedisPlace {
  return {
    url,
    installation: randomUUID(),
    clock: systemClock(),
    logger: silentLogger,
    newGeneration: () => randomUUID(),
    onLost: () => undefined,
    ...change,
  }
}

function hasRedis(t: TestContext): boolean {
  return requireOrSkip(t, 'Redis', missing === undefined, missing ?? '')
}

/** Waits for a condition that others bring about. */
async function until(what: string, condition: () => boolean | Promise<boolean>): Promise<void> {
  const deadline = performance.now() + 20_000
  while (!(await condition())) {
    assert.ok(performance.now() < deadline, `in vain: ${what}`)
    await new Promise((resolve) => setTimeout(resolve, 5))
  }
}

if (missing === undefined) {
  viewsContract('Redis', async () => {
    const views = await openRedisViews(placeOf(await sharedRedis()))
    return { views, settle: views.settle, close: views.close }
  })
}

describe('views in Redis', () => {
  it('are the same for every process, with the same numbers', async (t) => {
    if (!hasRedis(t)) return
    const place = placeOf(await sharedRedis())
    const publisher = await openRedisPublisher(place)
    const [a, b] = [await openRedisViews(place), await openRedisViews(place)]
    const heard: Record<'a' | 'b', string[]> = { a: [], b: [] }
    const hear =
      (who: 'a' | 'b') =>
      (messages: readonly FeedMessage[], { feed, sequence }: { feed: string; sequence: number }) =>
        heard[who].push(`${feed} ${sequence} ${JSON.stringify(messages)}`)
    a.subscribe(hear('a'))
    b.subscribe(hear('b'))
    for (let n = 1; n <= 300; n++) {
      await publisher.put([entryOf(`k${n % 7}`, n)])
      if (n % 10 === 0) await publisher.publishAlerts([alertOf(String(n))])
    }
    await a.publishHandling({
      id: '10',
      tenantId: 'default',
      isResolved: false,
      json: '{}',
      handling: { ...UNHANDLED, acknowledgedAt: null, acknowledgedBy: null, assignee: 'x' },
    })
    await publisher.flush()
    await a.settle()
    // The handling may have been written before the last of the publisher, so both are waited for.
    const last = Math.max(publisher.sequence, a.position().sequence)
    await until('both readers are there', () =>
      [a, b].every((reader) => reader.position().sequence >= last),
    )
    assert.deepEqual(heard.a, heard.b)
    assert.ok(heard.a.length > 1)
    assert.deepEqual(await a.list('things'), await b.list('things'))
    assert.equal((await b.openAlerts()).length, 30)
    const late = await openRedisViews(place)
    assert.deepEqual(await late.list('things'), await a.list('things'))
    assert.equal((await late.openAlerts()).length, 30)
    assert.deepEqual(late.position(), a.position())
    await Promise.all([publisher.close(), a.close(), b.close(), late.close()])
  })

  it('tell alerts apart from entities, which may be many and wait', async (t) => {
    if (!hasRedis(t)) return
    const place = placeOf(await sharedRedis())
    const publisher = await openRedisPublisher(place)
    const views = await openRedisViews(place)
    const told: (readonly FeedMessage[])[] = []
    views.subscribe((messages) => told.push(messages))
    const entities = 500
    for (let n = 1; n <= entities; n++) {
      await publisher.put([entryOf(`k${n}`, n)])
      if (n % 50 === 0) await publisher.publishAlerts([alertOf(String(n))])
    }
    await publisher.flush()
    await until('all was told', () => views.position().sequence >= publisher.sequence)
    assert.equal(told.flat().length, entities + entities / 50)
    for (const messages of told) {
      assert.equal(new Set(messages.map(({ type }) => type)).size, 1, JSON.stringify(messages))
    }
    await Promise.all([publisher.close(), views.close()])
  })

  it('of several publishers end with the newest put, whoever sent it', async (t) => {
    if (!hasRedis(t)) return
    const place = placeOf(await sharedRedis())
    const publishers = await Promise.all([1, 2, 3].map(() => openRedisPublisher(place)))
    const views = await openRedisViews(place)
    for (let n = 1; n <= 3_000; n++) {
      await publishers[n % 3]?.put([entryOf(`k${n % 50}`, n)])
      if (n % 100 === 0) await publishers[n % 3]?.flush()
    }
    for (const publisher of publishers) await publisher.flush()
    await until('the newest of each key', async () => {
      const offsets = (await views.list('things')).map(({ version }) => version.offset)
      return offsets.length === 50 && Math.min(...offsets) > 2_950
    })
    await Promise.all([...publishers, views].map((each) => each.close()))
  })

  it('that were flushed are noticed within two seconds and filled again, by a publisher that rests', async (t) => {
    if (!hasRedis(t)) return
    const server = await startRedis()
    let lost = 0
    const place = placeOf(server, { onLost: () => (lost += 1) })
    const publisher = await openRedisPublisher(place)
    const views = await openRedisViews(placeOf(server, { installation: place.installation }))
    const entries = Array.from({ length: 1_000 }, (_, index) => entryOf(`k${index}`, index))
    await publisher.put(entries)
    await publisher.flush()
    await until('everything is there', async () => (await views.list('things')).length === 1_000)
    const before = views.position()
    await server.flush()
    const flushedMs = performance.now()
    await until('the loss is noticed', () => lost > 0)
    t.diagnostic(`noticed after ${Math.round(performance.now() - flushedMs)} ms`)
    assert.ok(performance.now() - flushedMs < 2_000)
    assert.equal((await views.list('things')).length, 1_000, 'pages go on with what was known')
    await publisher.put([...entries, entryOf('new', 1)])
    await publisher.flush()
    await until('what is new arrives', async () => (await views.list('things')).length === 1_001)
    assert.notEqual(views.position().feed, before.feed)
    assert.ok(views.position().sequence > before.sequence)
    const fresh = await openRedisViews(placeOf(server, { installation: place.installation }))
    assert.equal((await fresh.list('things')).length, 1_001)
    await Promise.all([publisher.close(), views.close(), fresh.close()])
    await server.stop()
  })

  it('outlast a server that is killed: puts wait, merged, and arrive', async (t) => {
    if (!hasRedis(t)) return
    const server = await startRedis()
    let lost = 0
    const place = placeOf(server, { onLost: () => (lost += 1) })
    const publisher = await openRedisPublisher(place)
    const views = await openRedisViews(placeOf(server, { installation: place.installation }))
    await publisher.put([entryOf('a', 1)])
    await publisher.flush()
    await server.node().kill()
    for (let n = 2; n <= 500; n++) await publisher.put([entryOf('a', n)])
    await publisher.publishAlerts([alertOf('1')])
    await until('the outage is known', () => publisher.problem() !== null)
    await until('the reader knows it too', () => views.problem() !== null)
    assert.equal((await views.get('things', 'a', 'default'))?.version.offset, 1)
    await server.restart()
    const backMs = performance.now()
    await publisher.flush()
    await until('the newest is seen', async () => {
      return (await views.get('things', 'a', 'default'))?.version.offset === 500
    })
    t.diagnostic(`caught up ${Math.round(performance.now() - backMs)} ms after the restart`)
    await until('the alert is seen', async () => (await views.openAlerts()).length === 1)
    assert.equal(publisher.problem(), null)
    await until('the reader is well', () => views.problem() === null)
    assert.equal(lost, 1, 'it came back empty')
    await Promise.all([publisher.close(), views.close()])
    await server.stop()
  })

  it('say that messages are missing where a reader was too far behind', async (t) => {
    if (!hasRedis(t)) return
    const server = await startRedis()
    const place = placeOf(server)
    const publisher = await openRedisPublisher(place)
    const views = await openRedisViews(place)
    await publisher.put([entryOf('a', 1)])
    await views.settle()
    const heard: FeedMessage[] = []
    views.subscribe((messages) => heard.push(...messages))
    const client = await connectRedis(place.url, 'test')
    const keys = redisKeys(place.installation)
    // As after a pause of the reader in which the feed was trimmed past what it had read.
    await client.multi().incrBy(keys.sequence, MAX_FEED_RECORDS).del(keys.feed).exec()
    client.destroy()
    await publisher.put([entryOf('b', 1)])
    await publisher.flush()
    await until('the gap is told', () => heard.some(({ type }) => type === 'gap'))
    assert.equal((await views.list('things')).length, 2)
    await Promise.all([publisher.close(), views.close()])
    await server.stop()
  })

  it('keep the feed in bounds', async (t) => {
    if (!hasRedis(t)) return
    const place = placeOf(await sharedRedis())
    const client = await connectRedis(place.url, 'test')
    const keys = redisKeys(place.installation)
    for (let n = 1; n <= MAX_FEED_RECORDS + 500; n++) {
      await client.apply(keys, ['gen', '0', 'H', `H{"n":${n}}`])
    }
    const length = await client.xLen(keys.feed)
    assert.ok(length <= MAX_FEED_RECORDS * 1.2, `${length} records`)
    client.destroy()
  })

  it('refuse wrong credentials, and name the place where nobody answers, without the password', async (t) => {
    if (!hasRedis(t)) return
    const server = await startRedis({ password: 'right' })
    const wrong = server.url.replace('right', 'wrong')
    await assert.rejects(openRedisViews(placeOf({ url: wrong })), (error: Error) => {
      assert.equal(Object(error).code, 'bad-setting')
      assert.ok(!error.message.includes('wrong'))
      assert.match(error.message, new RegExp(`127.0.0.1:${server.port}`))
      return true
    })
    const views = await openRedisViews(placeOf(server))
    await views.close()
    await server.stop()
    await assert.rejects(openRedisViews(placeOf(server)), { code: 'views-unavailable' })
  })
})
