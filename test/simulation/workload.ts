// What happens in a simulated world, drawn from its seed: events as devices send them, with all their
// faults, and now and then another reference table or a broadcast.

import { seededRandom } from '../../src/adapters/random/seeded-random.ts'
import { coldChainPipeline, PROFILE_TABLE } from '../../src/domains/cold-chain/pipeline.ts'
import { builtInProfiles } from '../../src/domains/cold-chain/profiles.ts'
import { partitionOf } from '../../src/kernel/partitioner.ts'
import { type DurationMs, MINUTE_MS, SECOND_MS } from '../../src/kernel/time.ts'
import type { NewRecord } from '../../src/ports/log.ts'
import type { AnyPipeline } from '../../src/streams/pipeline.ts'
import {
  EFFECT_LEVEL,
  FIRST_SILENCE_MS,
  GAUGES_TABLE,
  OFFSETS_TOPIC,
  probePipeline,
  SECOND_SILENCE_MS,
} from './probe-pipeline.ts'

export const PARTITIONS = 2
const KEYS_PER_PARTITION = 3

/** `record` is made at the moment it is sent: its arrival is then. Sent again, it is the same event. */
export type Action =
  | { readonly kind: 'send'; readonly afterMs: DurationMs; record(nowMs: number): NewRecord }
  | { readonly kind: 'reference'; readonly afterMs: DurationMs; readonly content: unknown }
  | { readonly kind: 'broadcast'; readonly afterMs: DurationMs; readonly value: number }
  | { readonly kind: 'pause'; readonly afterMs: DurationMs }

export interface Workload {
  readonly pipeline: AnyPipeline
  readonly referenceTable: string
  readonly firstReference: unknown
  readonly actions: readonly Action[]
  /** Rules that tell of silence, and must have told all of it by the end. */
  readonly silences: readonly { readonly rule: string; readonly afterMs: DurationMs }[]
}

export interface WorkloadOptions {
  readonly seed: number
  readonly events: number
  /** Quiet times long enough for silences and idle partitions, but not for what looks like an outage. */
  readonly longPauses: boolean
  /** New reference tables and broadcasts in the midst of it. */
  readonly news: boolean
}

/** Time that is kept quiet around news, so that it falls between the same two events in every run. */
const BEFORE_NEWS_MS = 5 * SECOND_MS
const AFTER_NEWS_MS = 9 * SECOND_MS

export function drawWorkload(options: WorkloadOptions): Workload {
  const coldChain = options.seed % 4 === 3
  const draw = drawerOf(options.seed)
  const keys = keysOf(coldChain ? 'truck' : 'probe')
  const actions: Action[] = []
  const sent: ((nowMs: number) => NewRecord)[] = []
  for (let index = 0; index < options.events; index++) {
    // Each partition in turn, so that none is quiet for long unless all are.
    const key = draw.oneOf(keys[index % PARTITIONS] ?? [])
    const afterMs = pauseBefore(options, index, draw)
    const again = sent.length > 0 && draw.chance(0.08) ? draw.oneOf(sent.slice(-5)) : undefined
    const record =
      again ?? (coldChain ? readingOf(key, index, draw) : probeEventOf(key, index, draw))
    sent.push(record)
    actions.push({ kind: 'send', afterMs, record })
    if (options.news && draw.chance(0.04)) actions.push(...newsOf(coldChain, draw))
  }
  return {
    pipeline: coldChain ? coldChainPipeline : probePipeline({ broadcast: options.seed % 4 !== 1 }),
    referenceTable: coldChain ? PROFILE_TABLE : GAUGES_TABLE,
    firstReference: coldChain ? [ownProfile(9)] : { all: 1 },
    actions,
    silences: coldChain
      ? [{ rule: 'reefer-silent', afterMs: 10 * MINUTE_MS }]
      : [
          { rule: 'quiet', afterMs: FIRST_SILENCE_MS },
          { rule: 'lost', afterMs: SECOND_SILENCE_MS },
        ],
  }
}

interface Drawer {
  next(): number
  chance(probability: number): boolean
  between(low: number, high: number): number
  oneOf<T>(values: readonly T[]): T
}

export function drawerOf(seed: number): Drawer {
  const random = seededRandom(seed)
  const next = (): number => random.next()
  return {
    next,
    chance: (probability) => next() < probability,
    between: (low, high) => low + Math.floor(next() * (high - low + 1)),
    oneOf<T>(values: readonly T[]): T {
      const found = values[Math.floor(next() * values.length)]
      if (found === undefined) throw new Error('There is nothing to draw from.')
      return found
    },
  }
}

