// The live feed over real sockets: snapshots, resuming, clients that are slow, and clients that are stuck.

import assert from 'node:assert/strict'
import { once } from 'node:events'
import { get, type IncomingMessage } from 'node:http'
import { connect } from 'node:net'
import { describe, it } from 'node:test'
import { type ApiServer, startApiServer } from '../../test/api-server.ts'
import type { Clock } from '../ports/clock.ts'
import { alertOf, entryOf } from '../ports/views.contract.ts'
import { DirtySlots, MAX_GONE_SLOTS } from './feed-slots.ts'

interface FeedEvent {
  readonly id: string | undefined
  readonly event: string
  readonly data: Record<string, unknown>
}

/** A client that reads server-sent events as a browser does, but may pause. */
class FeedClient {
  readonly events: FeedEvent[] = []
  lastEventId: string | undefined
  readonly #response: IncomingMessage
  #text = ''
  #waiting: (() => void)[] = []

  static async open(server: ApiServer, query = '', lastEventId?: string): Promise<FeedClient> {
    const headers = lastEventId === undefined ? {} : { 'last-event-id': lastEventId }
    const request = get(`${server.url}/api/v1/live${query}`, { headers, agent: false })
    const [response] = await once(request, 'response')
    assert.equal(response.statusCode, 200)
    return new FeedClient(response)
  }

