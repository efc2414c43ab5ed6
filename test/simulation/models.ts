// What must come out, worked out from the log in the plainest way and with nothing of the engine: a bug of
// the engine would be in the oracle too.

import type { EventFlag } from '../../src/ports/archive.ts'
import type { WindowResult } from '../../src/ports/checkpoint-store.ts'
import type { LogRecord } from '../../src/ports/log.ts'
import type { AnyPipeline } from '../../src/streams/pipeline.ts'
import type { StreamEvent } from '../../src/streams/topic.ts'
import type { Probe } from './probe-pipeline.ts'
import { rowName, type SimulatedDatabase } from './simulated-database.ts'

/** A clock that runs ahead of the arrival by more than this is not believed. */
const FUTURE_MS = 300_000
/** Events of the workload are either younger than this or so old that no window takes them. */
const OLD_MS = 1_200_000

interface Heard {
  readonly offset: number
  readonly key: string
  readonly tenantId: string
  readonly receivedAtMs: number
  readonly event: StreamEvent
  readonly flags: readonly EventFlag[]
}

export interface ModelOptions {
  readonly pipeline: AnyPipeline
  readonly partition: number
  readonly log: readonly LogRecord[]
  readonly database: SimulatedDatabase
  /** Rules that tell of silence. */
  readonly silences: readonly { readonly rule: string; readonly afterMs: number }[]
  /** Silences that began before must have been told by now. */
  readonly untilMs: number
  /** Whether events are probes, whose windows the model knows. */
  readonly probes: boolean
}

/** What is in the database against what must be; empty where nothing is wrong. Silences must all be told. */
export function contradictions(options: ModelOptions): readonly string[] {
  const heard = hear(options)
  return [
    ...wrongFlags(options, heard),
    ...wrongSilences(options, heard),
    ...(options.probes ? wrongWindows(options, heard) : []),
  ]
}

/** Every event with the flags it deserves; whether it is late depends on more than the model knows. */
function hear({ pipeline, log }: ModelOptions): readonly Heard[] {
  const ids = new Set<string>()
  return log.flatMap(({ offset, value, receivedAtMs, tenantId }) => {
    let json: unknown
    try {
      json = JSON.parse(Buffer.from(value).toString())
    } catch {
      return []
    }
    const parsed = pipeline.topic.parse(json)
    if (!parsed.ok) return []
    const event = parsed.value as StreamEvent
    const key = pipeline.topic.keyOf(event)
    const id = JSON.stringify([tenantId, key, event.eventId])
    const flags: EventFlag[] = event.recordedAtMs > receivedAtMs + FUTURE_MS ? ['future'] : []
    if (event.eventId !== null && ids.has(id)) flags.push('duplicate')
    ids.add(id)
    return [{ offset, key, tenantId, receivedAtMs, event, flags }]
  })
}

function wrongFlags(
  { pipeline, partition, database }: ModelOptions,
  heard: readonly Heard[],
): readonly string[] {
  return heard.flatMap(({ offset, flags }) => {
    const row = database.archive.get(rowName(pipeline.topic.archive.name, { partition, offset }))
    const found = (row?.flags ?? []).filter((flag) => flag !== 'late')
    return found.join() === flags.join()
      ? []
      : [`${partition}/${offset} is flagged ${found}, and should be ${flags}`]
  })
}

