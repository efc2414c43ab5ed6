// The simulated ports keep the same promises as the real ones: what the simulation shows of the engine
// holds for those too.

import { systemClock } from '../../src/adapters/clock/system-clock.ts'
import {
  type ContractRow,
  checkpointStoreContract,
} from '../../src/ports/checkpoint-store.contract.ts'
import { logContract } from '../../src/ports/log.contract.ts'
import { referenceStoreContract } from '../../src/ports/reference-store.contract.ts'
import { memoryReferences } from './memory-references.ts'
import { SimulatedDatabase, simulatedStore } from './simulated-database.ts'
import { SimulatedLogDisk, simulatedLog } from './simulated-log.ts'

const disk = new SimulatedLogDisk()
logContract('simulated log', async () => simulatedLog(disk, systemClock()))

const references = memoryReferences()
referenceStoreContract('simulated references', async () => references)

const database = new SimulatedDatabase()
checkpointStoreContract('simulated checkpoint store', async () => ({
  store: simulatedStore(database),
  records: {
    alert: async (id) => database.alerts.get(id),
    revisions: async (alertId) =>
      [...database.transitions.values()]
        .filter(({ id }) => id === alertId)
        .map(({ revision }) => revision)
        .sort((a, b) => a - b),
    acknowledge: undefined,
    acknowledgedBy: async () => null,
    deadLetters: async (topic) =>
      [...database.deadLetters.values()].filter((letter) => letter.topic === topic),
    outbox: async (kind) => [...database.outbox.values()].filter((entry) => entry.kind === kind),
    windows: async (name) =>
      [...database.windows]
        .filter(([, result]) => result.window === name)
        .map(([key, result]) => ({ partition: partitionOf(key), result })),
    rows: async (owner) =>
      [...database.rows.values()]
        .map(({ values }) => contractRow(values ?? []))
        .filter((row) => row.owner === owner)
        .sort((a, b) => (a.name < b.name ? -1 : 1)),
  },
}))

function contractRow(values: readonly unknown[]): ContractRow {
  const [owner, name, seenAtMs, price, count, kept, items] = values
  return {
    owner: String(owner),
    name: String(name),
    seenAtMs: Number(seenAtMs),
    price: price == null ? null : String(price),
    count: count == null ? null : Number(count),
    kept: kept == null ? null : String(kept),
    items: items ?? null,
  }
}

/** The last part of a window's name. */
function partitionOf(windowName: string): number {
  return Number((JSON.parse(windowName) as readonly unknown[]).at(-1))
}
