// One life of a process: everything it asks of the world outside goes through here, so that a fault can
// strike at any such call, before its effect or after it. A dead process asks no more and hears no more.

import { PlatformError } from '../../src/kernel/errors.ts'
import type { CheckpointStore } from '../../src/ports/checkpoint-store.ts'
import type { Clock } from '../../src/ports/clock.ts'
import type { Log } from '../../src/ports/log.ts'
import type { ReferenceSource, ReferenceStore } from '../../src/ports/reference-source.ts'
import type { ViewPublisher } from '../../src/ports/views.ts'
import type { Auditor } from './auditor.ts'

/** What strikes one call. */
export interface Fault {
  /** The process dies before the effect, or after it. */
  readonly crash?: 'before' | 'after'
  /** The call fails although the process lives on, before the effect or after it. */
  readonly error?: 'before' | 'after'
  readonly delayBeforeMs?: number
  readonly delayAfterMs?: number
  /** A read brings no more records than this. */
  readonly records?: number
  /** A read begins so many records too early, as some clients do after a rebalance. */
  readonly back?: number
}

export interface Call {
  readonly life: number
  /** Counts the calls of this life from 0 on. */
  readonly index: number
  readonly name: string
}

export type FaultPlan = (call: Call) => Fault | undefined

export interface Ports {
  readonly log: Log
  readonly store: CheckpointStore
  readonly speedLayer: ViewPublisher
  readonly referenceSource: ReferenceSource
  readonly referenceStore: ReferenceStore
  readonly clock: Clock
}

const NO_FAULT: Fault = {}
const never = (): Promise<never> => new Promise(() => {})

export class ProcessLife {
  readonly number: number
  readonly clock: Clock
  /** Resolves when the process dies. */
  readonly died: Promise<void>
  readonly #outer: Clock
  readonly #plan: FaultPlan
  /** A zombie may go on with what it has, but it gets no partition any more. */
  mayClaim = true
  calls = 0
  #dead = false
  #announce: () => void = () => {}

  constructor(number: number, clock: Clock, plan: FaultPlan) {
    this.number = number
    this.#outer = clock
    this.#plan = plan
    this.died = new Promise((resolve) => {
      this.#announce = resolve
    })
    this.clock = {
      nowMs: () => clock.nowMs(),
      monotonicMs: () => clock.monotonicMs(),
      sleep: async (durationMs, signal) => {
        if (this.#dead) return never()
        await clock.sleep(durationMs, signal)
        return this.#dead ? never() : undefined
      },
    }
  }

  get dead(): boolean {
    return this.#dead
  }

  die(): void {
    this.#dead = true
    this.#announce()
  }

  /** Asks for an effect outside. What is on its way when the process dies happens all the same. */
  async call<T>(name: string, effect: (fault: Fault) => T | Promise<T>): Promise<T> {
    if (this.#dead) return never()
    const fault = this.#plan({ life: this.number, index: this.calls++, name }) ?? NO_FAULT
    if (fault.crash === 'before') return this.#end()
    if (fault.delayBeforeMs !== undefined) await this.#outer.sleep(fault.delayBeforeMs)
    if (fault.error === 'before') return this.#fail(name)
    const result = await effect(fault)
    if (fault.crash === 'after') return this.#end()
    if (fault.delayAfterMs !== undefined) await this.#outer.sleep(fault.delayAfterMs)
    if (this.#dead) return never()
    return fault.error === 'after' ? this.#fail(name) : result
  }

  #end(): Promise<never> {
    this.die()
    return never()
  }

  #fail(name: string): Promise<never> {
    if (this.#dead) return never()
    const code = name.startsWith('log') ? 'log-unavailable' : 'database-unavailable'
    throw new PlatformError(code, `The simulated ${name} failed.`, { retry: 'later' })
  }
}

/** The world's ports as this life of a process reaches them. */
export function portsOf(life: ProcessLife, world: Ports, auditor: Auditor): Ports {
  return {
    clock: life.clock,
    log: logOf(life, world.log),
    store: storeOf(life, world.store),
    speedLayer: {
      put: (entries) => life.call('speed.put', () => world.speedLayer.put(entries)),
      publishAlerts: (alerts) =>
        life.call('speed.publishAlerts', () => {
          auditor.published(alerts)
          return world.speedLayer.publishAlerts(alerts)
        }),
    },
    referenceSource: {
      load: () => life.call('references.load', () => world.referenceSource.load()),
    },
    referenceStore: {
      register: (document) =>
        life.call('references.register', () => world.referenceStore.register(document)),
      newest: () => life.call('references.newest', () => world.referenceStore.newest()),
      load: (name, version) =>
        life.call('references.version', () => world.referenceStore.load(name, version)),
    },
  }
}

function logOf(life: ProcessLife, log: Log): Log {
  return {
    ensureTopic: (topic, settings) =>
      life.call('log.ensureTopic', () => log.ensureTopic(topic, settings)),
    topics: () => life.call('log.topics', () => log.topics()),
    append: (topic, records) => life.call('log.append', () => log.append(topic, records)),
    read: (topic, partition, fromOffset, limit) =>
      life.call('log.read', async ({ records, back }) => {
        if (records === 0) return { records: [], nextOffset: fromOffset }
        const { startOffset } = await log.bounds(topic, partition)
        const from = Math.max(Math.min(startOffset, fromOffset), fromOffset - (back ?? 0))
        const most = Math.min(limit.records, records ?? limit.records)
        return log.read(topic, partition, from, { ...limit, records: most })
      }),
    waitForRecords: (topic, partition, fromOffset, options) =>
      life.call('log.waitForRecords', () =>
        log.waitForRecords(topic, partition, fromOffset, options),
      ),
    bounds: (topic, partition) => life.call('log.bounds', () => log.bounds(topic, partition)),
    endOffsets: (topic, partitions) =>
      life.call('log.endOffsets', () => log.endOffsets(topic, partitions)),
    // Whatever may go, goes: a restart must do with what is left.
    retain: (topic, partition, { keepFromOffset }) =>
      life.call('log.retain', () =>
        log.retain(topic, partition, {
          keepFromOffset,
          olderThanMs: Number.MAX_SAFE_INTEGER,
          maxBytes: 0,
        }),
      ),
    close: () => log.close(),
  }
}

function storeOf(life: ProcessLife, store: CheckpointStore): CheckpointStore {
  return {
    ensureArchive: (layout) => life.call('store.ensureArchive', () => store.ensureArchive(layout)),
    archiveEncoder: (table) => store.archiveEncoder(table),
    claim: (task) => (life.mayClaim ? life.call('store.claim', () => store.claim(task)) : never()),
    async *snapshotEntries(task) {
      for await (const entries of store.snapshotEntries(task)) {
        yield await life.call('store.snapshotEntries', () => entries)
      }
    },
    commit: (checkpoint) => life.call('store.commit', () => store.commit(checkpoint)),
    hurry: () => store.hurry(),
    saveSnapshot: (snapshot) => life.call('store.saveSnapshot', () => store.saveSnapshot(snapshot)),
    keepFromOffset: (task) => life.call('store.keepFromOffset', () => store.keepFromOffset(task)),
    readArchive: (table, range) => store.readArchive(table, range),
    journal: (task) => life.call('store.journal', () => store.journal(task)),
    close: () => store.close(),
  }
}
