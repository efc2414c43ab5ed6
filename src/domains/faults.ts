// What goes wrong between a sender and the platform, on demand: late, repeated, disordered, broken.

import { MINUTE_MS, SECOND_MS } from '../kernel/time.ts'
import type { Dice } from './dice.ts'

export const FAULTS = ['late', 'duplicate', 'disorder', 'bad'] as const
export type Fault = (typeof FAULTS)[number]

/** Share of the events that each fault befalls. */
export const FAULT_SHARES: Readonly<Record<Fault, number>> = {
  late: 0.01,
  duplicate: 0.01,
  disorder: 0.02,
  bad: 0.005,
}
/** A disordered event arrives at most this long after its time. */
export const DISORDER_BOUND_MS = 20 * SECOND_MS
/** Where so many lines are held back already, further ones go out at once. */
export const MAX_HELD_LINES = 100_000

export function lateByMs(dice: Dice): number {
  return dice.between(2, 12) * MINUTE_MS
}

export function disorderedByMs(dice: Dice): number {
  return dice.between(SECOND_MS, DISORDER_BOUND_MS)
}

/** Most repeats follow at once, as from a sender that saw no answer; some come hours later. */
export function repeatedAfterMs(dice: Dice): number {
  return dice.chance(0.8) ? dice.between(0.2, 6) * SECOND_MS : dice.between(10, 180) * MINUTE_MS
}

/** Turns a good line into a broken one. */
export type Spoil = (line: string) => string

export const replaced =
  (pattern: RegExp, by: string): Spoil =>
  (line) =>
    line.replace(pattern, by)

const RECORDED_AT = /"recordedAt":"[^"]*"/

/** Ways to break a line of any topic. All but the clock of the wrong year are to be refused. */
export const GENERAL_BREAKAGES: Readonly<Record<string, Spoil>> = {
  'broken JSON': (line) => line.slice(0, Math.floor(line.length * 0.6)),
  'not an object': () => '[1,2,3]',
  'impossible date': replaced(RECORDED_AT, '"recordedAt":"2026-02-30T25:61:00Z"'),
  'date without offset': replaced(RECORDED_AT, '"recordedAt":"02/03/2026 09:15"'),
  'clock in 2099': replaced(/"recordedAt":"\d{4}/, '"recordedAt":"2099'),
}

/** A broken copy of a good line, without a line break. */
export function brokenBy(spoils: readonly Spoil[], line: string, dice: Dice): string {
  const spoil = spoils[Math.floor(dice.next() * spoils.length)]
  return spoil === undefined ? '' : spoil(line)
}
