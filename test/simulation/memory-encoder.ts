// Archive rows kept as objects, for tests that look at what a task would archive.

import type {
  ArchiveChunk,
  ArchivedEvent,
  ArchiveEncoder,
  ArchiveTable,
} from '../../src/ports/archive.ts'
import { columnValues } from '../../src/streams/event-values.ts'

/** A rough size of one row in memory, so that limits in bytes mean something. */
const ROW_BYTES = 200

export type MemoryRow = ArchivedEvent<unknown>

/** How each row would be written, column by column; asked for only where a row is read back. */
const writers = new WeakMap<MemoryRow, () => readonly unknown[]>()

/** The values of a row's columns as they stood when it was archived. */
export function columnsOf(row: MemoryRow): readonly unknown[] {
  return writers.get(row)?.() ?? []
}

export function memoryEncoder<E>(
  table: Pick<ArchiveTable<E>, 'name' | 'write'>,
): ArchiveEncoder<E> {
  let rows: MemoryRow[] = []
  return {
    add(meta, event) {
      const row = { ...meta, event }
      writers.set(row, () => columnValues(table, event))
      rows.push(row)
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
