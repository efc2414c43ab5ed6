// Where a provider of travel times is set: asks it about travellers under way, and passes on what it says as a
// part of their plans, so that estimates follow from the log and from nothing else.

import type { ArrivalDesk } from '../../domains/arrivals/desk.ts'
import { underWay } from '../../domains/arrivals/queries.ts'
import { type DurationMs, MINUTE_MS } from '../../kernel/time.ts'
import type { Clock } from '../../ports/clock.ts'
import type { Database } from '../../ports/database.ts'
import type { Logger } from '../../ports/logger.ts'
import type { TravelTimes } from '../../ports/travel-times.ts'

const ROUND_MS: DurationMs = MINUTE_MS
/** Journeys asked about in one round: those that start next. */
export const MAX_JOURNEYS_A_ROUND = 200

export interface TravelTimeRunnerOptions {
  readonly database: Database
  readonly desk: Pick<ArrivalDesk, 'tellTravelTime'>
  readonly travelTimes: TravelTimes
  readonly clock: Clock
  readonly logger: Logger
}

export function startTravelTimes(options: TravelTimeRunnerOptions): { stop(): Promise<void> } {
  const { clock, logger } = options
  const stop = new AbortController()
  const ended = (async () => {
    while (!stop.signal.aborted) {
      await askRound(options).catch((error: unknown) => logger.error('travel-times', error))
      await clock.sleep(ROUND_MS, stop.signal)
    }
  })()
  return {
    async stop() {
      stop.abort()
      await ended
    },
  }
}

/** One round; how many journeys were told. */
export async function askRound(options: TravelTimeRunnerOptions): Promise<number> {
  const { database, desk, travelTimes, clock, logger } = options
  const journeys = await underWay(database, { nowMs: clock.nowMs(), limit: MAX_JOURNEYS_A_ROUND })
  let told = 0
  const reasons = new Set<string>()
  for (const { tenantId, journeyId, from, to } of journeys) {
    const answer = await travelTimes.ask({ from, to })
    if (answer.kind === 'unknown') {
      reasons.add(answer.reason)
      continue
    }
    const { durationS, distanceM, freeFlowS, source } = answer.travelTime
    const nowMs = clock.nowMs()
    const observedAtMs = nowMs - answer.ageMs
    const travelTime = { ...from, durationS, distanceM, freeFlowS, observedAtMs, source }
    if ((await desk.tellTravelTime({ tenantId, nowMs }, journeyId, travelTime)) === null) told++
  }
  for (const reason of reasons) logger.warn('travel-times-unknown', { reason })
  return told
}
