// What `outrider simulate` was asked to do: the words of the command line, checked, with all that is wrong
// with them at once.

import { ORDERS } from '../../domains/arrivals/simulate.ts'
import { FAULTS, type Fault } from '../../domains/faults.ts'
import { domains } from '../../domains/registry.ts'
import type { SimulatedFleet } from '../../domains/simulation.ts'
import { failed, ok, type Result } from '../../kernel/result.ts'
import { type EpochMs, parseInstant, toIso } from '../../kernel/time.ts'
import { MAX_INTERVAL_MS, type Pace, plannedFleets, type SimulationRun } from './run-simulation.ts'

const ALL = 'all'
export const SIMULATED_DOMAINS: readonly string[] = [
  ...domains.filter(({ fleets }) => fleets.length > 0).map(({ name }) => name),
  ALL,
]
/** Where output to a file or pipe begins, so that the same seed gives the same bytes on any day. */
export const DEFAULT_START_MS = Date.UTC(2026, 2, 2, 6)
const MAX_SPEEDUP = 100_000
const MAX_RATE = 10_000_000
const MAX_SEED = 0xffff_ffff

export interface SimulateOptions {
  readonly rate?: string
  readonly vehicles?: string
  readonly seed: string
  readonly speedup: string
  readonly faults?: string
  readonly to: string
  readonly count?: string
  readonly start?: string
  readonly eventIds?: true
  readonly trips?: string
  readonly variability?: string
  /** A file. */
  readonly roads?: string
}

export type SimulateTarget =
  | { readonly kind: 'stdout' }
  | { readonly kind: 'http'; readonly url: URL }
  | { readonly kind: 'kafka' }

export interface SimulateOrder {
  readonly target: SimulateTarget
  readonly run: Omit<SimulationRun, 'clock' | 'send'>
}

/** Fails with one line that names every option that is wrong. */
export function readOrder(
  domain: string,
  options: SimulateOptions,
  nowMs: EpochMs,
): Result<SimulateOrder, string> {
  const problems: string[] = []
  const take = <T>(read: Result<T, string>, instead: T): T => {
    if (read.ok) return read.value
    problems.push(read.error)
    return instead
  }
  if (!SIMULATED_DOMAINS.includes(domain)) {
    problems.push(`cannot simulate '${domain}'; choose ${SIMULATED_DOMAINS.join(', ')}`)
  }
  const target = take<SimulateTarget>(readTarget(options.to), { kind: 'stdout' })
  const rate = take(optional(options.rate, readRate), undefined)
  const fleets = take(fleetsFor(target, domain), [])
  const tripsPerS = take(optional(options.trips, readTrips), undefined)
  const vehicles =
    take(optional(options.vehicles, readVehicles(fleets)), 1) ??
    take(membersFor(fleets, tripsPerS), undefined)
  const speedup = take(readSpeedup(options.speedup), 1)
  const count = take(optional(options.count, readCount), undefined)
  const run = {
    fleets,
    seed: take(readSeed(options.seed), 0),
    speedup,
    faults: take(readFaults(options.faults ?? ''), []),
    eventIds: options.eventIds ?? false,
    pace: paceOf(target, options),
    ...(vehicles === undefined ? {} : { vehicles }),
    ...(rate === undefined ? {} : { rate }),
    ...take(optional(options.variability, readVariability), undefined),
    ...(count === undefined ? {} : { count }),
    ...take(readStart(options.start, target, nowMs), {}),
  }
  if (problems.length === 0) take(checkIntervals({ fleets, vehicles, speedup, rate }), undefined)
  return problems.length === 0 ? ok({ target, run }) : failed(problems.join('; '))
}

function optional<T>(
  text: string | undefined,
  read: (text: string) => Result<T, string>,
): Result<T | undefined, string> {
  return text === undefined ? ok(undefined) : read(text)
}

/** The fleets of a domain, or of all of them. Appointments are no events: over Kafka nobody makes any. */
function fleetsFor(
  target: SimulateTarget,
  domain: string,
): Result<readonly SimulatedFleet[], string> {
  const named = domains.filter(({ name }) => domain === ALL || name === domain)
  const possible =
    target.kind === 'kafka'
      ? named.filter(({ fleets }) => fleets.every(({ topic }) => topic !== ORDERS))
      : named
  return named.length > 0 && possible.length === 0
    ? failed(`${domain} makes appointments, which Kafka does not carry; give --to a URL`)
    : ok(possible.flatMap(({ fleets }) => fleets))
}

function readVehicles(fleets: readonly SimulatedFleet[]): (text: string) => Result<number, string> {
  const maximum = Math.min(...fleets.map(({ maxVehicles }) => maxVehicles))
  const must = `--vehicles must be a whole number from 1 to ${maximum}`
  return numberOf({ form: WHOLE, minimum: 1, maximum, must })
}