/** Keys of each partition. */
function keysOf(prefix: string): readonly (readonly string[])[] {
  const keys: string[][] = Array.from({ length: PARTITIONS }, () => [])
  for (let number = 0; keys.some(({ length }) => length < KEYS_PER_PARTITION); number++) {
    const key = `${prefix}-${number}`
    const own = keys[partitionOf(key, PARTITIONS)]
    if (own !== undefined && own.length < KEYS_PER_PARTITION) own.push(key)
  }
  return keys
}

function pauseBefore({ longPauses }: WorkloadOptions, index: number, draw: Drawer): DurationMs {
  if (longPauses && index % 6 === 5 && draw.chance(0.2)) return draw.between(15_000, 70_000)
  if (draw.chance(0.15)) return 0
  return draw.between(50, draw.chance(0.1) ? 7_000 : 1_500)
}

function newsOf(coldChain: boolean, draw: Drawer): readonly Action[] {
  const news: Action =
    coldChain || draw.chance(0.5)
      ? {
          kind: 'reference',
          afterMs: BEFORE_NEWS_MS,
          content: coldChain
            ? [ownProfile(draw.between(8, 12))]
            : { all: draw.oneOf([0.5, 1, 1.5]) },
        }
      : { kind: 'broadcast', afterMs: BEFORE_NEWS_MS, value: draw.between(-10, 10) }
  return [news, { kind: 'pause', afterMs: AFTER_NEWS_MS }]
}

/** How much older than its arrival an event is. */
function lagOf(draw: Drawer): DurationMs {
  const kind = draw.next()
  if (kind < 0.6) return draw.between(0, 1_000)
  if (kind < 0.85) return draw.between(0, 29_000)
  if (kind < 0.92) return draw.between(40_000, 200_000)
  if (kind < 0.95) return draw.between(25, 60) * MINUTE_MS
  return -draw.between(0, 400_000)
}

const POISON = ['', '{', '[1]', '{"probeId":5}', '\u0000', '{"truckId":"t","recordedAt":"never"}']

function probeEventOf(key: string, index: number, draw: Drawer): (nowMs: number) => NewRecord {
  if (draw.chance(0.02)) return poisonOf(key, draw)
  const lagMs = lagOf(draw)
  const level = draw.chance(0.04) ? EFFECT_LEVEL : draw.between(-20, 100)
  const side = draw.oneOf([null, null, 'left', 'right'])
  let recordedAt: number | null = null
  return (nowMs) => {
    recordedAt ??= nowMs - lagMs
    const wire = { probeId: key, recordedAt, eventId: `e${index}`, level, side }
    return recordOf(key, JSON.stringify(wire), nowMs)
  }
}

function readingOf(key: string, index: number, draw: Drawer): (nowMs: number) => NewRecord {
  if (draw.chance(0.02)) return poisonOf(key, draw)
  const lagMs = lagOf(draw)
  const fields = {
    temperatureC: draw.between(10, 100) / 10,
    fuelPercent: draw.oneOf([null, 90, 88, 80, 70]),
    speedKmh: draw.oneOf([null, 0, 0, 2, 40]),
    doorOpen: draw.oneOf([null, true, false]),
    zone: draw.oneOf([null, null, 'front', 'rear']),
    profile: draw.oneOf([null, null, 'own', 'frozen', 'who-type-1']),
    shipmentId: draw.oneOf([null, null, 'S-1', 'S-2']),
  }
  let recordedAt: number | null = null
  return (nowMs) => {
    recordedAt ??= nowMs - lagMs
    const wire = { truckId: key, recordedAt, eventId: `e${index}`, ...fields }
    return recordOf(key, JSON.stringify(wire), nowMs)
  }
}

function poisonOf(key: string, draw: Drawer): (nowMs: number) => NewRecord {
  const text = draw.oneOf(POISON)
  return (nowMs) => recordOf(key, text, nowMs)
}

function recordOf(key: string, text: string, receivedAtMs: number): NewRecord {
  // Keys belong to one tenant each, as devices do.
  const tenantId = key.endsWith('2') ? 'other' : 'default'
  return { key, value: Buffer.from(text), receivedAtMs, tenantId }
}

function ownProfile(maxC: number): unknown {
  return { ...builtInProfiles[0], name: 'own', maxC, limits: [] }
}

export { OFFSETS_TOPIC }
