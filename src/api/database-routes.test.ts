// Every route that reads or changes Postgres, against a real server filled by the real checkpoint store.

import assert from 'node:assert/strict'
import { existsSync, readFileSync } from 'node:fs'
import { type TestContext, test } from 'node:test'
import { type ApiServer, startApiServer } from '../../test/api-server.ts'
import { openFeed } from '../../test/live-feed.ts'
import { pdfPages } from '../../test/pdf-text.ts'
import { testPostgres } from '../../test/postgres-server.ts'
import { createCheckpointStore } from '../adapters/postgres/checkpoint-store.ts'
import { type TruckReading, truckReadings } from '../domains/cold-chain/events.ts'
import { derivedId } from '../kernel/ids.ts'
import type { Alert } from '../ports/alert.ts'
import type { EventFlag } from '../ports/archive.ts'
import type { Checkpoint, DeadLetter } from '../ports/checkpoint-store.ts'
import { alertOf } from '../ports/views.contract.ts'

const START_MS = Date.UTC(2026, 0, 1)
const MINUTE_MS = 60_000

interface Seed {
  readonly truckId: string
  readonly recordedAtMs: number
  readonly temperatureC: number
  readonly more?: Partial<TruckReading>
  readonly flags?: readonly EventFlag[]
  readonly tenantId?: string
}

const alertId = (n: number): string => derivedId('alert', n)

const alerts: readonly Alert[] = [1, 2, 3, 4, 5].map((n) =>
  alertOf(alertId(n), {
    severity: n % 2 === 0 ? 'critical' : 'major',
    entityId: n <= 3 ? 'T-1' : 'T-2',
    startsAtMs: START_MS + n * MINUTE_MS,
    updatedAtMs: START_MS + n * MINUTE_MS,
    ...(n === 5 ? { status: 'resolved', endsAtMs: START_MS + 9 * MINUTE_MS } : {}),
    ...(n === 4 ? { tenantId: 'other' } : {}),
    position: { topic: 'truck-readings', partition: 0, offset: n },
  }),
)

const deadLetters: readonly DeadLetter[] = [1, 2, 3].map((n) => ({
  id: derivedId('letter', n),
  topic: 'truck-readings',
  receivedAtMs: START_MS + n,
  tenantId: n === 3 ? 'other' : 'default',
  door: 'http',
  code: n === 1 ? 'bad-json' : 'missing-field',
  message: 'No.',
  path: '/truckId',
  raw: '{"x":1}',
  rawEncoding: 'text',
  position: n === 1 ? null : { topic: 'truck-readings', partition: 0, offset: n },
}))

function seeds(): Seed[] {
  const steady = Array.from({ length: 60 }, (_, minute) => ({
    truckId: 'T-1',
    recordedAtMs: START_MS + minute * MINUTE_MS,
    temperatureC: minute >= 20 && minute < 30 ? 9 : 4,
    more: { doorOpen: minute >= 18 && minute < 22, speedKmh: minute, fuelPercent: 60 },
  }))
  return [
    ...steady,
    { truckId: 'T-1', recordedAtMs: START_MS, temperatureC: 80, flags: ['duplicate'] },
    {
      truckId: 'T-1',
      recordedAtMs: Date.UTC(2099, 0, 1),
      temperatureC: 80,
      flags: ['future', 'late'],
    },
    { truckId: 'T-1', recordedAtMs: START_MS, temperatureC: 50, tenantId: 'other' },
    {
      truckId: '=cmd|calc',
      recordedAtMs: START_MS,
      temperatureC: -5.5,
      more: { shipmentId: '@S,"1"', zone: '-1' },
    },
  ]
}

function loggerLeg(): readonly Seed[] | undefined {
  const file = new URL(
    '../../../shared/data/cold-chain-logger-leg-2021/readings.csv',
    import.meta.url,
  )
  if (!existsSync(file)) return undefined
  const lines = readFileSync(file, 'utf8').trim().split('\n').slice(1)
  return lines.map((line) => {
    const [time = '', temperature] = line.split(',')
    const more = { profile: 'pharma', shipmentId: 'LEG-1' }
    return {
      truckId: 'logger',
      recordedAtMs: Date.parse(time),
      temperatureC: Number(temperature),
      more,
    }
  })
}

