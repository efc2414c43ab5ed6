// Archive rows kept as objects, for tests that look at what a task would archive.

import type {
  ArchiveChunk,
  ArchivedEvent,
  ArchiveEncoder,
  ArchiveTable,
} from '../../src/ports/archive.ts'

/** A rough size of one row in memory, so that limits in bytes mean something. */
const ROW_BYTES = 200

export type MemoryRow = ArchivedEvent<unknown>

export function memoryEncoder<E>(table: Pick<ArchiveTable<E>, 'name'>): ArchiveEncoder<E> {
  let rows: MemoryRow[] = []
  return {
    add(meta, event) {
      rows.push({ ...meta, event })
    },
    get pendingBytes() {
      return rows.length * ROW_BYTES
    },
    take(): ArchiveChunk {
      const taken = rows
      rows = []
      return {
        table: table.name,
        rows: taken.length,
        bytes: taken.length * ROW_BYTES,
        payload: taken,
      }
    },
  }
}

export function rowsOf(chunks: readonly ArchiveChunk[]): readonly MemoryRow[] {
  return chunks.flatMap(({ payload }) => payload as readonly MemoryRow[])
}
