// Trucks that send readings through the doors, each its next one only after the one before was acknowledged, and
// again where it was not: so what is stored in order, and once but for flagged repeats, was sent so.

import type { Dice } from './dice.ts'

const SENDERS = 8
const TRUCKS_PER_SENDER = 12
/** Virtual time between two readings of a truck. */
const STEP_MS = 20_000
const PAUSE_MS = 25
const AFTER_FAILURE_MS = 200
const ANSWER_TIMEOUT_MS = 40_000

export interface Acknowledged {
  readonly truckId: string
  /** Counts from 1; the event's id carries it. */
  readonly count: number
}

export interface Load {
  counts(): { readonly acknowledged: number; readonly retries: number; readonly slowestMs: number }
  /** Highest number that was acknowledged, by truck; all below were too. */
  acknowledged(): ReadonlyMap<string, number>
  /** No new readings; resolves once what is under way was acknowledged. */
  stop(): Promise<void>
}

export function eventId(truckId: string, count: number): string {
  return `${truckId}/${count}`
}

export function startLoad(options: {
  /** Addresses of the doors as they are now. */
  readonly doors: () => readonly string[]
  readonly dice: Dice
  /** Events of all senders together; absent: as fast as they are acknowledged. */
  readonly perSecond?: number
}): Load {
  const reached = new Map<string, number>()
  // Virtual time runs ahead of the real one, and must not arrive in the future.
  const startMs = Date.now() - 10 * 86_400_000
  const beginMs = performance.now()
  let running = true
  let retries = 0
  let slowestMs = 0
  const roundMs =
    options.perSecond === undefined ? 0 : (1_000 * SENDERS * TRUCKS_PER_SENDER) / options.perSecond
  const senders = Array.from({ length: SENDERS }, async (_, sender) => {
    const trucks = Array.from(
      { length: TRUCKS_PER_SENDER },
      (_each, index) => `CT-${sender}-${index}`,
    )
    for (let round = 1; running; round++) {
      const batch = trucks.map((truckId) => ({
        truckId,
        eventId: eventId(truckId, round),
        recordedAt: new Date(startMs + round * STEP_MS).toISOString(),
        temperatureC: temperature(options.dice, round),
        profile: 'vaccine',
      }))
      const sentMs = performance.now()
      for (
        let attempt = 0;
        !(await send(options.doors(), sender + round + attempt, batch));
        attempt++
      ) {
        retries++
        await pause(AFTER_FAILURE_MS)
      }
      slowestMs = Math.max(slowestMs, performance.now() - sentMs)
      for (const truckId of trucks) reached.set(truckId, round)
      // What could not be sent in time is sent after it: devices keep what they measured.
      const dueMs = beginMs + round * roundMs - performance.now()
      await pause(roundMs === 0 ? PAUSE_MS : Math.max(0, dueMs))
    }
  })
  return {
    counts: () => ({
      acknowledged: [...reached.values()].reduce((sum, count) => sum + count, 0),
      retries,
      slowestMs,
    }),
    acknowledged: () => reached,
    async stop() {
      running = false
      await Promise.all(senders)
    },
  }
}

/** Now and then warm for some readings. */
function temperature(dice: Dice, round: number): number {
  const warm = round % 20 >= 15 && dice.roll(4) === 0
  return warm ? 9 + dice.roll(40) / 10 : 3 + dice.roll(30) / 10
}

async function send(
  doors: readonly string[],
  turn: number,
  batch: readonly unknown[],
): Promise<boolean> {
  const door = doors[turn % doors.length]
  try {
    const response = await fetch(`${door}/api/v1/events/truck-readings`, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify(batch),
      signal: AbortSignal.timeout(ANSWER_TIMEOUT_MS),
    })
    const answer = await response.text()
    if (response.status === 202) return Object(JSON.parse(answer)).accepted === batch.length
    return false
  } catch {
    return false
  }
}

function pause(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms))
}
