// The faults of a campaign, each with how it is done and undone. Their order is the seed's.

import type { Dice } from './dice.ts'
import type { Actor, Stage } from './stage.ts'

export const FAULTS = [
  'task-killed',
  'task-paused',
  'task-joined',
  'door-killed',
  'broker-killed',
  'broker-paused',
  'link-cut',
  'link-slow',
  'postgres-killed',
  'redis-flushed',
] as const
export type Fault = (typeof FAULTS)[number]

/** Longer than a member may be silent before its partitions go to others. */
const PAST_SESSION_MS = 9_000
const SHORT_MS = 2_000
const LINK_DELAY_MS = 100

/** Rounds through all of them, each round in another order, so that a short campaign misses few. */
export function* faultOrder(dice: Dice, faults: readonly Fault[]): Generator<Fault> {
  for (;;) {
    const left = [...faults]
    while (left.length > 0) {
      const [next] = left.splice(dice.roll(left.length), 1)
      if (next !== undefined) yield next
    }
  }
}

/** Does it and undoes it; resolves once everybody is back. `downMs` is how long what was killed stays down. */
export async function inflict(
  fault: Fault,
  stage: Stage,
  dice: Dice,
  downMs = SHORT_MS,
): Promise<void> {
  switch (fault) {
    case 'task-killed':
      return killed(dice.pick(stage.tasks), downMs)
    case 'door-killed':
      return killed(dice.pick(stage.doors), downMs)
    case 'task-paused': {
      const { process } = dice.pick(stage.tasks).program()
      process.kill('SIGSTOP')
      await pause(PAST_SESSION_MS)
      process.kill('SIGCONT')
      return pause(SHORT_MS)
    }
    case 'task-joined': {
      const extra = await stage.extraTasks()
      await pause(downMs)
      await extra.program().stop()
      return
    }
    case 'broker-killed': {
      const broker = dice.pick(stage.kafka.brokers)
      await broker.node().kill()
      await pause(downMs)
      return broker.restart()
    }
    case 'broker-paused': {
      const broker = dice.pick(stage.kafka.brokers)
      broker.node().pause()
      await pause(PAST_SESSION_MS)
      return broker.node().resume()
    }
    case 'link-cut':
    case 'link-slow': {
      const link = dice.pick(stage.links)
      if (fault === 'link-cut') link.cut()
      else link.slow(LINK_DELAY_MS)
      await pause(SHORT_MS)
      return link.mend()
    }
    case 'postgres-killed':
      await stage.postgres.node().kill()
      await pause(downMs)
      return stage.postgres.restart()
    case 'redis-flushed':
      return stage.redis.flush()
    default:
      return fault satisfies never
  }
}

async function killed(actor: Actor, downMs: number): Promise<void> {
  await actor.kill()
  await pause(downMs)
  await actor.revive()
}

export function pause(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms))
}
