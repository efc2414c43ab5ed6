// The views in DynamoDB against Amazon's DynamoDB Local: the contract, several processes' worth of readers,
// outages, too little capacity, and a table that loses everything.

import assert from 'node:assert/strict'
import { randomUUID } from 'node:crypto'
import { after, describe, it, type TestContext } from 'node:test'
import {
  DeleteItemCommand,
  DeleteTableCommand,
  PutItemCommand,
  UpdateItemCommand,
} from '@aws-sdk/client-dynamodb'
import { openLinkProxy } from '../../../test/link-proxy.ts'
import { silentLogger } from '../../../test/postgres-server.ts'
import { requireOrSkip } from '../../../test/requirements.ts'
import {
  DYNAMODB_CREDENTIALS,
  dynamoDbMissing,
  startDynamoDb,
  type TestDynamoDb,
} from '../../../test/servers/dynamodb.ts'
import { openThrottlingFront } from '../../../test/servers/throttling-front.ts'
import { until } from '../../../test/waiting.ts'
import { UNHANDLED } from '../../ports/alert.ts'
import { alertOf, entryOf, viewsContract } from '../../ports/views.contract.ts'
import type { FeedMessage } from '../../ports/views.ts'
import { systemClock } from '../clock/system-clock.ts'
import { type DynamoDbAddress, dynamoDbClient } from './dynamodb-client.ts'
import { createTable, dynamoDbNames } from './dynamodb-table.ts'
import {
  type DynamoDbViewsPlace,
  openDynamoDbPublisher,
  openDynamoDbViews,
} from './dynamodb-views.ts'

const TABLE = 'outrider-views'
Object.assign(process.env, DYNAMODB_CREDENTIALS)

const missing = dynamoDbMissing()
let running: Promise<TestDynamoDb> | null = null
after(async () => (await running?.catch(() => null))?.stop())

async function sharedDynamoDb(): Promise<TestDynamoDb> {
  running ??= startDynamoDb().then(async (server) => {
    await withClient(addressOf(server), (client, address) => createTable(client, address))
    return server
  })
  return running
}

function addressOf({ endpoint, region }: TestDynamoDb, table = TABLE): DynamoDbAddress {
  return { endpoint, region, table }
}

async function withClient(
  address: DynamoDbAddress,
  work: (client: ReturnType<typeof dynamoDbClient>, address: DynamoDbAddress) => Promise<unknown>,
): Promise<void> {
  const client = dynamoDbClient(address)
  await work(client, address)
  client.destroy()
}

function placeOf(
  address: DynamoDbAddress,
  change: Partial<DynamoDbViewsPlace> = {},
): DynamoDbViewsPlace {
  return {
    address,
    installation: randomUUID(),
    clock: systemClock(),
    logger: silentLogger,
    newGeneration: () => randomUUID(),
    onLost: () => undefined,
    ...change,
  }
}

/** The place of a test, on the shared server; undefined, the test skipped, where there is none. */
async function sharedPlace(
  t: TestContext,
  change: Partial<DynamoDbViewsPlace> = {},
): Promise<DynamoDbViewsPlace | undefined> {
  if (!requireOrSkip(t, 'DynamoDB Local', missing === undefined, missing ?? '')) return undefined
  return placeOf(addressOf(await sharedDynamoDb()), change)
}

function closing<T extends { close(): Promise<void> }>(t: TestContext, opened: T): T {
  t.after(() => opened.close())
  return opened
}

if (missing === undefined) {
  viewsContract('DynamoDB', async () => {
    const views = await openDynamoDbViews(placeOf(addressOf(await sharedDynamoDb())))
    return { views, settle: views.settle, close: views.close }
  })
}

