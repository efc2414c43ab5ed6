// The near side of the writer thread: gathers appends into groups, one group a transaction.

import { Worker } from 'node:worker_threads'
import { PlatformError } from '../../kernel/errors.ts'
import { murmur2 } from '../../kernel/partitioner.ts'
import { Slab } from '../../kernel/slab.ts'
import type { NewRecord } from '../../ports/log.ts'
import { ChunkBuilder, checkRecord, KeyBuffer } from './chunk.ts'
import { ChunkMemory } from './chunk-memory.ts'
import type { TopicEntry } from './store.ts'
import type {
  AppendPart,
  WriterAnswer,
  WriterCommand,
  WriterRefusal,
  WriterReply,
  WriterRequest,
  WriterSettings,
} from './writer-protocol.ts'

/** Encoded bytes that wait for the disk; beyond it appends are refused for now. */
export const MAX_PENDING_BYTES = 64 * 1024 * 1024
/** One is being written, one is ready, so that the disk never waits for the event loop. */
const MAX_GROUPS_IN_FLIGHT = 2

interface Waiting {
  readonly resolve: () => void
  readonly reject: (error: unknown) => void
}

/** Appends that are written together, or not at all. */
class Group {
  readonly waiting: Waiting[] = []
  bytes = 0
  readonly #finished: AppendPart[] = []
  readonly #builders = new Map<number, ChunkBuilder>()
  readonly #memory: ChunkMemory

  constructor(memory: ChunkMemory) {
    this.#memory = memory
  }

