// Serve processes beside one that ingests and processes, over DynamoDB: the same feed at each, and a client
// that goes on at another one.

import assert from 'node:assert/strict'
import { it } from 'node:test'
import { type Program, runCommand, startProgram, temporaryDataDir } from '../program.ts'
import { requireOrSkip } from '../requirements.ts'
import { dynamoDbMissing, startDynamoDb } from '../servers/dynamodb.ts'
import { postgresMissing, startPostgres } from '../servers/postgres.ts'
import { until } from '../waiting.ts'
import { FeedReader } from './feed-reader.ts'

const missing = [dynamoDbMissing(), postgresMissing()].filter((reason) => reason !== undefined)

async function send(address: string, truckId: string, temperatureC: number): Promise<void> {
  const response = await fetch(`${address}/api/v1/events/truck-readings`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify({ truckId, recordedAt: new Date().toISOString(), temperatureC }),
  })
  assert.equal(response.status, 202, await response.text())
}

const isAlertOf = (truckId: string) => (event: { event: string; data: Record<string, unknown> }) =>
  event.event === 'alert' && event.data.entityId === truckId

it('serve processes over DynamoDB tell the same, and a client goes on at another one', async (t) => {
  if (!requireOrSkip(t, 'servers', missing.length === 0, missing.join('; '))) return
  const dataDir = temporaryDataDir(t)
  const [postgres, dynamodb] = [await startPostgres(), await startDynamoDb()]
  t.after(() => Promise.all([postgres.stop(), dynamodb.stop()]))
  const environment = { ...postgres.settings, ...dynamodb.settings }
  const refused = await runCommand(['start', '--port', '0', '--data-dir', dataDir], environment)
  assert.match(refused.stderr, /There is no table outrider-views at .*doctor --fix/)
  const mended = await runCommand(['doctor', '--fix', '--data-dir', dataDir], environment)
  assert.match(mended.stdout, /DynamoDB: table outrider-views .* answers; made just now/)
  const start = async (roles: string): Promise<Program> => {
    const program = await startProgram(dataDir, ['--no-simulate', '--roles', roles], environment)
    t.after(() => program.stop())
    return program
  }
  const worker = await start('doors,tasks')
  const [a, b] = await Promise.all([start('serve'), start('serve')])

  const feeds = await Promise.all([FeedReader.open(a.address), FeedReader.open(b.address)])
  t.after(() => {
    for (const feed of feeds) feed.close()
  })
  const sentMs = performance.now()
  await send(worker.address, 'T-1', 9)
  for (const feed of feeds) await until('the alert comes', () => feed.count(isAlertOf('T-1')) > 0)
  t.diagnostic(`both told after ${Math.round(performance.now() - sentMs)} ms`)
  const [first] = feeds
  await until('it is numbered', () => first.lastEventId !== undefined)
  first.close()
  await send(worker.address, 'T-2', 9)
  const second = await FeedReader.open(b.address, { lastEventId: first.lastEventId ?? '' })
  t.after(() => second.close())
  await until('it hears what it missed', () => second.count(isAlertOf('T-2')) > 0)
  await until('it is live', () => second.count(({ event }) => event === 'ready') === 1)
  assert.equal(second.events.find(({ event }) => event === 'ready')?.data.resumed, true)
  assert.equal(second.count(isAlertOf('T-1')), 0, 'what it had is not told again')

  const late = await start('serve')
  const found = Object(await (await fetch(`${late.address}/api/v1/trucks`)).json())
  assert.equal(found.items.length, 2, 'a server that comes later reads everything')
})
