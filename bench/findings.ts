// What the parts of the benchmark are given: how much to measure, and where their figures go.

import { setTimeout as sleep } from 'node:timers/promises'
import type { Figure, Goal } from './report.ts'

export interface Plan {
  /** What is compared is measured so often, in turn. */
  readonly turns: number
  readonly backlogEvents: number
  /** Archived before they are run again. */
  readonly historyEvents: number
  readonly restSeconds: number
  readonly doorSeconds: number
  readonly alertSeconds: number
  readonly scaleEvents: number
  readonly kills: number
  readonly trips: number
  readonly shipments: number
}

export const FULL: Plan = {
  turns: 3,
  restSeconds: 20,
  backlogEvents: 1_500_000,
  historyEvents: 3_000_000,
  doorSeconds: 15,
  alertSeconds: 8,
  scaleEvents: 1_200_000,
  kills: 3,
  trips: 1_000_000,
  shipments: 1_000_000,
}
export const QUICK: Plan = {
  turns: 1,
  restSeconds: 0,
  backlogEvents: 200_000,
  historyEvents: 400_000,
  doorSeconds: 3,
  alertSeconds: 2,
  scaleEvents: 400_000,
  kills: 1,
  trips: 100_000,
  shipments: 100_000,
}

/**
 * Alerts are timed this often: each costs several milliseconds of processor over all processes, and what is timed must not
 * be a part of the load that counts.
 */
export const PROBES_PER_SECOND = 10
/** Each time so many times as long as other measurements under load, for enough of them. */
export const PROBE_STRETCH = 4

/** Trucks of a fleet where a part does not measure several sizes. */
export const TRUCKS = 10_000

export const AT_LEAST = (bar: number, aim?: number): Goal => goal('higher', bar, aim)
export const AT_MOST = (bar: number, aim?: number): Goal => goal('lower', bar, aim)

function goal(better: Goal['better'], bar: number, aim: number | undefined): Goal {
  return aim === undefined ? { better, bar } : { better, bar, aim }
}

/** Where the parts put their figures, and what went wrong. */
export interface Findings {
  readonly plan: Plan
  /** A folder of the run's own, emptied at its end. */
  readonly folder: string
  add(figure: Figure): void
  problem(text: string): void
  /** What is being done at the moment. */
  say(text: string): void
}

/**
 * Lets the machine rest. Machines that are rented, and small ones that get warm, give both cores in full for some ten
 * seconds only, and then less: whatever is measured begins rested, or the order of the parts would decide.
 */
export async function rest({ plan }: Findings): Promise<void> {
  await sleep(plan.restSeconds * 1_000)
}