describe('views in DynamoDB', () => {
  it('are the same for every process, with the same numbers', async (t) => {
    const place = await sharedPlace(t)
    if (place === undefined) return
    const publisher = closing(t, await openDynamoDbPublisher(place))
    const other = closing(t, await openDynamoDbPublisher(place))
    const a = closing(t, await openDynamoDbViews(place))
    const b = closing(t, await openDynamoDbViews(place))
    const heard: Record<'a' | 'b', string[]> = { a: [], b: [] }
    const hear =
      (who: 'a' | 'b') =>
      (messages: readonly FeedMessage[], { feed, sequence }: { feed: string; sequence: number }) =>
        heard[who].push(`${feed} ${sequence} ${JSON.stringify(messages)}`)
    a.subscribe(hear('a'))
    b.subscribe(hear('b'))
    for (let n = 1; n <= 100; n++) {
      await (n % 2 === 0 ? publisher : other).put([entryOf(`k${n % 7}`, n)])
      if (n % 10 === 0) await publisher.publishAlerts([alertOf(String(n))])
      if (n % 25 === 0) await Promise.all([publisher.flush(), other.flush()])
    }
    await a.publishHandling({
      id: '10',
      tenantId: 'default',
      isResolved: false,
      json: '{}',
      handling: { ...UNHANDLED, acknowledgedAt: null, acknowledgedBy: null, assignee: 'x' },
    })
    await Promise.all([publisher.flush(), other.flush()])
    await a.settle()
    const last = Math.max(publisher.sequence, other.sequence, a.position().sequence)
    await until('both readers are there', () =>
      [a, b].every((reader) => reader.position().sequence >= last),
    )
    assert.deepEqual(heard.a, heard.b)
    assert.ok(heard.a.length > 1)
    assert.deepEqual(await a.list('things'), await b.list('things'))
    assert.equal((await b.list('things')).length, 7)
    assert.equal((await b.openAlerts()).length, 10)
    const late = closing(t, await openDynamoDbViews(place))
    assert.deepEqual(late.position(), a.position())
    assert.deepEqual(await late.list('things'), await a.list('things'))
    assert.equal((await late.openAlerts()).length, 10)
  })

  it('have their hole filled that a publisher left which ended between its two writes', async (t) => {
    const place = await sharedPlace(t)
    if (place === undefined) return
    const a = closing(t, await openDynamoDbViews(place))
    const b = closing(t, await openDynamoDbViews(place))
    await a.put([entryOf('a', 1)])
    await a.settle()
    await until('both readers are there', () => b.position().sequence >= a.position().sequence)
    await withClient(place.address, (client) =>
      client.send(
        new UpdateItemCommand({
          TableName: TABLE,
          Key: { pk: { S: dynamoDbNames(place.installation).head }, sk: { S: 'head' } },
          UpdateExpression: 'ADD n :one',
          ExpressionAttributeValues: { ':one': { N: '1' } },
        }),
      ),
    )
    const heard: FeedMessage[] = []
    b.subscribe((messages) => heard.push(...messages))
    await a.put([entryOf('b', 1)])
    await a.settle()
    await until('the other one heard it', () => heard.length > 0)
    assert.deepEqual(
      heard.map((message) => message.type === 'entity' && message.entry.key),
      ['b'],
    )
  })

  it('tell again what was put by somebody who ended before telling it', async (t) => {
    const place = await sharedPlace(t)
    if (place === undefined) return
    const views = closing(t, await openDynamoDbViews(place))
    await views.put([entryOf('a', 1)])
    await views.settle()
    const entry = entryOf('a', 2)
    const { pk, sk } = {
      pk: dynamoDbNames(place.installation).entry('default', 'things', 'a'),
      sk: '=a',
    }
    await withClient(place.address, (client) =>
      client.send(
        new PutItemCommand({
          TableName: TABLE,
          Item: { pk: { S: pk }, sk: { S: sk }, o: { N: '2' }, c: { N: '0' }, d: { S: 'untold' } },
        }),
      ),
    )
    assert.equal((await views.get('things', 'a', 'default'))?.version.offset, 1)
    await views.put([entry])
    await views.settle()
    assert.equal((await views.get('things', 'a', 'default'))?.version.offset, 2)
  })

  it('that lost everything are noticed, by a publisher that rests, and filled again', async (t) => {
    let lost = 0
    const place = await sharedPlace(t, { onLost: () => (lost += 1) })
    if (place === undefined) return
    const views = closing(t, await openDynamoDbViews(place))
    const entries = Array.from({ length: 50 }, (_, index) => entryOf(`k${index}`, index))
    await views.put(entries)
    await views.settle()
    const before = views.position()
    await withClient(place.address, async (client) => {
      const names = dynamoDbNames(place.installation)
      const keys = [
        { pk: names.head, sk: 'head' },
        ...entries.map(({ key }) => ({ pk: names.entry('default', 'things', key), sk: `=${key}` })),
      ]
      for (const { pk, sk } of keys) {
        const Key = { pk: { S: pk }, sk: { S: sk } }
        await client.send(new DeleteItemCommand({ TableName: TABLE, Key }))
      }
    })
    await until('the loss is noticed', () => lost > 0)
    assert.equal((await views.list('things')).length, 50, 'pages go on with what was known')
    await views.put([...entries, entryOf('new', 1)])
    // What the table does not take at once is put again, and what is new may be told before.
    await views.settle()
    await until('what is new arrives', async () => (await views.list('things')).length === 51)
    assert.notEqual(views.position().feed, before.feed)
    assert.ok(views.position().sequence > before.sequence)
    const fresh = closing(t, await openDynamoDbViews(place))
    assert.equal((await fresh.list('things')).length, 51)
  })

  it('outlast a DynamoDB that is away: puts wait, merged, and arrive', async (t) => {
    const shared = await sharedPlace(t)
    if (shared === undefined) return
    const { port } = await sharedDynamoDb()
    const proxy = await openLinkProxy({ host: '127.0.0.1', port })
    t.after(() => proxy.close())
    const address = { ...shared.address, endpoint: `http://127.0.0.1:${proxy.port}` }
    const views = closing(t, await openDynamoDbViews({ ...shared, address }))
    await views.put([entryOf('a', 1)])
    await views.settle()
    proxy.cut()
    for (let n = 2; n <= 500; n++) await views.put([entryOf('a', n)])
    await views.publishAlerts([alertOf('1')])
    await until('the outage is known', () => views.problem() !== null)
    assert.equal((await views.get('things', 'a', 'default'))?.version.offset, 1)
    proxy.mend()
    await views.settle()
    assert.equal((await views.get('things', 'a', 'default'))?.version.offset, 500)
    assert.equal((await views.openAlerts()).length, 1)
    await until('all is well', () => views.problem() === null)
  })

  it('that ask for more than DynamoDB gives wait, say so, and lose nothing', async (t) => {
    const shared = await sharedPlace(t)
    if (shared === undefined) return
    const front = await openThrottlingFront(shared.address.endpoint ?? '')
    t.after(() => front.close())
    const address = { ...shared.address, endpoint: front.endpoint }
    const views = closing(t, await openDynamoDbViews({ ...shared, address }))
    await views.put([entryOf('k0', 1)])
    await views.settle()
    front.allow(20)
    await views.put(Array.from({ length: 300 }, (_, index) => entryOf(`k${index}`, 10)))
    await views.publishAlerts([alertOf('1')])
    await until('it is said', () => /more than it gives: \d+ puts wait/.test(views.problem() ?? ''))
    assert.ok(front.refused > 0)
    front.allow(Number.POSITIVE_INFINITY)
    await views.settle()
    const offsets = (await views.list('things')).map(({ version }) => version.offset)
    assert.deepEqual([offsets.length, Math.min(...offsets)], [300, 10])
    assert.equal((await views.openAlerts()).length, 1)
    await until('all is well', () => views.problem() === null)
  })

  it('say that messages are missing where a reader was too far behind', async (t) => {
    const place = await sharedPlace(t)
    if (place === undefined) return
    const publisher = closing(t, await openDynamoDbPublisher(place))
    const views = closing(t, await openDynamoDbViews(place))
    await publisher.put([entryOf('a', 1)])
    await publisher.flush()
    await until('it is read', async () => (await views.list('things')).length === 1)
    const heard: FeedMessage[] = []
    views.subscribe((messages) => heard.push(...messages))
    await withClient(place.address, (client) =>
      client.send(
        new UpdateItemCommand({
          TableName: TABLE,
          Key: { pk: { S: dynamoDbNames(place.installation).head }, sk: { S: 'head' } },
          UpdateExpression: 'ADD n :many',
          ExpressionAttributeValues: { ':many': { N: '5000' } },
        }),
      ),
    )
    await publisher.put([entryOf('b', 1)])
    await publisher.flush()
    await until('the gap is told', () => heard.some(({ type }) => type === 'gap'))
    assert.equal((await views.list('things')).length, 2)
  })

  it('refuse a document larger than an item may be, and go on with the others', async (t) => {
    const place = await sharedPlace(t)
    if (place === undefined) return
    const publisher = closing(t, await openDynamoDbPublisher(place))
    const views = closing(t, await openDynamoDbViews(place))
    const json = JSON.stringify({ note: 'x'.repeat(500_000) })
    await publisher.put([
      entryOf('large', 1, { json }),
      entryOf('é'.repeat(600), 1),
      entryOf('', 1),
    ])
    await publisher.flush()
    assert.equal(publisher.dropped, 2)
    await until('the other is there', async () => (await views.list('things')).length === 1)
  })

  it('are refused where there is no table, or another one, with what to do', async (t) => {
    const place = await sharedPlace(t)
    if (place === undefined) return
    const address = addressOf(await sharedDynamoDb(), 'no-such-table')
    await assert.rejects(openDynamoDbViews({ ...place, address }), (error: Error) => {
      assert.equal(Object(error).code, 'bad-setting')
      assert.match(error.message, /There is no table no-such-table at .*npx outrider doctor --fix/)
      return true
    })
    await withClient(address, async (client) => {
      await createTable(client, address)
      await createTable(client, address)
      await client.send(new DeleteTableCommand({ TableName: address.table }))
    })
    const nobody = { ...place.address, endpoint: 'http://127.0.0.1:1' }
    await assert.rejects(openDynamoDbViews({ ...place, address: nobody }), {
      code: 'views-unavailable',
    })
  })
})
