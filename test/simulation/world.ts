// A whole deployment on a virtual clock: devices that send, a log, a database and a speed layer that
// outlive everything, and processes that run the real engine and die by plan.

import { createMemoryViews } from '../../src/adapters/views/memory-views.ts'
import { PlatformError } from '../../src/kernel/errors.ts'
import { HOUR_MS, SECOND_MS } from '../../src/kernel/time.ts'
import type { Logger } from '../../src/ports/logger.ts'
import type { ReferenceDocument } from '../../src/ports/reference-source.ts'
import type { Views } from '../../src/ports/views.ts'
import { fixedAssignment } from '../../src/streams/fixed-assignment.ts'
import { restoreTask } from '../../src/streams/restore.ts'
import { ReferenceTables } from '../../src/streams/shared-feeds.ts'
import { TaskHost } from '../../src/streams/task-host.ts'
import type { TaskObserver } from '../../src/streams/task-runner.ts'
import { Auditor } from './auditor.ts'
import { memoryReferences } from './memory-references.ts'
import { contradictions } from './models.ts'
import { expectedOutcome, newTask, type Outcome, outcomeOf, stateOf } from './oracle.ts'
import { type Fault, type FaultPlan, type Ports, ProcessLife, portsOf } from './process-life.ts'
import { SimulatedDatabase, simulatedStore } from './simulated-database.ts'
import { SimulatedLogDisk, simulatedLog } from './simulated-log.ts'
import { VirtualClock } from './virtual-clock.ts'
import { OFFSETS_TOPIC, PARTITIONS, type Workload } from './workload.ts'

/** Long enough for the last silences to be told. */
export const SHORT_DRAIN_MS = 85 * SECOND_MS
/** Long enough for the last windows to be final. */
export const LONG_DRAIN_MS = 190 * SECOND_MS
/** A process that came back runs at least so long, since ticks wait after what looks like an outage. */
const SETTLE_MS = 50 * SECOND_MS
/** What happened so shortly before the end may have gone unnoticed. */
const UNSURE_MS = 8 * SECOND_MS
const RESTART_MS = 150
const POLL_MS = SECOND_MS
/** A world that takes longer than this never ends. */
const LONGEST_WORLD_MS = 4 * HOUR_MS
/** Failures that no fault of the world outside explains. */
const OWN_FAULTS = new Set([
  'invariant-broken',
  'database-failed',
  'log-corrupt',
  'log-truncated',
  'state-format',
  'not-found',
])

export interface WorldOptions {
  readonly workload: Workload
  readonly plan: FaultPlan
  /** A fault that strikes what a device sends. */
  readonly sendFault?: (index: number) => Fault | undefined
  /** When the process in charge is taken for dead although it lives on. */
  readonly zombieAtMs?: number
  /** Faults stop once everything is sent: then all must drain. */
  readonly calmAtTheEnd: boolean
  /** Time that passes after the last event, at least. */
  readonly drainMs: number
}

export interface WorldResult {
  readonly outcome: Outcome
  readonly expected: Outcome
  readonly violations: readonly string[]
  readonly lives: number
  /** Calls of the first life, by name, in order. */
  readonly calls: readonly string[]
  readonly commits: number
  readonly told: number
  readonly records: number
}

export async function runWorld(options: WorldOptions): Promise<WorldResult> {
  const world = new World(options)
  return world.clock.run(world.run(), LONGEST_WORLD_MS)
}

class World {
  readonly clock = new VirtualClock()
  readonly #options: WorldOptions
  readonly #disk = new SimulatedLogDisk()
  readonly #database = new SimulatedDatabase()
  readonly #auditor: Auditor
  readonly #views: Views = createMemoryViews('simulated')
  readonly #references = memoryReferences()
  readonly #ports: Ports
  readonly #calls: string[] = []
  readonly #zombies: ProcessLife[] = []
  #document: ReferenceDocument
  #lives = 0
  #calm = false
  #quietAtMs = Number.POSITIVE_INFINITY