  constructor(response: IncomingMessage) {
    this.#response = response
    response.setEncoding('utf8')
    response.on('data', (chunk: string) => this.#take(chunk))
    response.on('error', () => {})
    response.on('close', () => this.#wake())
  }

  get ended(): boolean {
    return this.#response.closed
  }

  pause(): void {
    this.#response.pause()
  }

  resume(): void {
    this.#response.resume()
  }

  close(): void {
    this.#response.destroy()
  }

  /** Resolves with the first event that fits, seen already or still to come. */
  async find(fits: (event: FeedEvent) => boolean): Promise<FeedEvent> {
    for (;;) {
      const found = this.events.find(fits)
      if (found !== undefined) return found
      assert.ok(!this.ended, 'the stream ended before the event came')
      await new Promise<void>((resolve) => this.#waiting.push(resolve))
    }
  }

  async end(): Promise<void> {
    while (!this.ended) await new Promise<void>((resolve) => this.#waiting.push(resolve))
  }

  ready(): Promise<FeedEvent> {
    return this.find(({ event }) => event === 'ready')
  }

  entity(key: string, offset: number): Promise<FeedEvent> {
    return this.find(
      ({ event, data }) =>
        event === 'entity' && data.key === key && Object(data.version).offset === offset,
    )
  }

  names(): string[] {
    return this.events.map(({ event }) => event).filter((event) => event !== 'metric')
  }

  #take(chunk: string): void {
    const blocks = (this.#text + chunk).split('\n\n')
    this.#text = blocks.pop() ?? ''
    for (const block of blocks) this.#block(block)
    this.#wake()
  }

  #block(block: string): void {
    const fields = new Map(block.split('\n').map((line) => splitField(line)))
    const id = fields.get('id')
    if (id !== undefined) this.lastEventId = id
    const data = fields.get('data')
    if (data === undefined) return
    this.events.push({ id, event: fields.get('event') ?? 'message', data: JSON.parse(data) })
  }

  #wake(): void {
    for (const resolve of this.#waiting.splice(0)) resolve()
  }
}

function splitField(line: string): [string, string] {
  const at = line.indexOf(': ')
  return [line.slice(0, at), line.slice(at + 2)]
}

const truck = (key: string, offset: number, json = `{"truckId":"${key}","n":${offset}}`) =>
  entryOf(key, offset, { view: 'trucks', json })

async function withServer(
  body: (server: ApiServer) => Promise<void>,
  change: Parameters<typeof startApiServer>[0] = {},
): Promise<void> {
  const server = await startApiServer(change)
  try {
    await body(server)
  } finally {
    await server.close()
  }
}

async function streams(server: ApiServer): Promise<number> {
  const text = await server.metrics.registry.getSingleMetricAsString('outrider_live_streams')
  return Number(/^outrider_live_streams (\d+)$/m.exec(text)?.[1])
}

async function cutOffs(server: ApiServer): Promise<number> {
  const text = await server.metrics.registry.getSingleMetricAsString('outrider_live_cut_off_total')
  return Number(/^outrider_live_cut_off_total (\d+)$/m.exec(text)?.[1])
}

describe('a new stream', () => {
  it('gets a reset, open alerts, entities, and then word that it is live', async () => {
    await withServer(async ({ views, ...server }) => {
      await views.put([truck('B', 2), truck('A', 1, '{"odd" :  "spacing"}')])
      await views.publishAlerts([alertOf('1'), alertOf('2', { revision: 2, status: 'resolved' })])
      const client = await FeedClient.open({ views, ...server })
      const ready = await client.ready()
      assert.deepEqual(client.names(), ['reset', 'alert', 'entity', 'entity', 'ready'])
      assert.equal(ready.data.resumed, false)
      assert.ok(ready.id?.startsWith('run1-'))
      const [reset, alert] = client.events
      const first = client.events.find(({ data }) => data.key === 'A')
      assert.deepEqual(reset?.data, { views: ['alerts', 'trucks'] })
      assert.equal(alert?.data.startsAt, '1970-01-01T00:00:01.000Z')
      assert.equal(alert?.data.acknowledgedAt, null)
      assert.deepEqual(first?.data, {
        view: 'trucks',
        key: 'A',
        version: { partition: 0, offset: 1, clockMs: 0 },
        doc: { odd: 'spacing' },
      })
      client.close()
    })
  })

  it('gets only the views that it asked for, and only of its tenant', async () => {
    await withServer(async (server) => {
      const client = await FeedClient.open(server, '?views=trucks')
      await client.ready()
      await server.views.publishAlerts([alertOf('1')])
      await server.views.put([{ ...truck('X', 1), tenantId: 'other' }])
      await server.views.put([{ ...truck('Y', 1), view: 'cars' }, truck('Z', 1)])
      await client.entity('Z', 1)
      assert.deepEqual(client.names(), ['reset', 'ready', 'entity'])
      client.close()
    })
  })

  it('hears of changes, newest state first served, and of what is gone', async () => {
    await withServer(async (server) => {
      const client = await FeedClient.open(server)
      await client.ready()
      await server.views.put([truck('A', 1)])
      await client.entity('A', 1)
      for (let n = 2; n <= 50; n++) await server.views.put([truck('A', n)])
      await client.entity('A', 50)
      const told = client.events.filter(({ event }) => event === 'entity').length
      assert.ok(told < 10, `${told} of 50 updates were sent`)
      await server.views.put([{ ...truck('A', 51), json: null }])
      assert.equal((await client.entity('A', 51)).data.doc, null)
      await server.views.publishAlerts([alertOf('1')])
      const alert = await client.find(({ event }) => event === 'alert')
      assert.equal(alert.data.id, '1')
      assert.ok(!('tenantId' in alert.data))
      client.close()
    })
  })

  it('is told a metric every two seconds', async () => {
    await withServer(async (server) => {
      const client = await FeedClient.open(server)
      const { data } = await client.find(({ event }) => event === 'metric')
      assert.equal(data.lag, 20)
      assert.equal(data.streams, 1)
      client.close()
    })
  })

  it('ends when the server closes', async () => {
    const server = await startApiServer()
    const client = await FeedClient.open(server)
    await client.ready()
    await server.close()
    await client.end()
  })

  it('is counted, and no longer once it has gone', async () => {
    await withServer(async (server) => {
      const client = await FeedClient.open(server)
      await client.ready()
      assert.equal(await streams(server), 1)
      client.close()
      while ((await streams(server)) > 0) await turn()
    })
  })
})

describe('a stream that comes back', () => {
  it('gets what it missed, and no snapshot', async () => {
    await withServer(async (server) => {
      const first = await FeedClient.open(server)
      await first.ready()
      await server.views.put([truck('A', 1)])
      await first.find(({ event, id }) => event === 'entity' && id !== undefined)
      first.close()
      await server.views.put([truck('A', 2), truck('B', 3)])
      await server.views.publishAlerts([alertOf('1')])
      const second = await FeedClient.open(server, '', first.lastEventId)
      assert.equal((await second.ready()).data.resumed, true)
      assert.deepEqual(second.names(), ['alert', 'entity', 'entity', 'ready'])
      assert.deepEqual(
        second.events.flatMap(({ data }) => (data.view === 'trucks' ? [data.key] : [])),
        ['A', 'B'],
      )
      second.close()
    })
  })

  const fromTheStart = (title: string, id: string): void => {
    it(`gets a snapshot where its last id is ${title}`, async () => {
      await withServer(async (server) => {
        await server.views.put([truck('A', 1)])
        const client = await FeedClient.open(server, '', id)
        assert.equal((await client.ready()).data.resumed, false)
        assert.deepEqual(client.names(), ['reset', 'entity', 'ready'])
        client.close()
      })
    })
  }
  fromTheStart('of another run', 'run0-1')
  fromTheStart('of the future', 'run1-999')
  fromTheStart('nonsense', 'x')
  fromTheStart('no number', 'run1-NaN')

  it('is told what is gone since, and gets a snapshot where that is forgotten', async () => {
    await withServer(async (server) => {
      const { views } = server
      const first = await FeedClient.open(server)
      await first.ready()
      await views.put([truck('A', 1), truck('B', 1)])
      await views.publishAlerts([alertOf('1')])
      await first.find(({ event }) => event === 'alert')
      await first.entity('B', 1)
      await first.find(({ event, id }) => event === 'metric' && id !== undefined)
      first.close()
      await views.put([{ ...truck('A', 2), json: null }])
      await views.publishAlerts([alertOf('1', { revision: 2, status: 'resolved' })])
      const second = await FeedClient.open(server, '', first.lastEventId)
      await second.ready()
      assert.deepEqual(second.names(), ['alert', 'entity', 'ready'])
      assert.equal(second.events[0]?.data.status, 'resolved')
      assert.equal(second.events[1]?.data.doc, null)
      second.close()
      for (let n = 0; n <= MAX_GONE_SLOTS; n++) {
        await views.put([{ ...truck(`gone${n}`, 1), json: null }])
      }
      const third = await FeedClient.open(server, '', first.lastEventId)
      assert.equal((await third.ready()).data.resumed, false)
      assert.deepEqual(third.names(), ['reset', 'entity', 'ready'])
      third.close()
    })
  })

  it('ends in the state of the views, wherever it was cut off and came back', async () => {
    await withServer(async (server) => {
      const state = new Map<unknown, unknown>()
      let lastEventId: string | undefined
      let offset = 0
      for (let round = 0; round < 25; round++) {
        const client = await FeedClient.open(server, '', lastEventId)
        for (let n = 0; n < 1 + (round % 7); n++) {
          offset += 1
          await server.views.put([truck(`K${(offset * 7) % 5}`, offset)])
          if (round % 3 === 0) await turn()
        }
        // Every third one reads to its end; the others are cut off in the middle.
        if (round % 3 === 2) await client.entity(`K${(offset * 7) % 5}`, offset)
        client.close()
        for (const { event, data } of client.events) {
          if (event === 'reset') state.clear()
          if (event === 'entity') state.set(data.key, data.doc)
        }
        lastEventId = client.lastEventId ?? lastEventId
      }
      const last = await FeedClient.open(server, '', lastEventId)
      await last.ready()
      for (const { event, data } of last.events) {
        if (event === 'reset') state.clear()
        if (event === 'entity') state.set(data.key, data.doc)
      }
      last.close()
      const expected = (await server.views.list('trucks')).map(({ key, json }) => [
        key,
        JSON.parse(json ?? ''),
      ])
      assert.deepEqual([...state].sort(), expected)
    })
  })
})

describe('a slow stream', () => {
  it('gets the newest state of everything once it reads again', async () => {
    await withServer(async (server) => {
      const client = await FeedClient.open(server)
      await client.ready()
      client.pause()
      const filler = 'x'.repeat(2_000)
      for (let n = 1; n <= 3_000; n++) {
        await server.views.put([truck(`K${n % 100}`, n, `{"n":${n},"filler":"${filler}"}`)])
        if (n % 100 === 0) await turn()
      }
      client.resume()
      for (let n = 2_901; n <= 3_000; n++) await client.entity(`K${n % 100}`, n)
      assert.equal(await cutOffs(server), 0)
      client.close()
    })
  })

  it('gets a snapshot of thousands of entities while they go on changing', async () => {
    await withServer(async (server) => {
      const filler = 'x'.repeat(500)
      const put = (n: number) =>
        server.views.put(
          Array.from({ length: 5_000 }, (_, at) =>
            truck(`K${at}`, n, `{"n":${n},"filler":"${filler}"}`),
          ),
        )
      await put(1)
      const client = await FeedClient.open(server)
      client.pause()
      await put(2)
      client.resume()
      await client.ready()
      await client.entity('K4999', 2)
      const state = new Map(
        client.events.map(({ data }) => [data.key, Object(data.version).offset]),
      )
      for (let at = 0; at < 5_000; at++) assert.equal(state.get(`K${at}`), 2)
      client.close()
    })
  })
})

/** Time that moves only when told; whoever sleeps wakes when it is reached. */
function manualClock(): Clock & { advanceMs(ms: number): void } {
  let nowMs = 0
  const sleeping = new Set<{ readonly untilMs: number; readonly wake: () => void }>()
  return {
    nowMs: () => nowMs,
    monotonicMs: () => nowMs,
    sleep: (durationMs, signal) =>
      new Promise((resolve) => {
        const sleeper = { untilMs: nowMs + durationMs, wake: resolve }
        sleeping.add(sleeper)
        signal?.addEventListener('abort', () => resolve())
      }),
    advanceMs(ms) {
      nowMs += ms
      for (const sleeper of sleeping) {
        if (sleeper.untilMs > nowMs) continue
        sleeping.delete(sleeper)
        sleeper.wake()
      }
    },
  }
}

/** Lets everything that is due happen. */
function turn(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve))
}

/** Connections that ask for the feed and never read a byte of it. */
async function stalled(server: ApiServer, count: number) {
  const { port } = new URL(server.url)
  return Promise.all(
    Array.from({ length: count }, async () => {
      const socket = connect(Number(port), '127.0.0.1')
      socket.on('error', () => {})
      await once(socket, 'connect')
      socket.pause()
      socket.write('GET /api/v1/live?views=alerts HTTP/1.1\r\nHost: localhost\r\n\r\n')
      return socket
    }),
  )
}

describe('a stuck stream', () => {
  const summary = 'x'.repeat(20_000)

  it('holds no more than a bounded part of what it does not read, and the others are served', async () => {
    await withServer(async (server) => {
      const stuck = await stalled(server, 50)
      const reader = await FeedClient.open(server, '?views=alerts')
      while ((await streams(server)) < 51) await turn()
      const held = () => process.memoryUsage().heapUsed + process.memoryUsage().external
      const beforeBytes = held()
      for (let n = 1; n <= 500; n++) {
        await server.views.publishAlerts([alertOf(`A${n}`, { summary: `${n} ${summary}` })])
        await turn()
      }
      await reader.find(({ data }) => data.id === 'A500')
      // 500 alerts of 20 kB are 10 MB; were they kept for each stream, it would be 500 MB.
      assert.ok(held() - beforeBytes < 150 * 2 ** 20, `${held() - beforeBytes} bytes are held`)
      for (const socket of stuck) socket.destroy()
      reader.close()
    })
  })

  it('is cut off after 30 seconds without progress', async () => {
    const clock = manualClock()
    await withServer(
      async (server) => {
        const [socket] = await stalled(server, 1)
        while ((await streams(server)) < 1) await turn()
        // Into the buffers of both ends and a little more, but less than a megabyte unsent.
        for (let n = 1; (await blocked(server, clock)) === false; n++) {
          await server.views.publishAlerts([alertOf(`A${n}`, { summary })])
          await turn()
        }
        assert.equal(await streams(server), 0)
        assert.equal(await cutOffs(server), 1)
        socket?.destroy()
      },
      { clock },
    )
  })

  /** Moves the clock past the limit and tells whether that ended the stream. */
  const blocked = async (
    server: ApiServer,
    clock: ReturnType<typeof manualClock>,
  ): Promise<boolean> => {
    for (let n = 0; n < 20; n++) {
      clock.advanceMs(2_000)
      await turn()
      await turn()
    }
    return (await streams(server)) === 0
  }
})

describe('the limit of streams', () => {
  it('asks the next one to come back later', async () => {
    await withServer(async (server) => {
      const sockets = await stalled(server, 500)
      while ((await streams(server)) < 500) await turn()
      const response = await fetch(`${server.url}/api/v1/live`)
      assert.equal(response.status, 503)
      assert.equal(response.headers.get('retry-after'), '10')
      assert.match(await response.text(), /"code":"too-many-streams"/)
      for (const socket of sockets) socket.destroy()
    })
  })
})

describe('dirty slots', () => {
  it('come out once each, round robin from where the last round stopped', () => {
    const dirty = new DirtySlots()
    for (const slot of [0, 31, 32, 63, 64, 200, 31]) dirty.add(slot)
    assert.equal(dirty.count, 6)
    assert.deepEqual([dirty.take(), dirty.take(), dirty.take()], [0, 31, 32])
    dirty.add(31)
    dirty.add(5_000)
    const rest = [dirty.take(), dirty.take(), dirty.take(), dirty.take(), dirty.take()]
    assert.deepEqual(rest, [63, 64, 200, 5_000, 31])
    assert.equal(dirty.take(), undefined)
    assert.equal(dirty.count, 0)
    assert.equal(dirty.has(31), false)
  })
})
