// Memory that rows for COPY are written into, used again once they are in the database: under load it would
// otherwise be asked for, cleared and given back a hundred times a second.

/** A block is never smaller; one for a longer row is as large as it needs. */
const BLOCK_BYTES = 1024 * 1024
/** So many unused blocks are kept: what a backlog took beyond that is given back. */
const MOST_UNUSED = 16

export class CopyBlock {
  readonly buffer: Buffer
  readonly view: DataView
  /** Chunks that lie in it, and its encoder as long as it writes to it. */
  users = 1

  constructor(bytes: number) {
    this.buffer = Buffer.allocUnsafeSlow(bytes)
    this.view = new DataView(this.buffer.buffer, this.buffer.byteOffset, this.buffer.byteLength)
  }
}

/** Blocks of all encoders of a thread. */
export class CopyBlocks {
  readonly #unused: CopyBlock[] = []

  /** A block of at least so many bytes for one encoder, which gives it back once it writes to another. */
  take(bytes: number): CopyBlock {
    const unused = bytes <= BLOCK_BYTES ? this.#unused.pop() : undefined
    if (unused === undefined) return new CopyBlock(Math.max(BLOCK_BYTES, bytes))
    unused.users = 1
    return unused
  }

  /** To be called by each user once; the last one's call makes it free for others. */
  giveBack(block: CopyBlock): void {
    block.users--
    if (block.users > 0 || block.buffer.length > BLOCK_BYTES) return
    if (this.#unused.length < MOST_UNUSED) this.#unused.push(block)
  }
}
