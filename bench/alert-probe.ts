// Trucks whose only reading is too warm, and the live feed on which their alerts must appear: how long it
// takes from the acknowledgement of the reading to the alert.

import { Agent, get, type IncomingMessage, request } from 'node:http'
import { setTimeout as sleep } from 'node:timers/promises'
import { TOPIC } from './fleet.ts'

const ENTITY = /"entityId":"(probe-[^"]+)"/
const EVENT_END = '\n\n'
/** An alert that is not there by then does not come any more. */
const LAST_WAIT_MS = 10_000

export interface ProbeOrder {
  /** Where the door is. */
  readonly url: string
  /** Where the live feed is, if not there. */
  readonly feedUrl?: string
  /** Part of the trucks' names, so that no two runs share one. */
  readonly name: string
  readonly seconds: number
  readonly perSecond: number
}

export interface ProbeResult {
  /** From the 202 to the alert; an alert that overtook its 202 counts as 0. */
  readonly latenciesMs: readonly number[]
  /** From the request to the alert. */
  readonly totalsMs: readonly number[]
  readonly missing: number
}

export async function probeAlerts(order: ProbeOrder): Promise<ProbeResult> {
  const agent = new Agent({ keepAlive: true })
  const sentMs = new Map<string, number>()
  const acknowledgedMs = new Map<string, number>()
  const alertedMs = new Map<string, number>()
  const feed = await openFeed(order.feedUrl ?? order.url, (truckId) => {
    // A feed begins with the alerts that are open, those of earlier probes too.
    if (sentMs.has(truckId) && !alertedMs.has(truckId)) alertedMs.set(truckId, performance.now())
  })
  const startedMs = performance.now()
  const answers: Promise<void>[] = []
  const count = order.seconds * order.perSecond
  for (let index = 0; index < count; index++) {
    const dueMs = startedMs + (index * 1_000) / order.perSecond
    await sleep(Math.max(0, dueMs - performance.now()))
    const truckId = `probe-${order.name}-${index}`
    sentMs.set(truckId, performance.now())
    answers.push(
      warmReading(agent, order.url, truckId).then(() => {
        acknowledgedMs.set(truckId, performance.now())
      }),
    )
  }
  await Promise.all(answers)
  const giveUpMs = performance.now() + LAST_WAIT_MS
  while (alertedMs.size < count && performance.now() < giveUpMs) await sleep(10)
  feed.destroy()
  agent.destroy()
  const latenciesMs: number[] = []
  const totalsMs: number[] = []
  for (const [truckId, atMs] of alertedMs) {
    latenciesMs.push(Math.max(0, atMs - (acknowledgedMs.get(truckId) ?? atMs)))
    totalsMs.push(atMs - (sentMs.get(truckId) ?? atMs))
  }
  return { latenciesMs, totalsMs, missing: count - alertedMs.size }
}

function openFeed(url: string, onAlert: (truckId: string) => void): Promise<IncomingMessage> {
  return new Promise((resolve, reject) => {
    const opened = get(`${url}/api/v1/live?views=alerts`, (response) => {
      if (response.statusCode !== 200) {
        reject(new Error(`The live feed answered ${response.statusCode}.`))
        return
      }
      let rest = ''
      response.setEncoding('utf8')
      response.on('data', (text: string) => {
        const events = (rest + text).split(EVENT_END)
        rest = events.pop() ?? ''
        for (const event of events) {
          const truckId = ENTITY.exec(event)?.[1]
          if (truckId !== undefined) onAlert(truckId)
        }
      })
      resolve(response)
    })
    opened.on('error', reject)
  })
}

function warmReading(agent: Agent, url: string, truckId: string): Promise<void> {
  const body = JSON.stringify({ truckId, recordedAt: new Date().toISOString(), temperatureC: 15 })
  return new Promise((resolve, reject) => {
    const sent = request(
      `${url}/api/v1/events/${TOPIC}`,
      {
        method: 'POST',
        agent,
        headers: { 'content-type': 'application/json', 'content-length': body.length },
      },
      (response) => {
        response.resume()
        if (response.statusCode !== 202) {
          reject(new Error(`A probe was answered ${response.statusCode}.`))
          return
        }
        response.on('end', resolve)
      },
    )
    sent.on('error', reject)
    sent.end(body)
  })
}
