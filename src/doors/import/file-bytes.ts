// The bytes of a file or of standard input, decompressed where they begin like gzip, in bounded memory.

import { createReadStream } from 'node:fs'
import { createGunzip, type Gunzip } from 'node:zlib'

/** Compressed bytes given to the decompressor at a time; they become at most about a thousand times more. */
const READ_BYTES = 16 * 1024

export type Damage = 'cut-gzip' | 'broken-gzip'

export interface ByteSource {
  /** Decompressed, in order. Ends early, without throwing, where the gzip is damaged. */
  readonly chunks: AsyncIterable<Buffer>
  /** Bytes of the file itself read so far. */
  readonly readBytes: number
  readonly gzip: boolean
  /** Known after the end. */
  readonly damage: Damage | null
}

export function openBytes(file: string | null, standardInput: AsyncIterable<Buffer>): ByteSource {
  const input =
    file === null ? standardInput : createReadStream(file, { highWaterMark: READ_BYTES })
  const state = { readBytes: 0, gzip: false, damage: null as Damage | null }
  const chunks = decoded(pieces(input, state), state)
  return {
    chunks,
    get readBytes() {
      return state.readBytes
    },
    get gzip() {
      return state.gzip
    },
    get damage() {
      return state.damage
    },
  }
}

async function* pieces(
  input: AsyncIterable<Buffer>,
  state: { readBytes: number },
): AsyncGenerator<Buffer> {
  for await (const chunk of input) {
    for (let from = 0; from < chunk.length; from += READ_BYTES) {
      const piece = chunk.subarray(from, from + READ_BYTES)
      state.readBytes += piece.length
      yield piece
    }
  }
}

async function* decoded(
  input: AsyncGenerator<Buffer>,
  state: { gzip: boolean; damage: Damage | null },
): AsyncGenerator<Buffer> {
  const head = await atLeastTwoBytes(input)
  state.gzip = head[0] === 0x1f && head[1] === 0x8b
  if (!state.gzip) {
    if (head.length > 0) yield head
    yield* input
    return
  }
  const gunzip = new Decompressor()
  try {
    yield* await gunzip.write(head)
    for await (const piece of input) {
      yield* await gunzip.write(piece)
      if (gunzip.failed) break
    }
    yield* await gunzip.end()
    if (gunzip.error !== null) state.damage = gunzip.cut ? 'cut-gzip' : 'broken-gzip'
  } finally {
    gunzip.close()
  }
}

async function atLeastTwoBytes(input: AsyncGenerator<Buffer>): Promise<Buffer> {
  let head: Buffer = Buffer.alloc(0)
  while (head.length < 2) {
    const next = await input.next()
    if (next.done === true) break
    head = Buffer.concat([head, next.value])
  }
  return head
}

/** Gives out everything that each write makes, so that nothing is lost when the next one fails. */
class Decompressor {
  readonly #stream: Gunzip = createGunzip()
  #made: Buffer[] = []
  error: Error | null = null

  constructor() {
    this.#stream.on('data', (chunk: Buffer) => this.#made.push(chunk))
    this.#stream.on('error', (error) => {
      this.error = error
    })
  }

  get failed(): boolean {
    return this.error !== null
  }

  /** The data ended too early, as opposed to being wrong. */
  get cut(): boolean {
    return this.error !== null && Reflect.get(this.error, 'code') === 'Z_BUF_ERROR'
  }

  async write(piece: Buffer): Promise<Buffer[]> {
    if (!this.failed) await this.#until((done) => this.#stream.write(piece, done))
    return this.#take()
  }

  async end(): Promise<Buffer[]> {
    if (!this.failed) await this.#until((done) => this.#stream.once('end', done).end())
    return this.#take()
  }

  /** Until it is done, or has failed: then nothing calls back. */
  #until(start: (done: () => void) => void): Promise<void> {
    return new Promise((resolve) => {
      const done = (): void => {
        this.#stream.off('error', done)
        resolve()
      }
      this.#stream.once('error', done)
      start(done)
    })
  }

  close(): void {
    this.#stream.destroy()
  }

  #take(): Buffer[] {
    const made = this.#made
    this.#made = []
    return made
  }
}
