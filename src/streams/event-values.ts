// An event, or a durable row, as the values of its columns in their order: what the archive reads back exactly, said
// without field names.

import type { ArchiveTable, RowReader, RowWriter } from '../ports/archive.ts'

/** Where `writer` puts values: one writer serves all, since writing an event is one synchronous call. */
let written: unknown[] = []

const put = (value: unknown): void => {
  written.push(value)
}

const writer: RowWriter = {
  text: put,
  float8: put,
  int4: put,
  int8: put,
  bool: put,
  timestamp: put,
  numeric: put,
  json: put,
}

/** One value a column, as JSON carries it; nulls at the end are left out. */
export function columnValues<E>(table: Pick<ArchiveTable<E>, 'write'>, event: E): unknown[] {
  written = []
  table.write(writer, event)
  while (written.at(-1) === null) written.pop()
  return written
}

/** The inverse of `columnValues`; a column that was not there when they were written is null. */
export function fromColumnValues<E>(
  table: Pick<ArchiveTable<E>, 'read'>,
  values: readonly unknown[],
): E {
  let at = 0
  // A value is read by the call that its column was written by: the table vouches for its type.
  const take = <T>(): T | null => (values[at++] ?? null) as T | null
  const row: RowReader = {
    text: take<string>,
    float8: take<number>,
    int4: take<number>,
    int8: take<number>,
    bool: take<boolean>,
    timestamp: take<number>,
    numeric: take<string>,
    json: take,
  }
  return table.read(row)
}