  add(topicId: number, partition: number, key: KeyBuffer, record: NewRecord): void {
    const slot = topicId * 65_536 + partition
    let builder = this.#builders.get(slot)
    if (builder === undefined) {
      builder = new ChunkBuilder(this.#memory)
      this.#builders.set(slot, builder)
    }
    const before = builder.bytes
    builder.add(key, record)
    this.bytes += builder.bytes - before
    if (builder.full) {
      this.#finished.push(partOf(slot, builder))
      this.#builders.delete(slot)
    }
  }

  finish(): readonly AppendPart[] {
    for (const [slot, builder] of this.#builders) this.#finished.push(partOf(slot, builder))
    return this.#finished
  }
}

function partOf(slot: number, builder: ChunkBuilder): AppendPart {
  return {
    topicId: Math.floor(slot / 65_536),
    partition: slot % 65_536,
    count: builder.count,
    chunk: builder.finish(),
  }
}

export class LogWriterClient {
  readonly #settings: WriterSettings
  readonly #key = new KeyBuffer()
  readonly #memory = new ChunkMemory()
  #worker: Worker | undefined
  #gathering: Group | undefined
  #groupsInFlight = 0
  #pendingBytes = 0
  /** Nothing is written after it. */
  #failure: PlatformError | undefined
  /** Nothing is taken after it, but what was taken is written. */
  #closed = false
  readonly #idle: (() => void)[] = []
  /** Of requests that are under way; a request's id is its place. */
  readonly #answers = new Slab<(answer: WriterAnswer) => void>()

  /** Its thread begins at once: that takes a tenth of a second of a processor, for which no first alert should wait. */
  constructor(settings: WriterSettings) {
    this.#settings = settings
    this.#startedWorker()
  }

  append(topic: TopicEntry, records: readonly NewRecord[]): Promise<void> {
    const refusal = this.#failure ?? this.#whyUnavailable()
    if (refusal !== undefined) return Promise.reject(refusal)
    records.forEach(checkRecord)
    const group = this.#gather()
    const before = group.bytes
    for (const record of records) {
      this.#key.set(record.key)
      const { bytes, length } = this.#key
      const hash = murmur2(bytes.subarray(0, length)) & 0x7fffffff
      group.add(topic.id, hash % topic.partitions, this.#key, record)
    }
    this.#pendingBytes += group.bytes - before
    return new Promise((resolve, reject) => group.waiting.push({ resolve, reject }))
  }

  async request(command: WriterCommand): Promise<Exclude<WriterAnswer, WriterRefusal>> {
    if (this.#failure !== undefined) throw this.#failure
    const answer = await this.#send(this.#startedWorker(), command, [])
    if (answer.kind === 'refused') throw this.#errorOf(answer)
    return answer
  }

  /** Nothing is written from now on: this thread or another met a failed sync. */
  fail(failure: PlatformError): void {
    this.#failure ??= failure
  }

  /** Writes what was taken, then ends the thread. */
  async close(): Promise<void> {
    this.#closed = true
    while (this.#gathering !== undefined || this.#groupsInFlight > 0) {
      await new Promise<void>((resolve) => this.#idle.push(resolve))
    }
    const worker = this.#worker
    if (worker === undefined) return
    const exited = new Promise((resolve) => worker.once('exit', resolve))
    await this.#send(worker, { kind: 'close' }, [])
    worker.ref()
    await exited
  }

  #whyUnavailable(): PlatformError | undefined {
    if (this.#closed) {
      return new PlatformError('log-unavailable', 'Cannot append: the log is closed.', {
        retry: 'later',
      })
    }
    if (this.#pendingBytes < MAX_PENDING_BYTES) return undefined
    return new PlatformError(
      'log-unavailable',
      `Cannot append: ${this.#pendingBytes} bytes wait for the disk already. Try again shortly.`,
      { retry: 'later', details: { pendingBytes: this.#pendingBytes } },
    )
  }

  #gather(): Group {
    if (this.#gathering === undefined) {
      this.#gathering = new Group(this.#memory)
      // Appends of the same turn of the event loop join the same group.
      queueMicrotask(() => this.#dispatch())
    }
    return this.#gathering
  }

  #dispatch(): void {
    const group = this.#gathering
    if (group === undefined || this.#groupsInFlight >= MAX_GROUPS_IN_FLIGHT) return
    this.#gathering = undefined
    this.#groupsInFlight++
    void this.#write(group)
  }

  async #write(group: Group): Promise<void> {
    const error = this.#failure ?? (await this.#written(group.finish()))
    this.#groupsInFlight--
    this.#pendingBytes -= group.bytes
    for (const { resolve, reject } of group.waiting) {
      if (error === undefined) resolve()
      else reject(error)
    }
    this.#dispatch()
    for (const resolve of this.#idle.splice(0)) resolve()
  }

  /** Undefined where it is on disk. */
  async #written(parts: readonly AppendPart[]): Promise<PlatformError | undefined> {
    if (parts.length === 0) return undefined
    const buffers = parts.map((part) => part.chunk.buffer)
    const answer = await this.#send(this.#startedWorker(), { kind: 'append', parts }, buffers)
    return answer.kind === 'refused' ? this.#errorOf(answer) : undefined
  }

  #send(worker: Worker, command: WriterCommand, transfer: ArrayBuffer[]): Promise<WriterAnswer> {
    return new Promise((resolve) => {
      if (this.#answers.size === 0) worker.ref()
      const request: WriterRequest = { id: this.#answers.add(resolve), command }
      worker.postMessage(request, transfer)
    })
  }

  #startedWorker(): Worker {
    if (this.#worker !== undefined) return this.#worker
    const worker = new Worker(new URL('./log-writer.ts', import.meta.url), {
      name: 'log-writer',
      workerData: this.#settings,
    })
    worker.on('message', ({ id, answer, memory }: WriterReply) => {
      for (const written of memory) this.#memory.giveBack(written)
      const resolve = this.#answers.take(id)
      if (this.#answers.size === 0) worker.unref()
      resolve?.(answer)
    })
    worker.on('error', (cause) => this.#died(cause))
    worker.on('exit', () => {
      this.#worker = undefined
      if (!this.#closed || this.#answers.size > 0) this.#died(undefined)
    })
    // An idle log does not keep the process alive.
    worker.unref()
    this.#worker = worker
    return worker
  }

  #died(cause: unknown): void {
    const refusal: WriterRefusal = {
      kind: 'refused',
      code: 'log-failed',
      retry: 'never',
      message: `The thread that writes the log in ${this.#settings.directory} ended.`,
      details: { directory: this.#settings.directory },
      cause,
    }
    this.fail(this.#errorOf(refusal))
    const answers = [...this.#answers]
    this.#answers.clear()
    for (const resolve of answers) resolve(refusal)
  }

  #errorOf(refusal: WriterRefusal): PlatformError {
    const { code, message, retry, details, cause } = refusal
    const error = new PlatformError(code, message, { retry, details, cause })
    if (code === 'log-failed') this.fail(error)
    return error
  }
}