/** A reader of numbers of one form, within `[minimum, maximum]`. */
function numberOf(option: {
  readonly form: RegExp
  readonly minimum: number
  readonly maximum: number
  readonly must: string
}): (text: string) => Result<number, string> {
  return (text) => {
    const value = Number(option.form.exec(text)?.[1] ?? Number.NaN)
    return value >= option.minimum && value <= option.maximum
      ? ok(value)
      : failed(`${option.must}, not '${text}'`)
  }
}

const WHOLE = /^(\d{1,15})$/

const readRate = numberOf({
  form: /^(\d{1,9}(?:\.\d{1,6})?)(?:\/s)?$/,
  minimum: 0.001,
  maximum: MAX_RATE,
  must: '--rate must be like 500/s',
})
const readTrips = numberOf({
  form: /^(\d{1,6}(?:\.\d{1,3})?)(?:\/s)?$/,
  minimum: 0.001,
  maximum: 100_000,
  must: '--trips must be like 5/s',
})

function readVariability(text: string): Result<{ readonly variability: number }, string> {
  const must = '--variability must be a number from 0 to 1'
  const read = numberOf({ form: /^([01](?:\.\d{1,6})?)$/, minimum: 0, maximum: 1, must })(text)
  return read.ok ? ok({ variability: read.value }) : read
}

/** So many members begin that many trips a second, on average. */
function membersFor(
  fleets: readonly SimulatedFleet[],
  tripsPerS: number | undefined,
): Result<number | undefined, string> {
  if (tripsPerS === undefined) return ok(undefined)
  const [fleet, ...others] = fleets
  if (fleet?.meanTripMs === undefined || others.length > 0) {
    return failed('--trips is for a domain whose fleet makes trips, such as trips')
  }
  const members = Math.max(1, Math.round((tripsPerS * fleet.meanTripMs) / 1_000))
  return members <= fleet.maxVehicles
    ? ok(members)
    : failed(
        `--trips ${tripsPerS}/s takes ${members} ${fleet.members}; at most ${fleet.maxVehicles}`,
      )
}

const readSeed = numberOf({
  form: WHOLE,
  minimum: 0,
  maximum: MAX_SEED,
  must: `--seed must be a whole number from 0 to ${MAX_SEED}`,
})
const readSpeedup = numberOf({
  form: /^(\d{1,6}(?:\.\d{1,3})?)$/,
  minimum: 0.01,
  maximum: MAX_SPEEDUP,
  must: `--speedup must be a number from 0.01 to ${MAX_SPEEDUP}`,
})
const readCount = numberOf({
  form: WHOLE,
  minimum: 1,
  maximum: Number.MAX_SAFE_INTEGER,
  must: '--count must be a whole number from 1',
})

function readTarget(text: string): Result<SimulateTarget, string> {
  if (text === '-') return ok({ kind: 'stdout' })
  if (text === 'kafka') return ok({ kind: 'kafka' })
  const url = URL.canParse(text) ? new URL(text) : undefined
  if (url === undefined || (url.protocol !== 'http:' && url.protocol !== 'https:')) {
    return failed(`--to must be an http(s) URL, kafka, or - for standard output, not '${text}'`)
  }
  return ok({ kind: 'http', url })
}

function readFaults(text: string): Result<readonly Fault[], string> {
  const names = text.split(',').filter((name) => name !== '')
  const unknown = names.filter((name) => !FAULTS.some((fault) => fault === name))
  if (unknown.length > 0) {
    return failed(`--faults knows ${FAULTS.join(',')}, not '${unknown.join(',')}'`)
  }
  return ok(FAULTS.filter((fault) => names.includes(fault)))
}

function readStart(
  text: string | undefined,
  target: SimulateTarget,
  nowMs: EpochMs,
): Result<{ readonly startMs?: EpochMs }, string> {
  if (text === undefined) return ok(target.kind === 'stdout' ? { startMs: DEFAULT_START_MS } : {})
  const startMs = parseInstant(text)
  if (startMs === undefined) {
    return failed(
      `--start must be ISO 8601 with an offset, such as ${toIso(DEFAULT_START_MS)}, not '${text}'`,
    )
  }
  if (target.kind !== 'stdout' && startMs > nowMs) {
    return failed(`--start lies in the future (${toIso(startMs)}); only --to - can write that`)
  }
  return ok({ startMs })
}

function paceOf(target: SimulateTarget, options: SimulateOptions): Pace {
  if (target.kind !== 'stdout') return 'live'
  return options.rate === undefined && options.speedup === '1' ? 'unpaced' : 'paced'
}

function checkIntervals(order: Parameters<typeof plannedFleets>[0]): Result<undefined, string> {
  for (const { fleet, vehicles, intervalMs } of plannedFleets(order)) {
    if (intervalMs >= 1 && intervalMs <= MAX_INTERVAL_MS) continue
    return failed(
      `${vehicles} ${fleet.members} at --rate ${order.rate}/s would each report every ` +
        `${intervalMs} ms of simulated time; it must be from 1 to ${MAX_INTERVAL_MS} ms`,
    )
  }
  return ok(undefined)
}
