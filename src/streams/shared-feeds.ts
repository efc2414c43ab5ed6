// What all tasks of a process share: reference tables with their versions, and broadcast topics read
// from the log. A task takes over what is new at a batch boundary.

import { PlatformError } from '../kernel/errors.ts'
import type { JournalEntry } from '../ports/checkpoint-store.ts'
import type { Log, LogBatch, ReadLimit } from '../ports/log.ts'
import type { ReferenceSource, ReferenceStore } from '../ports/reference-source.ts'
import type { BroadcastProgress, ReferenceVersion } from './batch.ts'

/** Records that one task takes over from a broadcast topic at one batch boundary. */
export const MAX_BROADCAST_RECORDS = 5_000
const MAX_BROADCAST_BYTES = 4 * 1024 * 1024

export interface ReferenceReport {
  referenceChanged(name: string, version: number): void
  referenceProblem(name: string, message: string): void
}

/** Reference tables as numbered versions; a malformed document leaves the last good version in force. */
export class ReferenceTables {
  readonly #store: ReferenceStore
  readonly #versions = new Map<string, ReferenceVersion>()
  readonly #tags = new Map<string, string>()
  readonly #problems = new Map<string, string>()

  constructor(store: ReferenceStore) {
    this.#store = store
  }

  /** The newest version of each table. */
  current(): readonly ReferenceVersion[] {
    return [...this.#versions.values()]
  }

  problems(): readonly { readonly name: string; readonly message: string }[] {
    return [...this.#problems].map(([name, message]) => ({ name, message }))
  }

  /** Reads the source again; `check` says what is wrong with a document, or nothing. */
  async refresh(
    source: ReferenceSource,
    check: (name: string, content: unknown) => string | undefined,
    report: ReferenceReport,
  ): Promise<void> {
    const { documents, problems } = await source.load()
    const found = new Map(problems.map(({ name, message }) => [name, message]))
    for (const document of documents) {
      const { name, content, tag } = document
      if (this.#tags.get(name) === tag) continue
      const problem = check(name, content)
      if (problem !== undefined) {
        found.set(name, problem)
        continue
      }
      const version = await this.#store.register(document)
      this.#versions.set(name, { name, version, content })
      this.#tags.set(name, tag)
      report.referenceChanged(name, version)
    }
    for (const [name, message] of found) {
      if (this.#problems.get(name) !== message) report.referenceProblem(name, message)
    }
    this.#problems.clear()
    for (const [name, message] of found) this.#problems.set(name, message)
  }

  /** The versions that a journal entry names. */
  async at(versions: Readonly<Record<string, number>>): Promise<readonly ReferenceVersion[]> {
    return Promise.all(
      Object.entries(versions).map(async ([name, version]) => {
        const present = this.#versions.get(name)
        const content =
          present?.version === version ? present.content : await this.#store.load(name, version)
        return { name, version, content }
      }),
    )
  }
}

/** What of a log broadcasts need. */
export type BroadcastLog = Pick<Log, 'read' | 'bounds'>

interface BroadcastReader {
  readonly pipeline: { readonly broadcasts: readonly { readonly topic: string }[] }
  broadcastOffset(topic: string): number
}

/** Reads on in a broadcast topic (its partition 0), for a task that has reached `fromOffset`. */
export async function readBroadcast(
  log: BroadcastLog,
  topic: string,
  fromOffset: number,
  toOffset = Number.POSITIVE_INFINITY,
): Promise<BroadcastProgress> {
  const limit = {
    records: Math.min(MAX_BROADCAST_RECORDS, Math.max(1, toOffset - fromOffset)),
    bytes: MAX_BROADCAST_BYTES,
  }
  const batch = await readKept(log, topic, fromOffset, limit)
  const records = batch.records.filter((record) => record.offset < toOffset)
  return {
    topic,
    records: records.map(({ offset, key, tenantId, receivedAtMs, value }) => ({
      offset,
      key,
      tenantId,
      receivedAtMs,
      value: jsonOf(value),
    })),
    nextOffset: Math.min(toOffset, batch.nextOffset),
  }
}

/** What a task took over with an entry of its journal, in the order in which it did. */
export async function readBroadcastsTo(
  log: BroadcastLog,
  task: BroadcastReader,
  { broadcasts }: Pick<JournalEntry, 'broadcasts'>,
): Promise<readonly BroadcastProgress[]> {
  const progress: BroadcastProgress[] = []
  for (const { topic } of task.pipeline.broadcasts) {
    const position = broadcasts[topic] ?? 0
    const records: BroadcastProgress['records'][number][] = []
    let reached = task.broadcastOffset(topic)
    while (reached < position) {
      const read = await readBroadcast(log, topic, reached, position)
      records.push(...read.records)
      if (read.nextOffset === reached) break
      reached = read.nextOffset
    }
    progress.push({ topic, records, nextOffset: reached })
  }
  return progress
}

/** From the first record kept where the log has dropped those asked for. */
async function readKept(
  log: BroadcastLog,
  topic: string,
  fromOffset: number,
  limit: ReadLimit,
): Promise<LogBatch> {
  try {
    return await log.read(topic, 0, fromOffset, limit)
  } catch (error) {
    if (!(error instanceof PlatformError) || error.code !== 'log-truncated') throw error
    const { startOffset } = await log.bounds(topic, 0)
    return log.read(topic, 0, startOffset, limit)
  }
}

/** Undefined where the record is not JSON: the broadcast's own definition ignores it. */
function jsonOf(value: Uint8Array): unknown {
  try {
    return JSON.parse(Buffer.from(value).toString('utf8'))
  } catch {
    return undefined
  }
}
