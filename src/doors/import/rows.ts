// Rows of CSV or NDJSON, one after the other, each with its number and its bytes.

import { isUtf8 } from 'node:buffer'
import { parse } from 'csv-parse/sync'
import type { CsvDialect, Mapping, Row, Unpivot } from '../mapping.ts'
import { readJson } from '../strict-json.ts'
import type { ByteSource } from './file-bytes.ts'
import { type RawRecord, RecordSplitter } from './record-splitter.ts'

export interface BrokenRow {
  readonly number: number
  readonly problem: string
  /** As it came; sent as it is, it is refused and kept by the door. */
  readonly bytes: Buffer
}

export type RowItem = { readonly kind: 'row'; readonly row: Row } | BrokenRowItem
export type BrokenRowItem = { readonly kind: 'broken' } & BrokenRow

/** The file cannot be read with this mapping at all: expected, and told to the person as it is. */
export class UnreadableFile extends Error {
  constructor(message: string) {
    super(message)
    this.name = 'UnreadableFile'
  }
}

export interface RowSourceOptions {
  readonly mapping: Mapping
  /** Columns that must be there. */
  readonly columns: readonly string[]
}

export interface RowSource {
  /** Throws `UnreadableFile` where the header lacks a column or the text is in an encoding of two bytes. */
  readonly batches: AsyncIterable<readonly RowItem[]>
  /** Bytes of a last row that was cut off, which is not imported; known after the end. */
  readonly droppedBytes: number
}

export function openRows(bytes: ByteSource, options: RowSourceOptions): RowSource {
  const state = { droppedBytes: 0 }
  return {
    batches: readBatches(bytes, options, state),
    get droppedBytes() {
      return state.droppedBytes
    },
  }
}

async function* readBatches(
  bytes: ByteSource,
  { mapping, columns }: RowSourceOptions,
  state: { droppedBytes: number },
): AsyncGenerator<readonly RowItem[]> {
  let reader: Reader | undefined
  for await (const chunk of bytes.chunks) {
    const text: Buffer = reader === undefined ? withoutMark(chunk) : chunk
    reader ??= readerFor(text, mapping, columns)
    const rows = reader.read(reader.splitter.push(text))
    if (rows.length > 0) yield rows
  }
  if (reader === undefined) return
  if (bytes.damage !== null) {
    state.droppedBytes = reader.splitter.drop()
    return
  }
  const last = reader.read(reader.splitter.end())
  if (last.length > 0) yield last
}

/** Takes the byte order mark of UTF-8 away; refuses text in UTF-16. */
function withoutMark(first: Buffer): Buffer {
  if (first[0] === 0xef && first[1] === 0xbb && first[2] === 0xbf) return first.subarray(3)
  const utf16 = (first[0] === 0xff && first[1] === 0xfe) || (first[0] === 0xfe && first[1] === 0xff)
  if (utf16) throw new UnreadableFile('It is in UTF-16; convert it to UTF-8 first.')
  return first
}

interface Reader {
  readonly splitter: RecordSplitter
  read(records: readonly RawRecord[]): RowItem[]
}

function readerFor(first: Buffer, mapping: Mapping, columns: readonly string[]): Reader {
  const begin = first.find(
    (byte) => byte !== 0x20 && byte !== 0x0a && byte !== 0x0d && byte !== 0x09,
  )
  const format = mapping.format === 'auto' ? (begin === 0x7b ? 'ndjson' : 'csv') : mapping.format
  return format === 'ndjson'
    ? new NdjsonReader(mapping.unpivot)
    : new CsvReader(mapping.csv, mapping.unpivot, columns)
}

class NdjsonReader implements Reader {
  readonly splitter = new RecordSplitter({ delimiter: null })
  readonly #numbers: RowNumbers

  constructor(unpivot: Unpivot | null) {
    this.#numbers = new RowNumbers(unpivot)
  }

  read(records: readonly RawRecord[]): RowItem[] {
    return records.flatMap(({ bytes, problem }) => {
      if (problem !== null) return this.#numbers.broken(problem, bytes)
      const json = readJson(bytes)
      if (!json.ok) return this.#numbers.broken(json.error.message, bytes)
      const { value } = json
      if (!isObject(value)) return this.#numbers.broken('the row is not a JSON object', bytes)
      return this.#numbers.rows(Object.keys(value), (place) => atPath(value, place), value)
    })
  }
}

class CsvReader implements Reader {
  readonly splitter: RecordSplitter
  readonly #dialect: CsvDialect
  readonly #needed: readonly string[]
  readonly #numbers: RowNumbers
  #header: readonly string[] | undefined
  #places = new Map<string, number>()

  constructor(dialect: CsvDialect, unpivot: Unpivot | null, needed: readonly string[]) {
    this.splitter = new RecordSplitter({ delimiter: dialect.delimiter.charCodeAt(0) })
    this.#dialect = dialect
    this.#needed = needed
    this.#numbers = new RowNumbers(unpivot)
  }