function readingOf({ truckId, recordedAtMs, temperatureC, more }: Seed): TruckReading {
  const parsed = truckReadings.parse({ truckId, recordedAt: recordedAtMs, temperatureC })
  assert.ok(parsed.ok)
  return { ...parsed.value, ...more }
}

async function fill(
  store: ReturnType<typeof createCheckpointStore>,
  readings: readonly Seed[],
): Promise<void> {
  await store.ensureArchive(truckReadings.archive)
  const task = { pipeline: 'cold-chain', partition: 0 }
  const { epoch } = await store.claim(task)
  const encoder = store.archiveEncoder(truckReadings.archive)
  readings.forEach((seed, offset) => {
    encoder.add(
      {
        partition: 0,
        offset,
        receivedAtMs: START_MS + offset,
        tenantId: seed.tenantId ?? 'default',
        eventId: null,
        flags: seed.flags ?? null,
      },
      readingOf(seed),
    )
  })
  const checkpoint: Checkpoint = {
    task,
    epoch,
    fromOffset: 0,
    toOffset: readings.length,
    watermarkMs: START_MS,
    archive: [encoder.take()],
    alerts,
    untold: [],
    deadLetters,
    outbox: [],
    windows: [],
    rows: [],
    journal: [],
    bytes: 1,
  }
  assert.equal(await store.commit(checkpoint), 'committed')
}

const PENDING = {
  ...{ rule: 'nearly-warm', ruleVersion: 4, severity: 'minor', entityType: 'truck', instance: '' },
  ...{ sinceMs: START_MS + 90_000, firesAtMs: START_MS + 120_000, seen: 2, needed: null },
  value: { temperatureC: 6.5 },
}

/** What holds, though not yet for long enough, is in no table: the view of its truck says it. */
async function pendingAlertsAreListed(
  t: TestContext,
  {
    server,
    get,
    pages,
    send,
    post,
  }: {
    readonly server: ApiServer
    readonly get: (path: string) => Promise<Json>
    readonly pages: (path: string) => Promise<Json[]>
    readonly send: (path: string) => Promise<Response>
    readonly post: (path: string, body: unknown) => Promise<Response>
  },
): Promise<void> {
  const show = (truckId: string, tenantId: string, offset: number, pending?: readonly unknown[]) =>
    server.views.put([
      {
        ...{ view: 'trucks', key: truckId, tenantId },
        version: { partition: 0, offset, clockMs: START_MS },
        json: JSON.stringify({ truckId, recordedAt: '2026-01-01T00:01:40.000Z', pending }),
      },
    ])
  await show('T-9', 'default', 40, [PENDING, { ...PENDING, rule: 'second', needed: 3 }])
  await show('T-8', 'other', 41, [PENDING])
  const rules = async (query: string): Promise<unknown[]> =>
    ((await get(`/alerts?${query}`)).items ?? []).map(({ rule }) => rule)

  await t.test('what is pending is listed where the status asks for it', async () => {
    const [alert, ...more] = (await get('/alerts?status=pending&rule=nearly-warm')).items ?? []
    assert.deepEqual(more, [], 'those of another tenant are not theirs')
    assert.deepEqual(
      [alert?.status, alert?.entityId, alert?.ruleVersion, alert?.startsAt, alert?.updatedAt],
      ['pending', 'T-9', 4, '2026-01-01T00:01:30.000Z', '2026-01-01T00:01:40.000Z'],
    )
    assert.deepEqual(alert?.value, { temperatureC: 6.5 })
    assert.deepEqual(alert?.position, { topic: 'truck-readings', partition: 0, offset: 40 })
    assert.equal(alert?.summary, 'Pending: fires at 2026-01-01T00:02:00.000Z if it goes on')
    assert.equal((await get('/alerts?status=pending')).items?.length, 2)
    assert.equal((await get('/alerts/pending')).items?.length, 2)
    assert.equal(
      (await get('/alerts')).items?.some(({ status }) => status === 'pending'),
      false,
    )
  })

  await t.test('the other filters hold for what is pending, too', async () => {
    const both = ['nearly-warm', 'second']
    assert.deepEqual((await rules('status=pending&entity=T-9&severity=minor')).sort(), both)
    assert.deepEqual(await rules('status=pending&entity=T-8'), [])
    assert.deepEqual(await rules('status=pending&severity=major'), [])
    for (const nobodyDid of ['acknowledged', 'suppressed', 'falseAlarm']) {
      assert.deepEqual(await rules(`status=pending&${nobodyDid}=true`), [], nobodyDid)
      assert.deepEqual((await rules(`status=pending&${nobodyDid}=false`)).sort(), both, nobodyDid)
    }
    assert.deepEqual(await rules('status=pending&assignee=x'), [])
    assert.deepEqual(await rules(`status=pending&from=${START_MS + 91_000}`), [])
    assert.deepEqual(await rules(`status=pending&to=${START_MS + 90_000}`), [])
  })

  await t.test('pages run through what is recorded and what is pending in one order', async () => {
    const whole = (await get('/alerts?status=open')).items ?? []
    assert.equal(whole.length, 5)
    const times = whole.map(({ startsAt }) => String(startsAt))
    assert.deepEqual(times, times.toSorted().reverse())
    const paged = await pages('/alerts?status=open&limit=1')
    assert.deepEqual(
      paged.map(({ id }) => id),
      whole.map(({ id }) => id),
    )
  })

  await t.test('one that is pending has a page, and cannot be handled yet', async () => {
    const [alert] = (await get('/alerts?status=pending&rule=second')).items ?? []
    const found = await get(`/alerts/${alert?.id}`)
    assert.deepEqual([found.rule, found.transitions], ['second', []])
    const response = await post(`/alerts/${alert?.id}/acknowledge`, {})
    assert.equal(response.status, 409)
    assert.match(await response.text(), /pending: nobody can handle it before it fires/)
    await show('T-9', 'default', 42)
    await show('T-8', 'other', 43)
    assert.deepEqual(await rules('status=pending'), [])
    assert.equal((await send(`/alerts/${alert?.id}`)).status, 404)
  })
}

