// A round of questions to a provider of travel times, over real journeys: who is asked about, what is passed on.

import { deepEqual, equal, match } from 'node:assert/strict'
import { type TestContext, test } from 'node:test'
import { testPostgres } from '../../../test/postgres-server.ts'
import { systemClock } from '../../adapters/clock/system-clock.ts'
import { createArrivalDesk } from '../../domains/arrivals/desk.ts'
import type { JourneyPlan } from '../../domains/arrivals/plans.ts'
import { HOUR_MS, MINUTE_MS } from '../../kernel/time.ts'
import type { Logger } from '../../ports/logger.ts'
import type { TravelTimeAnswer, TravelTimeQuestion } from '../../ports/travel-times.ts'
import { askRound, MAX_JOURNEYS_A_ROUND, startTravelTimes } from './travel-time-runner.ts'

const NOW_MS = Date.UTC(2031, 0, 1, 8)
const clock = { ...systemClock(), nowMs: () => NOW_MS }
const at = (spanMs: number): Date => new Date(NOW_MS + spanMs)

interface Journey {
  readonly id: string
  readonly startsInMs?: number
  readonly seenBeforeMs?: number
  readonly mode?: string
  readonly arrived?: boolean
}

async function open(t: TestContext, answer: (question: TravelTimeQuestion) => TravelTimeAnswer) {
  const { database } = await testPostgres(t)
  const told: JourneyPlan[] = []
  const asked: TravelTimeQuestion[] = []
  const warnings: unknown[] = []
  const logger: Logger = {
    ...{ debug() {}, info() {}, error() {} },
    warn: (_name, facts) => void warnings.push(facts),
  }
  const desk = createArrivalDesk({
    database,
    async tell(_tenantId, plans) {
      told.push(...plans)
    },
  })
  const travelTimes = {
    async ask(question: TravelTimeQuestion) {
      asked.push(question)
      return answer(question)
    },
  }
  const travels = async ({
    id,
    startsInMs = HOUR_MS,
    seenBeforeMs = MINUTE_MS,
    mode = 'car',
    arrived = false,
  }: Journey): Promise<void> => {
    await database.query(
      `INSERT INTO appointment (tenant_id, appointment_id, title, starts_at, first_starts_at, lat, lon,
         organizer_email, created_at, updated_at)
       VALUES ('default', $1, 'Visit', $2, $2, -1.29, 36.82, 'olga@example.org', $2, $2)`,
      [`A-${id}`, at(startsInMs)],
    )
    await database.query(
      `INSERT INTO journey (tenant_id, journey_id, appointment_id, traveler_email, mode, created_at, updated_at)
       VALUES ('default', $1, $2, 'ada@example.org', $3, $4, $4)`,
      [id, `A-${id}`, mode, at(0)],
    )
    await database.query(
      `INSERT INTO arrival (tenant_id, journey_id, estimated_at, appointment_id, starts_at, eta_p50, eta_p90,
         late_probability, remaining_m, free_flow_s, expected_s, pace, position_at, lat, lon, source,
         arrived_at, log_partition, log_offset)
       VALUES ('default', $1, $2, $3, $4, $4, $4, 0, 0, 0, 0, 1, $2, -1.3, 36.79, 'roads', $5, 0, 0)`,
      [id, at(-seenBeforeMs), `A-${id}`, at(startsInMs), arrived ? at(-MINUTE_MS) : null],
    )
  }
  return {
    ...{ asked, told, warnings, travels },
    options: { database, desk, travelTimes, clock, logger },
  }
}

const known = (durationS: number, ageMs = 0): TravelTimeAnswer => ({
  kind: 'known',
  ageMs,
  travelTime: {
    ...{ durationS, freeFlowS: 900, typicalS: null, distanceM: 12_000, source: 'here' },
    ...{ departAtMs: NOW_MS, arriveAtMs: NOW_MS + durationS * 1_000 },
  },
})