  constructor(options: WorldOptions) {
    this.#options = options
    const { pipeline, referenceTable, firstReference } = options.workload
    this.#document = { name: referenceTable, content: firstReference, tag: '0' }
    this.#auditor = new Auditor(pipeline, this.#database, PARTITIONS)
    this.#database.witness = this.#auditor
    const empty = (): { startOffset: number; records: []; waiters: [] } => ({
      startOffset: 0,
      records: [],
      waiters: [],
    })
    this.#disk.topics.set(pipeline.topic.name, Array.from({ length: PARTITIONS }, empty))
    this.#disk.topics.set(OFFSETS_TOPIC, [empty()])
    this.#disk.appended = (topic, partition, record) => {
      if (topic === pipeline.topic.name) this.#auditor.log[partition]?.push(record)
    }
    this.#ports = {
      clock: this.clock,
      log: simulatedLog(this.#disk, this.clock),
      store: simulatedStore(this.#database),
      speedLayer: this.#views,
      referenceSource: { load: async () => ({ documents: [this.#document], problems: [] }) },
      referenceStore: this.#references,
    }
  }

  async run(): Promise<WorldResult> {
    const sending = this.#send()
    await this.#keepAlive()
    await sending
    for (const zombie of this.#zombies) zombie.die()
    this.#auditor.atTheEnd()
    const { pipeline, silences } = this.#options.workload
    for (const [partition, log] of this.#auditor.log.entries()) {
      const probes = pipeline.name === 'probes'
      const untilMs = this.clock.nowMs() - UNSURE_MS
      const database = this.#database
      const model = { pipeline, partition, log, database, silences, untilMs, probes }
      for (const contradiction of contradictions(model)) this.#auditor.report(contradiction)
    }
    const expected = await expectedOutcome({
      pipeline,
      log: this.#auditor.log,
      broadcasts: new Map([[OFFSETS_TOPIC, this.#disk.partition(OFFSETS_TOPIC, 0).records]]),
      database: this.#database,
      references: this.#references,
    })
    const state = await this.#restoredState()
    return {
      outcome: outcomeOf(this.#database, state),
      expected,
      violations: this.#auditor.violations,
      lives: this.#lives,
      calls: this.#calls,
      commits: this.#auditor.commits,
      told: this.#auditor.told,
      records: this.#auditor.log.reduce((sum, { length }) => sum + length, 0),
    }
  }

  /** Devices do not know of processes: they send at their own time, and again what was not acknowledged. */
  async #send(): Promise<void> {
    const { workload, sendFault } = this.#options
    for (const [index, action] of workload.actions.entries()) {
      await this.clock.sleep(action.afterMs)
      if (action.kind === 'reference') {
        this.#document = { ...this.#document, content: action.content, tag: String(index) }
      } else if (action.kind === 'broadcast') {
        const value = Buffer.from(String(action.value))
        const receivedAtMs = this.clock.nowMs()
        this.#disk.append(OFFSETS_TOPIC, [{ key: 'all', value, receivedAtMs, tenantId: 'default' }])
      } else if (action.kind === 'send') {
        const { topic } = workload.pipeline
        const fault = sendFault?.(index)
        if (fault?.error !== 'before') {
          this.#disk.append(topic.name, [action.record(this.clock.nowMs())])
        }
        if (fault?.error !== undefined) {
          await this.clock.sleep(100)
          this.#disk.append(topic.name, [action.record(this.clock.nowMs())])
        }
      }
    }
    this.#calm = this.#options.calmAtTheEnd
    this.#quietAtMs = this.clock.nowMs() + this.#options.drainMs
  }

  /** Starts a process again and again until one of them ends in order with everything done. */
  async #keepAlive(): Promise<void> {
    const { zombieAtMs } = this.#options
    let zombieDue = zombieAtMs === undefined ? null : this.clock.sleep(zombieAtMs)
    for (;;) {
      const life = this.#newLife()
      const stop = new AbortController()
      const host = this.#newHost(life)
      const ended = host.run(stop.signal).then(
        () => 'ended' as const,
        (error: unknown) => {
          this.#auditor.report(`the host failed: ${String(error)}`)
          return 'ended' as const
        },
      )
      const dead = life.died.then(() => 'dead' as const)
      const zombie = zombieDue?.then(() => 'zombie' as const)
      const done = this.#done(host, life).then(() => 'done' as const)
      const event = await Promise.race([
        dead,
        done,
        ended,
        ...(zombie === undefined ? [] : [zombie]),
      ])
      if (event === 'zombie') {
        zombieDue = null
        life.mayClaim = false
        this.#zombies.push(life)
      }
      if (event === 'done') {
        stop.abort()
        if ((await Promise.race([dead, ended])) === 'ended') {
          life.die()
          return
        }
      }
      if (event === 'ended') this.#auditor.report('the host ended by itself')
      await this.clock.sleep(RESTART_MS)
    }
  }

  #newLife(): ProcessLife {
    const number = this.#lives++
    const life = new ProcessLife(number, this.clock, (call) => {
      if (number === 0) this.#calls.push(call.name)
      return this.#calm ? undefined : this.#options.plan(call)
    })
    return life
  }

  #newHost(life: ProcessLife): TaskHost {
    const { pipeline } = this.#options.workload
    const ports = portsOf(life, this.#ports, this.#auditor)
    const partitions = Array.from({ length: PARTITIONS }, (_, partition) => partition)
    return new TaskHost({
      pipelines: [{ pipeline, topic: pipeline.topic.name }],
      assignment: fixedAssignment(new Map([[pipeline.topic.name, partitions]])),
      log: ports.log,
      store: ports.store,
      speedLayer: ports.speedLayer,
      references: new ReferenceTables(ports.referenceStore),
      referenceSource: ports.referenceSource,
      checkReference: () => undefined,
      clock: ports.clock,
      observer: SILENT_OBSERVER,
      logger: this.#loggerOf(life),
    })
  }

  async #done(host: TaskHost, life: ProcessLife): Promise<void> {
    const startedMs = this.clock.nowMs()
    for (;;) {
      await this.clock.sleep(POLL_MS)
      if (life.dead) return new Promise(() => {})
      const nowMs = this.clock.nowMs()
      if (nowMs < this.#quietAtMs || nowMs < startedMs + SETTLE_MS) continue
      const status = host.status()
      const caughtUp = status.every(
        ({ id, ready }) =>
          ready && this.#database.taskOf(id).nextOffset === this.#auditor.log[id.partition]?.length,
      )
      if (caughtUp && status.length === PARTITIONS) return
    }
  }

  #loggerOf(life: ProcessLife): Logger {
    return {
      debug() {},
      info() {},
      warn() {},
      error: (name, error) => {
        const own = !(error instanceof PlatformError) || OWN_FAULTS.has(error.code)
        const behind = this.#zombies.includes(life)
        if (own && !behind) this.#auditor.report(`${name}: ${describe(error)}`)
      },
    }
  }

  /** What a process that started now would know. */
  async #restoredState(): Promise<ReadonlyMap<string, string>> {
    const { pipeline } = this.#options.workload
    const state = new Map<string, string>()
    for (let partition = 0; partition < PARTITIONS; partition++) {
      const id = { pipeline: pipeline.name, partition }
      const task = newTask(pipeline, partition)
      await restoreTask({
        task,
        id,
        claim: this.#database.claim(id),
        log: this.#ports.log,
        store: this.#ports.store,
        references: new ReferenceTables(this.#references),
        signal: new AbortController().signal,
        pause: async () => {},
      })
      for (const [key, text] of stateOf(task, this.#database.taskOf(id).snapshot)) {
        state.set(`${partition}/${key}`, text)
      }
    }
    return state
  }
}

const SILENT_OBSERVER: TaskObserver = {
  taskStarted() {},
  taskFenced() {},
  batchProcessed() {},
  publishFailed() {},
  committed() {},
  snapshotSaved() {},
  commitRetried() {},
}

function describe(error: unknown): string {
  return error instanceof Error ? (error.stack ?? error.message) : String(error)
}
