// Simulated appointments and journeys are no events: they go to the desk, or to the routes of those names.

import type { ArrivalDesk } from '../../domains/arrivals/desk.ts'
import { modeOf } from '../../domains/arrivals/plans.ts'
import { PlatformError } from '../../kernel/errors.ts'
import { DEFAULT_TENANT } from '../../kernel/tenants.ts'
import { type DurationMs, parseInstant, SECOND_MS } from '../../kernel/time.ts'
import type { Clock } from '../../ports/clock.ts'
import type { Delivered, Send } from './run-simulation.ts'

const FIRST_WAIT_MS: DurationMs = SECOND_MS
const LONGEST_WAIT_MS: DurationMs = 10 * SECOND_MS

interface Order {
  readonly appointment: Readonly<Record<string, unknown>>
  readonly journey: Readonly<Record<string, unknown>>
}

/** One line an order, as `ordersOf` of the arrivals domain makes them. */
function ordersIn(ndjson: string): readonly Order[] {
  return ndjson
    .trimEnd()
    .split('\n')
    .map((line) => {
      const { appointment, journey } = Object(JSON.parse(line))
      return { appointment: Object(appointment), journey: Object(journey) }
    })
}

/** Within the program. What cannot be kept now is said again with the next round of the traveller. */
export function ordersToDesk(
  desk: ArrivalDesk,
  clock: Clock,
): (ndjson: string) => Promise<Delivered> {
  return async (ndjson) => {
    let [accepted, rejected] = [0, 0]
    for (const { appointment, journey } of ordersIn(ndjson)) {
      const call = { tenantId: DEFAULT_TENANT, nowMs: clock.nowMs() }
      const startsAtMs = parseInstant(appointment.startsAt) ?? 0
      if (startsAtMs < call.nowMs) {
        rejected++
        continue
      }
      await desk.saveAppointment(call, {
        appointmentId: String(appointment.appointmentId),
        title: String(appointment.title),
        startsAtMs,
        lat: Number(appointment.lat),
        lon: Number(appointment.lon),
        organizerEmail: String(appointment.organizerEmail),
        onlineUrl: appointment.onlineUrl === undefined ? null : String(appointment.onlineUrl),
        place: null,
      })
      const refusal = await desk.saveJourney(call, {
        journeyId: String(journey.journeyId),
        appointmentId: String(appointment.appointmentId),
        travelerEmail: String(journey.travelerEmail),
        travelerName: String(journey.travelerName),
        mode: modeOf(String(journey.mode)),
      })
      if (refusal === null) accepted++
      else rejected++
    }
    return { accepted, rejected }
  }
}

export interface HttpOrders {
  readonly url: URL
  readonly token?: string | undefined
  readonly clock: Clock
  readonly signal: AbortSignal
  readonly onDelay?: (message: string) => void
}

/** Over HTTP, as any outside system would; tries again while the server can't. */
export function ordersOverHttp(options: HttpOrders): (ndjson: string) => Promise<Delivered> {
  return async (ndjson) => {
    let [accepted, rejected] = [0, 0]
    for (const { appointment, journey } of ordersIn(ndjson)) {
      const made =
        (await posted(options, 'appointments', appointment)) &&
        (await posted(options, 'journeys', journey))
      if (made) accepted++
      else rejected++
    }
    return { accepted, rejected }
  }
}

/** False where the server refuses it for what it is, such as a start that has passed meanwhile. */
async function posted(options: HttpOrders, route: string, body: object): Promise<boolean> {
  const { url, token, clock, signal, onDelay } = options
  const base = url.pathname.endsWith('/') ? url : new URL(`${url.origin}${url.pathname}/`)
  const target = new URL(`api/v1/${route}`, base)
  const authorization = token === undefined ? {} : { authorization: `Bearer ${token}` }
  for (
    let waitMs = FIRST_WAIT_MS;
    !signal.aborted;
    waitMs = Math.min(LONGEST_WAIT_MS, 2 * waitMs)
  ) {
    const status = await fetch(target, {
      method: 'POST',
      redirect: 'error',
      headers: { 'content-type': 'application/json', ...authorization },
      body: JSON.stringify(body),
      signal,
    }).then(
      async (response) => {
        await response.arrayBuffer()
        return response.status
      },
      () => 0,
    )
    if (status >= 200 && status < 300) return true
    if (status === 401 || status === 403) throw refused(target, status)
    if (status >= 400 && status < 500 && status !== 429) return false
    onDelay?.(`${target.origin} ${status === 0 ? 'does not answer' : `answered ${status}`}`)
    await clock.sleep(waitMs, signal)
  }
  return false
}

function refused(target: URL, status: number): PlatformError {
  return new PlatformError(
    'bad-setting',
    `${target} answered ${status}: set OUTRIDER_ADMIN_TOKEN to the token that the server was started with.`,
    { retry: 'never' },
  )
}

/** Sends orders one way and events the other. */
export function withOrders(
  ordersTopic: string,
  orders: ((ndjson: string) => Promise<Delivered>) | null,
  events: Send,
): Send {
  return async (topic, ndjson, count, keys) => {
    if (topic !== ordersTopic) return events(topic, ndjson, count, keys)
    return orders === null ? { accepted: 0, rejected: count } : orders(ndjson)
  }
}
