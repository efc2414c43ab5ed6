// Silences and what routing leaves behind, over a real database and with the routing running.

import assert from 'node:assert/strict'
import { test } from 'node:test'
import { callApi, startApiServer } from '../../test/api-server.ts'
import { openFeed } from '../../test/live-feed.ts'
import { silentLogger, testPostgres } from '../../test/postgres-server.ts'
import { until } from '../../test/waiting.ts'
import { systemClock } from '../adapters/clock/system-clock.ts'
import { createCheckpointStore } from '../adapters/postgres/checkpoint-store.ts'
import { createMemoryViews } from '../adapters/views/memory-views.ts'
import { startAlertRouting } from '../app/alert-routing.ts'
import { derivedId } from '../kernel/ids.ts'
import { alertOf } from '../ports/views.contract.ts'
import { createMetrics } from './metrics.ts'

type Json = Readonly<Record<string, unknown>>

const HOUR_MS = 3_600_000
const warm = { name: 'rule', operator: '=', value: 'warm' }

test('silences over a real database, with the routing running', async (t) => {
  const { database, address, tenantDatabase } = await testPostgres(t)
  const views = createMemoryViews('run1')
  const metrics = createMetrics()
  const start = () =>
    startAlertRouting({
      address,
      database,
      views,
      dataDir: '/nowhere',
      clock: systemClock(),
      logger: silentLogger,
      metrics,
    })
  let routing = start()
  const server = await startApiServer({
    database,
    tenantDatabase,
    views,
    onAlertsHandled: () => routing.nudge(),
  })
  const ask = async (method: string, path: string, body?: unknown) => {
    const answer = await callApi(server, method, path, body)
    const json: Json = Object(answer.json)
    return { status: answer.status, json }
  }
  const alert = alertOf(derivedId('alert', 1), {
    rule: 'warm',
    entityId: 'T-1',
    position: { topic: 'things', partition: 0, offset: 0 },
  })
  const store = createCheckpointStore({ address })
  const task = { pipeline: 'things', partition: 0 }
  const { epoch } = await store.claim(task)
  await views.publishAlerts([alert])
  const empty = {
    archive: [],
    untold: [],
    deadLetters: [],
    outbox: [],
    windows: [],
    journal: [],
    rows: [],
    bytes: 0,
  }
  await store.commit({
    task,
    epoch,
    fromOffset: 0,
    toOffset: 1,
    watermarkMs: 0,
    alerts: [alert],
    ...empty,
  })
  const feed = await openFeed(server.url)
  const to = new Date(Date.now() + HOUR_MS).toISOString()
  const silence = { matchers: [warm], to, reason: 'Workshop' }
  let id = ''

  await t.test('the routing says in the metrics that it is here, and how it does', async () => {
    const shown = (name: string) => metrics.registry.getSingleMetricAsString(name)
    await until('it owns the routing', async () =>
      (await shown('outrider_routing_owner')).endsWith('outrider_routing_owner 1'),
    )
    await until('the open alert is in a group', async () =>
      (await shown('outrider_routing_groups')).endsWith('outrider_routing_groups 1'),
    )
    assert.match(await shown('outrider_routing_document_refused'), /refused 0$/)
  })

  await t.test('a preview says what it would keep quiet', async () => {
    const preview = await ask('POST', '/silences/preview', { matchers: [warm] })
    assert.equal(preview.json.count, 1)
    const other = { ...warm, value: 'cold' }
    assert.equal((await ask('POST', '/silences/preview', { matchers: [other] })).json.count, 0)
  })

  await t.test('made, it marks the alert on the live feed and on its timeline', async () => {
    const made = await ask('POST', '/silences', silence)
    assert.equal(made.status, 201)
    assert.equal(made.json.state, 'active')
    assert.equal(made.json.createdBy, 'local')
    id = String(made.json.id)
    await feed.until(() => feed.alerts.get(alert.id)?.silencedBy[0] === id, 'the mark')
    assert.equal((await ask('GET', `/silences/${id}`)).json.silenced, 1)
    for (const [state, count] of Object.entries({ active: 1, 'active,pending': 1, ended: 0 })) {
      const { json } = await ask('GET', `/silences?state=${state}&limit=1`)
      assert.ok(Array.isArray(json.items))
      assert.equal(json.items.length, count, state)
    }
    const { json } = await ask('GET', `/alerts/${alert.id}`)
    assert.ok(Array.isArray(json.comments))
    assert.deepEqual(
      json.comments.map(({ author, kind }) => [author, kind]),
      [['outrider', 'silenced']],
    )
    const suppressed = await ask('GET', '/alerts?suppressed=true')
    assert.ok(Array.isArray(suppressed.json.items))
    assert.equal(suppressed.json.items.length, 1)
  })

  await t.test(
    'changed and ended, it keeps its history, and the alert is heard again',
    async () => {
      const changed = await ask('PUT', `/silences/${id}`, { ...silence, reason: 'Longer' })
      assert.equal(changed.json.revision, 2)
      const ended = await ask('DELETE', `/silences/${id}`)
      assert.equal(ended.json.state, 'ended')
      await feed.until(() => feed.alerts.get(alert.id)?.silencedBy.length === 0, 'no mark')
      const { json } = await ask('GET', `/silences/${id}`)
      assert.ok(Array.isArray(json.history))
      assert.deepEqual(
        json.history.map(({ kind, author, reason }) => [kind, author, reason]),
        [
          ['ended', 'local', 'Longer'],
          ['changed', 'local', 'Longer'],
          ['created', 'local', 'Workshop'],
        ],
      )
      const again = await ask('PUT', `/silences/${id}`, silence)
      assert.equal(again.json.state, 'active')
      await ask('DELETE', `/silences/${id}`)
    },
  )

  const refuses = (title: string, body: Json, path: string, detail: RegExp): Promise<void> =>
    t.test(`refused: ${title}`, async () => {
      const { status, json } = await ask('POST', '/silences', { ...silence, ...body })
      assert.equal(status, 400)
      assert.match(String(json.detail), detail)
      assert.ok(Array.isArray(json.errors))
      assert.equal(json.errors[0]?.path, path)
    })
  await refuses('an end in the past', { to: '2020-01-01T00:00:00Z' }, '/to', /after from|past/)
  await refuses('a begin in the past', { from: '2020-01-01T00:00:00Z' }, '/from', /past/)
  await refuses('no reason', { reason: '' }, '/reason', /reason/)
  await refuses(
    'a pattern that is none',
    { matchers: [{ ...warm, operator: '=~', value: '(' }] },
    '/matchers/0',
    /pattern that is none/,
  )
  await refuses(
    'a silence over everything',
    { matchers: [{ name: 'rule', operator: '=~', value: '.*' }] },
    '/matchers',
    /every alert/,
  )

  await t.test('what routing decided is listed, and by alert', async () => {
    await database.query("UPDATE alert_group SET flush_at = now() - interval '1 s'")
    await routing.stop()
    routing = start()
    await until('it is told', async () => {
      const { json } = await ask('GET', `/notifications?alert=${alert.id}`)
      return Array.isArray(json.items) && json.items.length === 1
    })
    const { json } = await ask('GET', '/notifications?kind=firing&receiver=operators')
    assert.ok(Array.isArray(json.items))
    assert.equal(json.items[0]?.firing, 1)
    const named = await ask('GET', `/alerts?notification=${json.items[0]?.id}`)
    assert.ok(Array.isArray(named.json.items))
    assert.equal(named.json.items[0]?.id, alert.id)
    const routingInForce = await ask('GET', '/routing')
    assert.equal(routingInForce.json.source, 'built-in')
    const check = await ask('POST', '/routing/check', { document: 'receivers: []\nroute: {}\n' })
    assert.equal(check.json.ok, false)
  })

  feed.close()
  await server.close()
  await routing.stop()
  await store.close()
})