type Json = Record<string, unknown> & { items?: Json[]; next?: string | null }

test('the routes over a real database', async (t) => {
  const { address, database, tenantDatabase } = await testPostgres(t)
  const store = createCheckpointStore({ address })
  const leg = loggerLeg()
  await fill(store, [...seeds(), ...(leg ?? [])])
  const server: ApiServer = await startApiServer({
    database,
    tenantDatabase,
    replayDeadLetters: async ({ ids }) => ({ accepted: ids.length, rejected: [] }),
  })
  t.after(async () => {
    await server.close()
    await store.close()
  })

  const send = (path: string, init: RequestInit = {}): Promise<Response> =>
    fetch(`${server.url}/api/v1${path}`, init)
  const get = async (path: string): Promise<Json> => {
    const response = await send(path)
    const body = await response.text()
    assert.equal(response.status, 200, body)
    return JSON.parse(body)
  }
  const post = (path: string, body: unknown): Promise<Response> =>
    send(path, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify(body),
    })
  const jsonOf = async (response: Response | Promise<Response>): Promise<Json> =>
    JSON.parse(await (await response).text())
  const pages = async (path: string): Promise<Json[]> => {
    const items: Json[] = []
    let cursor = ''
    do {
      const page = await get(`${path}${cursor}`)
      items.push(...(page.items ?? []))
      cursor = page.next ? `&cursor=${page.next}` : ''
    } while (cursor !== '')
    return items
  }
  const ids = (items: readonly Json[] = []): number[] =>
    items.map(({ id }) => [1, 2, 3, 4, 5].findIndex((n) => alertId(n) === id) + 1)

  await t.test('alerts come newest first, page by page, of this tenant only', async () => {
    assert.deepEqual(ids((await get('/alerts')).items), [5, 3, 2, 1])
    assert.deepEqual(ids(await pages('/alerts?limit=1')), [5, 3, 2, 1])
  })

  const filtered = (query: string, expected: readonly number[]): Promise<void> =>
    t.test(`alerts with ${query}`, async () => {
      assert.deepEqual(ids((await get(`/alerts?${query}`)).items), expected)
    })
  await filtered('status=open', [3, 2, 1])
  await filtered('status=resolved', [5])
  await filtered('status=pending', [])
  await pendingAlertsAreListed(t, { server, get, pages, send, post })
  await filtered('severity=critical', [2])
  await filtered('severity=critical,major', [5, 3, 2, 1])
  await filtered('entity=T-2', [5])
  await filtered('rule=nothing', [])
  await filtered(`from=${START_MS + 2 * MINUTE_MS}&to=${START_MS + 3 * MINUTE_MS}`, [2])
  await filtered('acknowledged=false', [5, 3, 2, 1])
  await filtered('acknowledged=true', [])

  await t.test('an alert comes with its transitions and the event that opened it', async () => {
    const alert = await get(`/alerts/${alertId(1)}`)
    assert.equal(alert.status, 'firing')
    assert.deepEqual(alert.value, { temperatureC: 8 })
    assert.deepEqual(alert.transitions, [
      {
        status: 'firing',
        at: '2026-01-01T00:01:00.000Z',
        revision: 1,
        severity: 'major',
        summary: 'Too warm',
        position: { topic: 'truck-readings', partition: 0, offset: 1 },
      },
    ])
    const event = Object(alert.event)
    assert.equal(event.truckId, 'T-1')
    assert.equal(event.offset, 1)
    assert.deepEqual(alert.comments, [])
  })

  await t.test('a foreign, an unknown and a malformed alert are all not found', async () => {
    for (const id of [alertId(4), derivedId('none'), 'x', "'; drop table alert"]) {
      const response = await send(`/alerts/${encodeURIComponent(id)}`)
      assert.equal(response.status, 404, id)
      assert.equal((await jsonOf(response)).code, 'not-found')
      assert.equal((await post(`/alerts/${encodeURIComponent(id)}/acknowledge`, {})).status, 404)
      assert.equal(
        (await post(`/alerts/${encodeURIComponent(id)}/comment`, { text: 'x' })).status,
        404,
      )
    }
  })

  await t.test('an alert that only the live feed knows yet is asked for again later', async () => {
    const id = derivedId('brand new')
    await server.views.publishAlerts([alertOf(id)])
    const response = await post(`/alerts/${id}/acknowledge`, {})
    assert.equal(response.status, 503)
    assert.equal(response.headers.get('retry-after'), '1')
    assert.equal((await jsonOf(response)).code, 'not-yet-recorded')
  })

  await t.test('acknowledge, assign, comment and undo are one timeline', async () => {
    const path = `/alerts/${alertId(1)}`
    const first = await jsonOf(post(`${path}/acknowledge`, { note: 'on it' }))
    assert.equal(first.acknowledgedBy, 'local')
    assert.equal(first.status, 'firing')
    const again = await jsonOf(send(`${path}/acknowledge`, { method: 'POST' }))
    assert.equal(again.acknowledgedAt, first.acknowledgedAt)
    assert.deepEqual(ids((await get('/alerts?acknowledged=true')).items), [1])
    assert.equal((await jsonOf(post(`${path}/assign`, { assignee: 'Amina' }))).assignee, 'Amina')
    const said = await post(`${path}/comment`, { text: 'Called the driver' })
    assert.equal(said.status, 201)
    const undone = await jsonOf(send(`${path}/acknowledge`, { method: 'DELETE' }))
    assert.equal(undone.acknowledgedAt, null)
    assert.equal(undone.acknowledgedBy, null)
    const { comments } = await get(path)
    assert.ok(Array.isArray(comments))
    assert.deepEqual(
      comments.map(({ kind, text, author }) => [kind, text, author]),
      [
        ['acknowledge', 'on it', 'local'],
        ['assign', 'Amina', 'local'],
        ['comment', 'Called the driver', 'local'],
        ['unacknowledge', '', 'local'],
      ],
    )
  })

  await t.test(
    'resolved by hand, it shows as resolved until it gets worse, whatever the stream says',
    async () => {
      const path = `/alerts/${alertId(1)}`
      const resolved = await jsonOf(post(`${path}/resolve`, { note: 'goods moved' }))
      assert.equal(resolved.status, 'resolved')
      assert.equal(resolved.streamStatus, 'firing')
      assert.equal(resolved.resolvedBy, 'local')
      assert.deepEqual(ids((await get('/alerts?status=open')).items), [3, 2])
      const again = await jsonOf(post(`${path}/resolve`, {}))
      assert.equal(again.resolvedAt, resolved.resolvedAt)
      const reopened = await jsonOf(send(`${path}/reopen`, { method: 'POST' }))
      assert.equal(reopened.status, 'firing')
      assert.equal(reopened.resolvedAt, null)
      await post(`${path}/resolve`, {})
      await database.query("update alert set severity = 'minor' where id = $1", [alertId(1)])
      assert.equal((await get(path)).status, 'resolved')
      await database.query("update alert set severity = 'critical' where id = $1", [alertId(1)])
      const worse = await get(path)
      assert.equal(worse.status, 'firing')
      assert.ok(Array.isArray(worse.comments))
      assert.deepEqual(worse.comments.at(-1)?.kind, 'reopen')
      assert.equal(worse.comments.at(-1)?.author, 'outrider')
      assert.equal(
        worse.comments.at(-1)?.text,
        'It became critical; it was major when it was resolved.',
      )
      await database.query("update alert set severity = 'major' where id = $1", [alertId(1)])
    },
  )

  await t.test(
    'an alert that ended and fires again is not held back by an old resolve',
    async () => {
      const path = `/alerts/${alertId(2)}`
      await post(`${path}/resolve`, {})
      await database.query("update alert set status = 'resolved' where id = $1", [alertId(2)])
      assert.equal((await get(path)).status, 'resolved')
      await database.query("update alert set status = 'firing' where id = $1", [alertId(2)])
      assert.equal((await get(path)).status, 'firing')
    },
  )

  await t.test('many are handled at once, and what is not there is named', async () => {
    const absent = derivedId('none')
    const asked = { ids: [alertId(1), alertId(2), alertId(4), absent, 'x'], action: 'false-alarm' }
    const done = await jsonOf(post('/alerts/actions', asked))
    assert.deepEqual(ids(done.items).sort(), [1, 2])
    assert.deepEqual(done.missing, [alertId(4), absent, 'x'])
    assert.deepEqual(ids((await get('/alerts?falseAlarm=true')).items), [2, 1])
    await jsonOf(post('/alerts/actions', { ...asked, action: 'not-false-alarm' }))
    assert.deepEqual(ids((await get('/alerts?falseAlarm=true')).items), [])
    const nobody = await post('/alerts/actions', { ids: [alertId(1)], action: 'assign' })
    assert.equal(nobody.status, 400)
    assert.equal((await post('/alerts/actions', { ids: [], action: 'resolve' })).status, 400)
  })

  await t.test(
    'what is done to an alert is on the feed at once, over its newest state',
    async () => {
      const feed = await openFeed(server.url)
      await server.views.publishAlerts([alertOf(alertId(3), { revision: 7, entityId: 'T-1' })])
      await feed.until(() => feed.alerts.get(alertId(3))?.revision === 7, 'the revision')
      await post(`/alerts/${alertId(3)}/assign`, { assignee: 'Zawadi' })
      await feed.until(() => feed.alerts.get(alertId(3))?.assignee === 'Zawadi', 'the assignee')
      assert.equal(feed.alerts.get(alertId(3))?.revision, 7, 'the record is older')
      feed.close()
    },
  )

  await t.test('history is typed, ordered, paged and of this tenant only', async () => {
    const items = await pages('/history/truck-readings?entity=T-1&limit=7')
    assert.equal(items.length, 61)
    assert.equal(items[0]?.recordedAt, '2026-01-01T00:00:00.000Z')
    assert.equal(items[0]?.temperatureC, 4)
    assert.equal(items[0]?.doorOpen, false)
    assert.equal(items[0]?.lat, null)
    assert.deepEqual(items[0]?.flags, [])
    assert.deepEqual(items.at(-1)?.flags, ['future', 'late'])
    const newest = await pages('/history/truck-readings?entity=T-1&limit=7&order=desc')
    assert.deepEqual(newest.reverse(), items)
    const repeats = await pages('/history/truck-readings?entity=T-1&duplicates=true&limit=1000')
    assert.equal(repeats.length, 62)
    const from = new Date(START_MS + 5 * MINUTE_MS).toISOString()
    const to = START_MS + 7 * MINUTE_MS
    const some = await get(`/history/truck-readings?entity=T-1&from=${from}&to=${to}`)
    assert.equal(some.items?.length, 2)
  })

  await t.test('history streams as NDJSON', async () => {
    const response = await send('/history/truck-readings?entity=T-1', {
      headers: { accept: 'application/x-ndjson' },
    })
    assert.match(response.headers.get('content-type') ?? '', /^application\/x-ndjson/)
    const lines = (await response.text()).trimEnd().split('\n')
    assert.equal(lines.length, 61)
    assert.equal(JSON.parse(lines[20] ?? '').temperatureC, 9)
  })

  await t.test('history as CSV never starts a formula', async () => {
    const path = `/history/truck-readings?entity=${encodeURIComponent('=cmd|calc')}`
    const response = await send(path, { headers: { accept: 'text/csv;q=0.9, text/html;q=0.1' } })
    const [head, line, end] = (await response.text()).split('\r\n')
    assert.match(head ?? '', /^truckId,recordedAt,temperatureC,.*,flags$/)
    assert.match(line ?? '', /^'=cmd\|calc,2026-01-01T00:00:00.000Z,-5.5,.*,'-1,"'@S,""1""",/)
    assert.equal(end, '')
  })

  await t.test('history of nothing is an empty page, a head alone, and no line', async () => {
    const path = '/history/truck-readings?entity=nobody'
    assert.deepEqual(await get(path), { items: [], next: null })
    const csv = await send(path, { headers: { accept: 'text/csv' } })
    assert.equal((await csv.text()).split('\r\n').length, 2)
    const ndjson = await send(path, { headers: { accept: 'application/x-ndjson' } })
    assert.equal(await ndjson.text(), '')
  })

  await t.test('downloads that nobody reads end, and only so many run at once', async () => {
    await database.query(
      `insert into truck_reading (log_partition, log_offset, received_at, tenant_id, truck_id,
         recorded_at, temperature_c)
       select 1, n, '2026-01-01', 'default', 'many', '2026-01-01'::timestamptz + n * interval '1 s', 4
       from generate_series(1, 80000) n`,
    )
    const download = async () => {
      const controller = new AbortController()
      const response = await send('/history/truck-readings?entity=many', {
        headers: { accept: 'text/csv', 'accept-encoding': 'identity' },
        signal: controller.signal,
      })
      return { response, controller }
    }
    const running = []
    for (let n = 0; n < 4; n++) running.push(await download())
    for (const { response } of running) assert.equal(response.status, 200)
    const refused = await download()
    assert.equal(refused.response.status, 503)
    assert.equal(refused.response.headers.get('retry-after'), '2')
    assert.equal((await jsonOf(refused.response)).code, 'busy')
    assert.equal((await send(`/alerts/${alertId(1)}`)).status, 200)
    for (const { controller } of running) controller.abort()
    let next = await download()
    while (next.response.status === 503) {
      await next.response.text()
      next = await download()
    }
    assert.equal(next.response.status, 200)
    assert.equal((await next.response.text()).split('\r\n').length, 80_002)
  })

  await t.test('history refuses what it cannot give', async () => {
    const status = async (path: string, accept = '*/*'): Promise<number> =>
      (await send(path, { headers: { accept } })).status
    assert.equal(await status('/history/none'), 404)
    assert.equal(await status('/history/truck-readings', 'image/png'), 406)
    assert.equal(await status('/history/truck-readings?from=yesterday'), 400)
    assert.equal(
      await status('/history/truck-readings?from=2026-01-02T00:00:00Z&to=2026-01-01T00:00:00Z'),
      400,
    )
    assert.equal(await status('/history/truck-readings?cursor=abc'), 400)
    const { next } = await get('/history/truck-readings?limit=1')
    assert.equal(await status(`/history/truck-readings?order=desc&cursor=${next}`), 400)
  })

  await t.test('a series keeps the peak however few points are asked for', async () => {
    const from = START_MS
    const to = START_MS + 120 * MINUTE_MS
    const series = await get(`/trucks/T-1/series?from=${from}&to=${to}&points=4`)
    assert.equal(series.readings, 60)
    assert.equal(series.gapLimitS, 300)
    const { temperatureC } = Object(series.channels)
    assert.deepEqual(temperatureC.values, [4, 9, 4, null])
    assert.equal(temperatureC.recordedAtMs[1], START_MS + 20 * MINUTE_MS)
    assert.deepEqual(series.doorOpen, [
      { from: '2026-01-01T00:18:00.000Z', to: '2026-01-01T00:22:00.000Z' },
    ])
    assert.deepEqual(series.gaps, [
      { from: '2026-01-01T01:04:00.000Z', to: '2026-01-01T02:00:00.000Z' },
    ])
  })

  await t.test(
    'a report leaves out repeats and readings of the future, and counts them',
    async () => {
      const report = await get('/cold-chain/report?truckId=T-1')
      assert.equal(report.readings, 60)
      assert.deepEqual(report.excluded, { duplicate: 1, future: 1 })
      assert.equal(report.maximumC, 9)
      assert.equal(Object(report.profile).name, 'default')
      assert.equal(report.verdict, 'non-conformant')
      assert.deepEqual(report.excursions, [
        {
          startsAt: '2026-01-01T00:20:00.000Z',
          endsAt: '2026-01-01T00:30:00.000Z',
          durationS: 600,
          side: 'above',
          maximumC: 9,
          readings: 10,
          zone: null,
        },
      ])
      const csv = await (await send('/cold-chain/report.csv?truckId=T-1&profile=vaccine')).text()
      assert.match(csv, /\r\nverdict,excursion-within-allowance\r\n/)
    },
  )

  await t.test('a report comes on paper too', async () => {
    const response = await send('/cold-chain/report.pdf?truckId=T-1&profile=vaccine')
    assert.equal(response.status, 200)
    assert.equal(response.headers.get('content-type'), 'application/pdf')
    assert.match(response.headers.get('content-disposition') ?? '', /^attachment; .*\.pdf"$/)
    const pages = pdfPages(Buffer.from(await response.arrayBuffer()))
    assert.match(pages[0]?.text ?? '', /T-1.*Vaccines.*60/s)
    const nothing = await send('/cold-chain/report.pdf?truckId=nobody')
    assert.equal((await jsonOf(nothing)).code, 'no-readings')
  })

  await t.test('a report refuses what makes no sense', async () => {
    const problem = async (query: string): Promise<unknown> =>
      (await jsonOf(send(`/cold-chain/report?${query}`))).code
    assert.equal(await problem(''), 'invalid-request')
    assert.equal(await problem('truckId=T-1&shipmentId=S'), 'invalid-request')
    assert.equal(await problem('truckId=T-1&profile=nope'), 'invalid-request')
    assert.equal(await problem('truckId=nobody'), 'no-readings')
  })

  const skip = leg === undefined ? 'the folder shared/data is not beside this checkout' : false
  await t.test('the real logger leg, by its shipment and its own profile', { skip }, async () => {
    const report = await get('/cold-chain/report?shipmentId=LEG-1')
    assert.equal(Object(report.profile).name, 'pharma')
    assert.equal(report.truckId, 'logger')
    assert.equal(report.readings, 64)
    assert.equal(report.readingsAbove, 14)
    const [excursion] = Array.isArray(report.excursions) ? report.excursions : []
    assert.equal(excursion.startsAt, '2021-11-09T14:58:16.000Z')
    assert.equal(excursion.durationS, 13_900)
    assert.equal(excursion.maximumC, 27)
    assert.equal(report.gapLimitS, 2_571)
  })

  await t.test('dead letters are listed, filtered and replayed', async () => {
    const items = await pages('/dead-letters?limit=1')
    assert.deepEqual(
      items.map(({ reason }) => Object(reason).code),
      ['missing-field', 'bad-json'],
    )
    assert.equal((await get('/dead-letters?code=bad-json')).items?.length, 1)
    const replayed = await post('/dead-letters/replay', { ids: [derivedId('letter', 1)] })
    assert.deepEqual(await replayed.json(), { accepted: 1, rejected: [] })
    assert.equal((await post('/dead-letters/replay', { ids: [] })).status, 400)
  })

  await t.test('the overview counts what is open and who waits', async () => {
    const overview = await get('/overview')
    assert.deepEqual(overview.partial, [])
    assert.equal(Object(overview.alerts).unacknowledged, 3)
  })
})
