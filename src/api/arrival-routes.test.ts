// The routes of arrivals against a real database: appointments, journeys, and what stands on the board.

import { deepEqual, equal, match } from 'node:assert/strict'
import { type TestContext, test } from 'node:test'
import { callApi, startApiServer } from '../../test/api-server.ts'
import { testPostgres } from '../../test/postgres-server.ts'
import { systemClock } from '../adapters/clock/system-clock.ts'
import { createArrivalDesk } from '../domains/arrivals/desk.ts'
import type { JourneyPlan } from '../domains/arrivals/plans.ts'
import { HOUR_MS, toIso } from '../kernel/time.ts'

const NOW_MS = systemClock().nowMs()
const appointment = {
  appointmentId: 'a1',
  title: 'Site visit',
  startsAt: toIso(NOW_MS + HOUR_MS),
  lat: 43.73,
  lon: 7.42,
  organizerEmail: 'org@example.com',
  onlineUrl: 'https://meet.example.com/a1',
}
const journey = { journeyId: 'j1', appointmentId: 'a1', travelerEmail: 'jo@example.com' }

async function open(t: TestContext) {
  const { database, tenantDatabase } = await testPostgres(t)
  const told: JourneyPlan[] = []
  const arrivalDesk = createArrivalDesk({
    database,
    async tell(_tenant, plans) {
      told.push(...plans)
    },
  })
  const server = await startApiServer({ database, tenantDatabase, arrivalDesk })
  t.after(() => server.close())
  const call = async (method: string, path: string, body?: unknown) => {
    const { status, json } = await callApi(server, method, path, body)
    return { status, json: Object(json) }
  }
  return { database, arrivalDesk, told, call }
}

test('a journey to an appointment stands on the board, and the tasks are told of it', async (t) => {
  const { told, call } = await open(t)
  const made = await call('POST', '/appointments', appointment)
  equal(made.status, 200)
  equal(made.json.revision, 1)
  equal(told.length, 0, 'nobody travels yet')
  equal((await call('POST', '/journeys', journey)).status, 200)
  equal(told.at(-1)?.startsAtMs, NOW_MS + HOUR_MS)
  equal(told.at(-1)?.online, true)
  const board = await call('GET', '/arrivals')
  deepEqual(
    board.json.items.map((each: { journeyId: string; status: string; etaP50: null }) => [
      each.journeyId,
      each.status,
      each.etaP50,
    ]),
    [['j1', 'waiting', null]],
  )
  equal((await call('GET', '/arrivals/j1')).json.travelerEmail, 'jo@example.com')
})

test('what is wrong with an appointment or a journey is named, and nothing is kept', async (t) => {
  const { told, call } = await open(t)
  const past = toIso(NOW_MS - HOUR_MS)
  const checks: readonly [string, unknown, number, RegExp][] = [
    ['/appointments', { ...appointment, startsAt: past }, 400, /lies in the past/],
    ['/appointments', { ...appointment, startsAt: 'tomorrow' }, 400, /ISO 8601/],
    ['/appointments', { ...appointment, lat: 99 }, 400, /lat/],
    ['/appointments', { ...appointment, organizerEmail: 'nobody' }, 400, /organizerEmail/],
    ['/appointments', { ...appointment, onlineUrl: 'javascript:alert(1)' }, 400, /https/],
    ['/journeys', journey, 404, /no appointment/],
    ['/journeys', { ...journey, mode: 'rocket' }, 400, /mode/],
  ]
  for (const [path, body, status, detail] of checks) {
    const answer = await call('POST', path, body)
    equal(answer.status, status, JSON.stringify(answer.json))
    match(answer.json.detail, detail)
  }
  equal((await call('GET', '/arrivals')).json.items.length, 0)
  equal(told.length, 0)
})

test('a new start is told to all journeys; the first order said again does not undo it', async (t) => {
  const { told, call } = await open(t)
  await call('POST', '/appointments', appointment)
  await call('POST', '/journeys', journey)
  await call('POST', '/journeys', { ...journey, journeyId: 'j2' })
  const startsAt = toIso(NOW_MS + 2 * HOUR_MS)
  const moved = await call('POST', '/appointments/a1/reschedule', { startsAt, journeyId: 'j1' })
  equal(moved.json.startsAt, startsAt)
  deepEqual(
    told.slice(-2).map((plan) => [plan.journeyId, toIso(plan.startsAtMs)]),
    [
      ['j1', startsAt],
      ['j2', startsAt],
    ],
  )
  equal((await call('POST', '/appointments', appointment)).json.startsAt, startsAt)
  const board = await call('GET', '/arrivals?status=rescheduled')
  deepEqual(
    board.json.items.map((each: { journeyId: string }) => each.journeyId),
    ['j1'],
  )
})

test('a decision told twice is kept once, and joining online ends the journey', async (t) => {
  const { arrivalDesk, told, call } = await open(t)
  await call('POST', '/appointments', appointment)
  await call('POST', '/journeys', journey)
  const deskCall = { tenantId: 'default', nowMs: NOW_MS }
  const sent = {
    journeyId: 'j1',
    decisionId: 'd1',
    decision: 'link-sent',
    decidedAtMs: NOW_MS,
  } as const
  equal(await arrivalDesk.recordDecision(deskCall, sent), null)
  equal(await arrivalDesk.recordDecision(deskCall, sent), null)
  equal(await arrivalDesk.recordDecision(deskCall, { ...sent, journeyId: 'x' }), 'unknown-journey')
  await call('POST', '/journeys/j1/join-online')
  equal(told.at(-1)?.over, true)
  const { json } = await call('GET', '/arrivals/j1')
  equal(json.status, 'joined-online')
  equal(json.decision, 'link-sent')
  equal(json.decisions.length, 1)
  const outcomes = await call('GET', `/arrivals/outcomes?to=${NOW_MS + 2 * HOUR_MS}`)
  deepEqual(outcomes.json.byOutcome, { 'joined-online': 1 })
  const before = await call('GET', `/arrivals/outcomes?to=${NOW_MS + HOUR_MS}`)
  deepEqual(before.json.byOutcome, { 'joined-online': 1 }, 'it counts before the start has passed')
  equal((await call('GET', `/arrivals/outcomes?to=${NOW_MS}`)).json.journeys, 0)
})
