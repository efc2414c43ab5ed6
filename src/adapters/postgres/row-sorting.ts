// Rows of one COPY, put in the order of their keys: those of one entity side by side, in the order of the log. Each then
// goes where the row before it went, in the index on entity and time as well as on the disk.

import { assert } from '../../kernel/errors.ts'

/** Rows in binary form, one behind the other. A row may begin in one buffer and end in the next. */
export interface EncodedRows {
  readonly buffers: readonly Buffer[]
  /** Of each row, in order. */
  readonly keys: readonly string[]
  /** Where each row ends, counted from the first byte of the first. */
  readonly ends: readonly number[]
}

/** Longest piece that is given on. */
const PIECE_BYTES = 1024 * 1024
/** A room that is too small is made so much larger than it must be. */
const ROOM_TO_GROW = 1.25
/** More than that is given back after use. */
const MOST_KEPT_BYTES = 16 * 1024 * 1024
/** So many rooms are kept. */
const MOST_UNUSED = 8
const NO_BYTES = Buffer.alloc(0)

/** Where the rows of one COPY at a time are sorted; its memory is used again. */
export class SortingRoom {
  #bytes = NO_BYTES
  #groups = new Int32Array(0)

  get size(): number {
    return this.#bytes.length
  }

  /** The same rows in pieces, which hold until the next call. */
  sort(parts: readonly EncodedRows[]): readonly Buffer[] {
    const groups = this.#groupsOf(parts)
    if (groups.size <= 1) return parts.flatMap(({ buffers }) => buffers)
    const bytes = parts.reduce((sum, { ends }) => sum + (ends.at(-1) ?? 0), 0)
    if (this.#bytes.length < bytes) {
      this.#bytes = Buffer.allocUnsafeSlow(Math.ceil(bytes * ROOM_TO_GROW))
    }
    const nextAt = startsOf(groups)
    let row = 0
    for (const { buffers, ends } of parts) {
      let piece = 0
      let from = 0
      let start = 0
      for (const end of ends) {
        const group = this.#groups[row++] ?? 0
        let at = nextAt[group] ?? 0
        let left = end - start
        nextAt[group] = at + left
        start = end
        while (left > 0) {
          const source = buffers[piece] ?? NO_BYTES
          const copied = source.copy(this.#bytes, at, from, from + left)
          at += copied
          from += copied
          left -= copied
          if (from < source.length) continue
          assert(piece < buffers.length, 'Rows to be sorted end beyond their bytes.')
          piece++
          from = 0
        }
      }
    }
    return piecesOf(this.#bytes, bytes)
  }

  /** Notes which group each row is of; groups by key, in the order in which they appear. */
  #groupsOf(parts: readonly EncodedRows[]): ReadonlyMap<string, Group> {
    const rows = parts.reduce((sum, { keys }) => sum + keys.length, 0)
    if (this.#groups.length < rows) this.#groups = new Int32Array(rows * 2)
    const groups = new Map<string, Group>()
    let row = 0
    for (const { keys, ends } of parts) {
      let start = 0
      for (let index = 0; index < keys.length; index++) {
        const key = keys[index] ?? ''
        const end = ends[index] ?? start
        let group = groups.get(key)
        if (group === undefined) {
          group = { number: groups.size, bytes: 0 }
          groups.set(key, group)
        }
        group.bytes += end - start
        start = end
        this.#groups[row++] = group.number
      }
    }
    return groups
  }
}

interface Group {
  readonly number: number
  bytes: number
}

/** Where the rows of each group begin, by its number; the groups lie in the order of their keys. */
function startsOf(groups: ReadonlyMap<string, Group>): Float64Array {
  const starts = new Float64Array(groups.size)
  let at = 0
  for (const [, { number, bytes }] of [...groups].sort(([a], [b]) => (a < b ? -1 : 1))) {
    starts[number] = at
    at += bytes
  }
  return starts
}

function piecesOf(buffer: Buffer, bytes: number): readonly Buffer[] {
  const pieces: Buffer[] = []
  for (let at = 0; at < bytes; at += PIECE_BYTES) {
    pieces.push(buffer.subarray(at, Math.min(bytes, at + PIECE_BYTES)))
  }
  return pieces
}

/** Rooms for as many transactions as run at once. */
export class SortingRooms {
  readonly #unused: SortingRoom[] = []

  take(): SortingRoom {
    return this.#unused.pop() ?? new SortingRoom()
  }

  /** Once the server has read all of it. */
  giveBack(room: SortingRoom): void {
    if (this.#unused.length < MOST_UNUSED && room.size <= MOST_KEPT_BYTES) this.#unused.push(room)
  }
}