test('whoever is under way by car is asked about, from where they are, and the answer becomes their plan', async (t) => {
  const { asked, told, travels, options } = await open(t, () => known(1_500, 2 * MINUTE_MS))
  await travels({ id: 'J-1' })
  equal(await askRound(options), 1)
  deepEqual(asked, [{ from: { lat: -1.3, lon: 36.79 }, to: { lat: -1.29, lon: 36.82 } }])
  deepEqual(told.at(-1)?.travelTime, {
    ...{ lat: -1.3, lon: 36.79, durationS: 1_500, distanceM: 12_000, freeFlowS: 900 },
    ...{ observedAtMs: NOW_MS - 2 * MINUTE_MS, source: 'here' },
  })
})

test('nobody is asked about who walks, is there, was not seen lately, or started long ago', async (t) => {
  const { asked, travels, options } = await open(t, () => known(60))
  await travels({ id: 'walks', mode: 'foot' })
  await travels({ id: 'there', arrived: true })
  await travels({ id: 'unseen', seenBeforeMs: 11 * MINUTE_MS })
  await travels({ id: 'long-ago', startsInMs: -61 * MINUTE_MS })
  equal(await askRound(options), 0)
  deepEqual(asked, [])
})

test('an answer that is not known changes no plan, and each reason is said once a round', async (t) => {
  const { told, warnings, travels, options } = await open(t, () => ({
    kind: 'unknown',
    reason: 'quota used up',
  }))
  await travels({ id: 'J-1' })
  await travels({ id: 'J-2' })
  equal(await askRound(options), 0)
  deepEqual(told, [])
  deepEqual(warnings, [{ reason: 'quota used up' }])
})

test('of more travellers than a round asks about, those that start next are first', async (t) => {
  const { asked, options } = await open(t, () => ({ kind: 'unknown', reason: 'x' }))
  await options.database.query(
    `INSERT INTO appointment (tenant_id, appointment_id, title, starts_at, first_starts_at, lat, lon,
       organizer_email, created_at, updated_at)
     SELECT 'default', 'A-' || n, 'Visit', $1::timestamptz + n * interval '1 second', $1, n * 0.001, 36.8,
       'olga@example.org', $1, $1 FROM generate_series(1, $2::int) AS n`,
    [at(0), MAX_JOURNEYS_A_ROUND + 5],
  )
  await options.database.query(
    `INSERT INTO journey (tenant_id, journey_id, appointment_id, traveler_email, mode, created_at, updated_at)
     SELECT 'default', 'J-' || n, 'A-' || n, 'ada@example.org', 'car', $1, $1 FROM generate_series(1, $2::int) AS n`,
    [at(0), MAX_JOURNEYS_A_ROUND + 5],
  )
  await options.database.query(
    `INSERT INTO arrival (tenant_id, journey_id, estimated_at, appointment_id, starts_at, eta_p50, eta_p90,
       late_probability, remaining_m, free_flow_s, expected_s, pace, position_at, lat, lon, source,
       log_partition, log_offset)
     SELECT 'default', 'J-' || n, $1, 'A-' || n, $1, $1, $1, 0, 0, 0, 0, 1, $1, 0, 36.79, 'roads', 0, 0
     FROM generate_series(1, $2::int) AS n`,
    [at(0), MAX_JOURNEYS_A_ROUND + 5],
  )
  await askRound(options)
  equal(asked.length, MAX_JOURNEYS_A_ROUND)
  equal(asked[0]?.to.lat, 0.001)
  equal(asked.at(-1)?.to.lat, MAX_JOURNEYS_A_ROUND / 1_000)
})

test('a round that fails is said and the next one comes; stopping waits for what is under way', async (t) => {
  const { options, travels, told } = await open(t, () => known(60))
  await travels({ id: 'J-1' })
  const failures: unknown[] = []
  let rounds = 0
  const stopped = Promise.withResolvers<void>()
  const runner = startTravelTimes({
    ...options,
    database: {
      ...options.database,
      async query(sql, parameters) {
        if (rounds === 0) throw new Error('away')
        return options.database.query(sql, parameters)
      },
    },
    logger: { ...options.logger, error: (_name, error) => void failures.push(error) },
    clock: {
      ...clock,
      async sleep(_spanMs, signal) {
        rounds += 1
        if (rounds < 2) return
        stopped.resolve()
        await systemClock().sleep(HOUR_MS, signal)
      },
    },
  })
  await stopped.promise
  await runner.stop()
  match(String(failures[0]), /away/)
  equal(told.length, 1)
})
