// Memory that chunks are packed into, used again once they are written: it goes to the thread that writes with its
// chunk and comes back with the answer. Left to itself it would be garbage of that thread, which then marked all
// it holds twice a second.

/** What a chunk of usual size takes, its last record included; larger memory is not kept. */
const MOST_BYTES = 512 * 1024
/** Unused pieces that are kept: those of two groups over some tens of partitions. */
const MOST_UNUSED = 64

export class ChunkMemory {
  readonly #unused: Buffer<ArrayBuffer>[] = []

  /** At least so many bytes, whatever they held before. */
  take(bytes: number): Buffer<ArrayBuffer> {
    const index = this.#unused.findLastIndex(({ length }) => length >= bytes)
    const [unused] = index < 0 ? [] : this.#unused.splice(index, 1)
    return unused ?? Buffer.allocUnsafeSlow(bytes)
  }

  /** Nobody looks at it any more. */
  giveBack(memory: ArrayBuffer): void {
    if (memory.byteLength > MOST_BYTES || this.#unused.length >= MOST_UNUSED) return
    this.#unused.push(Buffer.from(memory))
  }
}
