// Which faults strike, drawn from a seed: the same seed gives the same world.

import type { Fault, FaultPlan } from './process-life.ts'
import { drawerOf } from './workload.ts'

/** Nothing fails, but what is asked for takes its time, so that commits overlap with further batches. */
export function latencies(seed: number): FaultPlan {
  const drawers = new Map<number, ReturnType<typeof drawerOf>>()
  return ({ life, name }) => {
    const draw = known(drawers, life, () => drawerOf(seed * 31 + life))
    switch (name) {
      case 'store.commit':
      case 'store.saveSnapshot':
        return { delayBeforeMs: draw.between(0, 6), delayAfterMs: draw.between(0, 6) }
      case 'speed.put':
      case 'speed.publishAlerts':
        return { delayBeforeMs: draw.between(0, 3) }
      default:
        return undefined
    }
  }
}

export interface CrashPoint {
  readonly index: number
  readonly when: 'before' | 'after'
}

/** The first life ends at one call; some of those after it end soon, too, while they restore. */
export function crashAt(seed: number, point: CrashPoint): FaultPlan {
  const slow = latencies(seed)
  const draw = drawerOf(seed * 101 + point.index * 2 + (point.when === 'after' ? 1 : 0))
  const second = draw.chance(0.3) ? draw.between(0, 40) : null
  return (call) => {
    const fault = slow(call)
    if (call.life === 0 && call.index === point.index) return { ...fault, crash: point.when }
    if (call.life === 1 && call.index === second)
      return { ...fault, crash: draw.chance(0.5) ? 'before' : 'after' }
    return fault
  }
}

/**
 * Everything goes wrong now and then: errors before and after the effect, long delays that reorder what
 * was asked for, reads that bring little or nothing, outages of the database, deaths.
 */
export function wild(seed: number, options: { readonly deaths: boolean }): FaultPlan {
  const draw = drawerOf(seed * 7 + 1)
  const errors = draw.oneOf([0, 0.01, 0.05, 0.15])
  const delays = draw.oneOf([0, 0.1, 0.3])
  const deaths = options.deaths ? draw.oneOf([0, 0.002, 0.01]) : 0
  const shortReads = draw.oneOf([0, 0.2, 0.6])
  const repeatedReads = draw.oneOf([0, 0, 0.1])
  // So slow that the task lags by minutes: time must not pass for it as it does on the wall.
  const crawls = draw.chance(0.15)
  const outage = draw.chance(0.3)
    ? { from: draw.between(50, 1_000), calls: draw.between(5, 60) }
    : null
  let storeCalls = 0
  return ({ name }) => {
    const fault: { -readonly [K in keyof Fault]: Fault[K] } = {}
    if (draw.chance(deaths)) fault.crash = draw.oneOf(['before', 'after'])
    if (draw.chance(errors)) fault.error = draw.oneOf(['before', 'after'])
    if (name.startsWith('store.')) {
      storeCalls++
      if (
        outage !== null &&
        storeCalls >= outage.from / 10 &&
        storeCalls < outage.from / 10 + outage.calls
      ) {
        fault.error = draw.chance(0.8) ? 'before' : 'after'
      }
    }
    if (draw.chance(delays)) fault.delayBeforeMs = draw.between(0, draw.chance(0.1) ? 1_500 : 40)
    if (draw.chance(delays)) fault.delayAfterMs = draw.between(0, draw.chance(0.1) ? 1_500 : 40)
    if (name === 'log.read') {
      if (draw.chance(shortReads)) fault.records = draw.between(0, 3)
      if (draw.chance(repeatedReads)) fault.back = draw.between(1, 5)
      if (crawls) {
        fault.records = 1
        fault.delayBeforeMs = draw.between(1_000, 6_000)
      }
    }
    return fault
  }
}

function known<K, V>(map: Map<K, V>, key: K, make: () => V): V {
  const present = map.get(key)
  if (present !== undefined) return present
  const made = make()
  map.set(key, made)
  return made
}
