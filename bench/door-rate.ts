// How fast the HTTP door of a program takes events, until every one of them is archived.

import { MINUTE_MS } from '../src/kernel/time.ts'
import { type Findings, rest, TRUCKS } from './findings.ts'
import { sendLoad } from './load.ts'
import type { Program } from './program.ts'

/** Of load that does not count, first: fresh processes take more for an event than those that have run a while. */
export const WARM_SECONDS = 8
/** Each load's trucks live in a stretch of their own, so that none of their readings are late. */
const STRETCH_MS = 20 * MINUTE_MS

/** Where the readings of one of so many loads begin, the first being 0. */
export function stretchStartMs(load: number, loads: number): number {
  return Date.now() - (loads - load) * STRETCH_MS
}

/** Events a second, as many as the door takes, in a program that nobody has sent anything yet. */
export async function doorRate(findings: Findings, program: Program): Promise<number> {
  const { doorSeconds } = findings.plan
  const order = { url: program.url, trucks: TRUCKS, rate: null, persistent: false }
  const warm = await sendLoad({ ...order, seconds: WARM_SECONDS, startMs: stretchStartMs(0, 2) })
  await program.untilArchived(warm.accepted)
  await rest(findings)
  const load = await sendLoad({ ...order, seconds: doorSeconds, startMs: stretchStartMs(1, 2) })
  const endMs = await program.untilArchived(warm.accepted + load.accepted)
  return (load.accepted * 1_000) / (endMs - load.firstSentMs)
}