  read(records: readonly RawRecord[]): RowItem[] {
    const cells = this.#cells(records)
    return records.flatMap((record, index) => this.#item(record, cells[index]))
  }

  #item({ bytes, problem }: RawRecord, cells: readonly string[] | undefined): RowItem[] {
    if (this.#header === undefined) {
      if (cells === undefined) throw new UnreadableFile(`Its header cannot be read: ${problem}.`)
      this.#setHeader(cells)
      return []
    }
    if (problem !== null) return this.#numbers.broken(problem, bytes)
    if (cells === undefined) return this.#numbers.broken('the row is not CSV', bytes)
    if (cells.length > this.#header.length) {
      const found = `${cells.length} cells, but the header has ${this.#header.length} columns`
      return this.#numbers.broken(found, bytes)
    }
    if (this.#dialect.encoding === 'utf8' && !isUtf8(bytes)) {
      return this.#numbers.broken('the row is not UTF-8; if it is Latin-1, say so under csv', bytes)
    }
    const header = this.#header
    const get = (place: string): unknown => cells[this.#places.get(place) ?? -1]
    return this.#numbers.rows(header, get, null)
  }

  /** All at once; one by one where a record is not what it seemed, so that it harms no other. */
  #cells(records: readonly RawRecord[]): (readonly string[] | undefined)[] {
    const good = records.filter(({ problem }) => problem === null)
    const parsed = this.#parse(good.map(({ bytes }) => bytes))
    let next = 0
    return records.map(({ bytes, problem }) => {
      if (problem !== null) return undefined
      const rows = parsed.length === good.length ? parsed[next++] : this.#parse([bytes])[0]
      return rows
    })
  }

  #parse(lines: readonly Buffer[]): readonly (readonly string[])[] {
    try {
      return parse(Buffer.concat(lines.flatMap((line) => [line, LINE_END])), {
        delimiter: this.#dialect.delimiter,
        encoding: this.#dialect.encoding,
        record_delimiter: '\n',
        relax_column_count: true,
        relax_quotes: true,
        skip_empty_lines: true,
        trim: true,
      })
    } catch {
      return []
    }
  }

  #setHeader(cells: readonly string[]): void {
    this.#header = cells
    cells.forEach((name, index) => {
      if (!this.#places.has(name)) this.#places.set(name, index)
    })
    const missing = this.#needed.filter((name) => !this.#places.has(name))
    if (missing.length === 0) return
    const found = cells.slice(0, 50).join(', ').slice(0, 500)
    throw new UnreadableFile(
      `It has no column ${missing.map((name) => `"${name}"`).join(', ')}; it has: ${found}.`,
    )
  }
}

const LINE_END = Buffer.from('\n')

/** Counts rows, and makes several of one where columns become rows. */
class RowNumbers {
  readonly #unpivot: Unpivot | null
  #number = 0

  constructor(unpivot: Unpivot | null) {
    this.#unpivot = unpivot
  }

  broken(problem: string, bytes: Buffer): RowItem[] {
    return [{ kind: 'broken', number: ++this.#number, problem, bytes }]
  }

  rows(
    columns: readonly string[],
    get: (place: string) => unknown,
    whole: Readonly<Record<string, unknown>> | null,
  ): RowItem[] {
    const all = (): Readonly<Record<string, unknown>> =>
      whole ?? Object.fromEntries(columns.map((column) => [column, get(column) ?? '']))
    const unpivot = this.#unpivot
    if (unpivot === null) return [{ kind: 'row', row: { number: ++this.#number, get, all } }]
    const kept = new Set(unpivot.keep)
    return columns
      .filter((column) => !kept.has(column))
      .map((column) => {
        const place = (name: string): unknown => {
          if (name === unpivot.name) return column
          return get(name === unpivot.value ? column : name)
        }
        const names = [...unpivot.keep, unpivot.name, unpivot.value]
        const few = () => Object.fromEntries(names.map((name) => [name, place(name) ?? '']))
        return { kind: 'row', row: { number: ++this.#number, get: place, all: few } }
      })
  }
}

function isObject(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}

/** A key, a path of keys and indexes with dots, or a JSON pointer; only own properties count. */
function atPath(value: Readonly<Record<string, unknown>>, place: string): unknown {
  if (Object.hasOwn(value, place)) return value[place]
  const steps = place.startsWith('/')
    ? place
        .slice(1)
        .split('/')
        .map((step) => step.replaceAll('~1', '/').replaceAll('~0', '~'))
    : place.split('.')
  let found: unknown = value
  for (const step of steps) {
    if (typeof found !== 'object' || found === null || !Object.hasOwn(found, step)) return undefined
    found = Reflect.get(found, step)
  }
  return found
}
