// What a simulated fleet sends, as the records of one partition, one after the other.

import type { Simulation } from '../../src/domains/simulation.ts'
import type { LogRecord } from '../../src/ports/log.ts'

/** `underWayMs` is from the sending to the arrival, by offset. */
export function simulatedRecords(
  world: Simulation,
  count: number,
  underWayMs: (offset: number) => number,
): readonly LogRecord[] {
  return Array.from({ length: count }, (_, offset) => {
    const { ndjson, keys, atMs } = world.take({ untilMs: Number.POSITIVE_INFINITY, maxEvents: 1 })
    const value = Uint8Array.from(ndjson.subarray(0, -1))
    const receivedAtMs = Math.round(atMs) + underWayMs(offset)
    return { offset, key: keys[0] ?? '', value, receivedAtMs, tenantId: 'default' }
  })
}