/** A silence is told of exactly those events that no other followed for so long. */
function wrongSilences(
  { partition, database, silences, untilMs }: ModelOptions,
  heard: readonly Heard[],
): readonly string[] {
  const shortestMs = Math.min(...silences.map(({ afterMs }) => afterMs))
  const expected = new Set<string>()
  for (const [index, one] of heard.entries()) {
    if (one.flags.includes('duplicate')) continue
    const eventTimeMs = one.flags.includes('future') ? one.receivedAtMs : one.event.recordedAtMs
    if (one.receivedAtMs - eventTimeMs >= shortestMs) continue
    const next = heard
      .slice(index + 1)
      .find(
        ({ key, tenantId, flags }) =>
          key === one.key && tenantId === one.tenantId && !flags.includes('duplicate'),
      )
    for (const { rule, afterMs } of silences) {
      const startsAtMs = one.receivedAtMs + afterMs
      const ended = next !== undefined && next.receivedAtMs >= startsAtMs
      if (startsAtMs > untilMs || (next !== undefined && !ended)) continue
      const status = ended ? 'resolved' : 'firing'
      expected.add(`${rule} ${one.key} after ${one.offset} from ${startsAtMs} ${status}`)
    }
  }
  const found = new Set(
    [...database.alerts.values()]
      .filter(
        ({ rule, position }) =>
          position.partition === partition && silences.some((each) => each.rule === rule),
      )
      .map(
        ({ rule, entityId, position, startsAtMs, status }) =>
          `${rule} ${entityId} after ${position.offset} from ${startsAtMs} ${status}`,
      ),
  )
  return [
    ...[...expected].filter((name) => !found.has(name)).map((name) => `not told: ${name}`),
    ...[...found].filter((name) => !expected.has(name)).map((name) => `told for nothing: ${name}`),
  ]
}

/** Windows hold what arrived for them in the end, however late, unless it was far too old. */
function wrongWindows(
  { pipeline, partition, database }: ModelOptions,
  heard: readonly Heard[],
): readonly string[] {
  const counted = heard.filter(({ flags }) => flags.length === 0)
  const firstMs = (heard[0]?.receivedAtMs ?? 0) - OLD_MS / 2
  const merged = new Map<string, WindowResult>()
  for (const [name, result] of database.windows) {
    const ours = name.endsWith(`,${partition}]`) && result.startMs >= firstMs
    if (!ours || !pipeline.windows.some((window) => window.name === result.window)) continue
    const { window, tenantId, startMs, group } = result
    const key = JSON.stringify([window, tenantId, startMs, group])
    const before = merged.get(key)
    merged.set(key, before === undefined ? result : bothEras(before, result))
  }
  return [...merged].flatMap(([name, result]) => {
    const inside = counted.filter(
      ({ tenantId, event, receivedAtMs }) =>
        tenantId === result.tenantId &&
        event.recordedAtMs >= result.startMs &&
        event.recordedAtMs < result.endMs &&
        receivedAtMs - event.recordedAtMs < OLD_MS &&
        groupOf(event as Probe) === result.group,
    )
    const expected = valuesOf(inside)
    const found = { ...result.values, sides: null }
    // A key that is in two eras of one window counts in both.
    if (result.era === BOTH) Object.assign(found, { probes: JSON.parse(expected).probes })
    const text = JSON.stringify(found)
    return text === expected ? [] : [`window ${name} holds ${text}, and should hold ${expected}`]
  })
}

const BOTH = -1

function bothEras(a: WindowResult, b: WindowResult): WindowResult {
  const value = (from: WindowResult, name: string): number => Number(from.values[name])
  const values = {
    ...a.values,
    events: value(a, 'events') + value(b, 'events'),
    total: value(a, 'total') + value(b, 'total'),
    lowest: Math.min(value(a, 'lowest'), value(b, 'lowest')),
    highest: Math.max(value(a, 'highest'), value(b, 'highest')),
  }
  return { ...a, era: BOTH, values }
}

const groupOf = ({ level }: Probe): WindowResult['group'] => (level < 0 ? 'negative' : 'positive')

function valuesOf(inside: readonly Heard[]): string {
  const levels = inside.map(({ event }) => (event as Probe).level)
  return JSON.stringify({
    events: levels.length,
    total: levels.reduce((sum, level) => sum + level, 0),
    lowest: Math.min(...levels),
    highest: Math.max(...levels),
    probes: new Set(inside.map(({ key }) => key)).size,
    sides: null,
  })
}
