// The assignment of a process that has no group: the same partitions for as long as it runs.

import type { Assigned, PartitionAssignment } from '../ports/partition-assignment.ts'

export function fixedAssignment(assigned: Assigned): PartitionAssignment {
  return {
    async run(take, signal) {
      await take(assigned)
      await aborted(signal)
      await take(new Map())
    },
    confirmed: () => Promise.resolve(),
    mirror: () => Promise.resolve(),
  }
}

function aborted(signal: AbortSignal): Promise<void> {
  if (signal.aborted) return Promise.resolve()
  return new Promise((resolve) => signal.addEventListener('abort', () => resolve(), { once: true }))
}
