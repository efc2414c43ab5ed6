// Random histories of probes: what fast-check draws, as records and inputs in the order in which a task
// meets them.

import fc from 'fast-check'
import type { NewRecord } from '../../src/ports/log.ts'
import type { Crank } from './crank.ts'
import { GAUGES_TABLE, OFFSETS_TOPIC } from './probe-pipeline.ts'

export const HISTORY_START_MS = Date.UTC(2026, 4, 4, 10)

export interface DrawnEvent {
  readonly kind: 'event'
  readonly probe: number
  readonly otherTenant: boolean
  /** Arrival after the arrival before. */
  readonly gapMs: number
  /** How much older than its arrival it is; negative where the device's clock runs ahead. */
  readonly lagMs: number
  readonly level: number
  readonly side: string | null
  /** Sends the event again that stands so many events before; 0 sends a new one. */
  readonly repeat: number
}

export type DrawnStep =
  | DrawnEvent
  | { readonly kind: 'poison'; readonly gapMs: number; readonly text: string }
  | { readonly kind: 'tick'; readonly afterMs: number }
  | { readonly kind: 'reference'; readonly factor: number }
  | { readonly kind: 'broadcast'; readonly shift: number }

const level = fc.oneof(
  { weight: 6, arbitrary: fc.integer({ min: -20, max: 100 }) },
  { weight: 2, arbitrary: fc.integer({ min: 600, max: 1_000 }).map((tenths) => tenths / 10) },
)

const drawnEvent: fc.Arbitrary<DrawnEvent> = fc.record({
  kind: fc.constant('event' as const),
  probe: fc.nat(2),
  otherTenant: fc.oneof({ weight: 6, arbitrary: fc.constant(false) }, fc.constant(true)),
  gapMs: fc.oneof(
    { weight: 8, arbitrary: fc.nat(4_000) },
    { weight: 1, arbitrary: fc.integer({ min: 4_000, max: 70_000 }) },
    { weight: 1, arbitrary: fc.constant(0) },
  ),
  lagMs: fc.oneof(
    { weight: 6, arbitrary: fc.nat(3_000) },
    { weight: 4, arbitrary: fc.nat(29_000) },
    { weight: 2, arbitrary: fc.integer({ min: 20_000, max: 400_000 }) },
    { weight: 1, arbitrary: fc.integer({ min: -400_000, max: 0 }) },
  ),
  level,
  side: fc.constantFrom(null, null, 'left', 'right'),
  repeat: fc.oneof({ weight: 8, arbitrary: fc.constant(0) }, fc.nat(5)),
})

const poison = fc.record({
  kind: fc.constant('poison' as const),
  gapMs: fc.nat(2_000),
  text: fc.constantFrom('', '{', '[]', '{"probeId":"p0"}', '{"probeId":"\\u0000","recordedAt":1}'),
})

export const eventsOnly: fc.Arbitrary<DrawnStep[]> = fc.array(
  fc.oneof({ weight: 30, arbitrary: drawnEvent }, poison),
  { minLength: 1, maxLength: 90, size: 'max' },
)

export const anyHistory: fc.Arbitrary<DrawnStep[]> = fc.array(
  fc.oneof(
    { weight: 40, arbitrary: drawnEvent },
    { weight: 1, arbitrary: poison },
    {
      weight: 3,
      arbitrary: fc.record({
        kind: fc.constant('tick' as const),
        afterMs: fc.integer({ min: 0, max: 130_000 }),
      }),
    },
    {
      weight: 1,
      arbitrary: fc.record({
        kind: fc.constant('reference' as const),
        factor: fc.constantFrom(0.5, 1, 1.5),
      }),
    },
    {
      weight: 1,
      arbitrary: fc.record({
        kind: fc.constant('broadcast' as const),
        shift: fc.integer({ min: -10, max: 10 }),
      }),
    },
  ),
  { minLength: 1, maxLength: 90, size: 'max' },
)

export type Step =
  | { readonly kind: 'record'; readonly record: NewRecord }
  | { readonly kind: 'tick'; readonly tickMs: number }
  | { readonly kind: 'reference'; readonly content: unknown }
  | { readonly kind: 'broadcast'; readonly record: NewRecord }

/** Times and ids are given in the order of arrival. */
export function stepsOf(drawn: readonly DrawnStep[]): readonly Step[] {
  let arrivalMs = HISTORY_START_MS
  const sent: NewRecord[] = []
  const toStep = (step: DrawnStep, index: number): Step => {
    switch (step.kind) {
      case 'event': {
        arrivalMs += step.gapMs
        const repeated = step.repeat === 0 ? undefined : sent[sent.length - step.repeat]
        const record =
          repeated === undefined
            ? recordOf(step, arrivalMs, `e${index}`)
            : { ...repeated, receivedAtMs: arrivalMs }
        sent.push(record)
        return { kind: 'record', record }
      }
      case 'poison':
        arrivalMs += step.gapMs
        return { kind: 'record', record: rawRecord('p0', step.text, arrivalMs) }
      case 'tick':
        arrivalMs += step.afterMs
        return { kind: 'tick', tickMs: arrivalMs }
      case 'reference':
        return { kind: 'reference', content: { all: step.factor } }
      case 'broadcast':
        return { kind: 'broadcast', record: rawRecord('all', String(step.shift), arrivalMs) }
    }
  }
  return drawn.map(toStep)
}

function recordOf(event: DrawnEvent, receivedAtMs: number, eventId: string): NewRecord {
  const probeId = `p${event.probe}`
  const wire = {
    probeId,
    recordedAt: receivedAtMs - event.lagMs,
    eventId,
    level: event.level,
    ...(event.side === null ? {} : { side: event.side }),
  }
  const record = rawRecord(probeId, JSON.stringify(wire), receivedAtMs)
  return event.otherTenant ? { ...record, tenantId: 'other' } : record
}

export function rawRecord(key: string, text: string, receivedAtMs: number): NewRecord {
  return { key, value: Buffer.from(text), receivedAtMs, tenantId: 'default' }
}

/** Runs a step; records wait in the log until `turn`, all other steps are batches of their own. */
export async function runStep(crank: Crank, step: Step): Promise<void> {
  switch (step.kind) {
    case 'record':
      crank.append(step.record)
      return
    case 'tick':
      crank.turn()
      crank.tick(step.tickMs)
      return
    case 'reference':
      crank.turn()
      await crank.reference(GAUGES_TABLE, step.content)
      return
    case 'broadcast':
      crank.turn()
      await crank.broadcast(OFFSETS_TOPIC, step.record)
      return
  }
}
