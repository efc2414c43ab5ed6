// Trucks that are too warm with their first reading: each must give one alert, and how long that took is the
// figure. Sent again until it is acknowledged, as a sender does; heard on a feed that comes back when it ends.

import { until } from '../waiting.ts'
import { FeedReader } from './feed-reader.ts'

const TOPIC = '/api/v1/events/truck-readings'
const RETRY_MS = 50
const RECONNECT_MS = 100

export interface WarmTruck {
  readonly sentMs: number
  /** NaN until it is acknowledged. */
  acknowledgedMs: number
  /** NaN until its alert is heard. */
  heardMs: number
}

export interface WarmTrucks {
  readonly trucks: ReadonlyMap<string, WarmTruck>
  /** Those sent between two moments, as waits from the first sending to the alert; unheard ones are missing. */
  waitsMs(fromMs: number, toMs: number): readonly number[]
  /** How often the feed ended and was opened again, and how often that was with all it missed and no more. */
  readonly reconnects: { ended: number; resumed: number }
  /** No further truck is sent; resolves once every alert was heard, or rejects where one never comes. */
  finish(patienceMs: number): Promise<void>
}

/** Sends trucks through an address that leads to doors and hears their alerts at one that leads to servers. */
export function startWarmTrucks(options: {
  readonly doors: () => string
  readonly serve: () => string
  readonly perSecond: number
}): WarmTrucks {
  const trucks = new Map<string, WarmTruck>()
  const reconnects = { ended: 0, resumed: 0 }
  let sending = true
  let hearing = true

  const deliver = async (truckId: string, truck: WarmTruck): Promise<void> => {
    const body = JSON.stringify({
      truckId,
      recordedAt: new Date(truck.sentMs + performance.timeOrigin).toISOString(),
      temperatureC: 15,
      eventId: truckId,
    })
    while (Number.isNaN(truck.acknowledgedMs)) {
      const status = await fetch(options.doors() + TOPIC, {
        method: 'POST',
        headers: { 'content-type': 'application/json' },
        body,
      }).then(
        async (response) => {
          await response.arrayBuffer()
          return response.status
        },
        () => 0,
      )
      if (status === 202) truck.acknowledgedMs = performance.now()
      else await pause(RETRY_MS)
    }
  }

  const send = async (): Promise<void> => {
    const underWay: Promise<void>[] = []
    for (let n = 0; sending; n++) {
      const truckId = `warm-${n}`
      const truck = { sentMs: performance.now(), acknowledgedMs: Number.NaN, heardMs: Number.NaN }
      trucks.set(truckId, truck)
      underWay.push(deliver(truckId, truck))
      await pause(1_000 / options.perSecond)
    }
    await Promise.all(underWay)
  }

  const hear = async (): Promise<void> => {
    let lastEventId: string | undefined
    while (hearing) {
      const feed = await open(options.serve(), lastEventId)
      let taken = 0
      for (let goesOn = feed !== undefined; goesOn; await pause(2)) {
        // Asked before the last look: what came with the end is heard too, for the next feed leaves it out.
        goesOn = hearing && feed?.ended === false
        for (const { event, data } of feed?.events.slice(taken) ?? []) {
          taken += 1
          if (event === 'ready' && data.resumed === true) reconnects.resumed += 1
          const truck = event === 'alert' ? trucks.get(String(data.entityId)) : undefined
          if (truck !== undefined && Number.isNaN(truck.heardMs)) truck.heardMs = performance.now()
        }
      }
      lastEventId = feed?.lastEventId ?? lastEventId
      feed?.close()
      if (!hearing) return
      if (feed !== undefined) reconnects.ended += 1
      await pause(RECONNECT_MS)
    }
  }

  const sent = send()
  const heard = hear()
  const unheard = (): readonly string[] =>
    [...trucks].filter(([, { heardMs }]) => Number.isNaN(heardMs)).map(([truckId]) => truckId)
  return {
    trucks,
    reconnects,
    waitsMs: (fromMs, toMs) =>
      [...trucks.values()]
        .filter(({ sentMs, heardMs }) => sentMs >= fromMs && sentMs < toMs && heardMs > 0)
        .map(({ sentMs, heardMs }) => heardMs - sentMs),
    async finish(patienceMs) {
      sending = false
      await sent
      const untilMs = performance.now() + patienceMs
      while (unheard().length > 0 && performance.now() < untilMs) await pause(10)
      hearing = false
      await heard
      if (unheard().length > 0) {
        throw new Error(
          `${unheard().length} alerts never came: ${unheard().slice(0, 5).join(', ')} …`,
        )
      }
    },
  }
}

function open(address: string, lastEventId: string | undefined): Promise<FeedReader | undefined> {
  const from = lastEventId === undefined ? {} : { lastEventId }
  return FeedReader.open(address, { views: 'alerts', ...from }).catch(() => undefined)
}

function pause(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms))
}

/** Every alert of a truck that was sent until then is heard. */
export function untilHeard(load: WarmTrucks, toMs: number, patienceMs: number): Promise<void> {
  return until(
    'every alert is heard',
    () =>
      ![...load.trucks.values()].some(
        ({ sentMs, heardMs }) => sentMs < toMs && Number.isNaN(heardMs),
      ),
    patienceMs,
  )
}
