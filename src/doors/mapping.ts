// A mapping says how rows of somebody else's format become events of a topic. It is data: written in
// YAML, checked against the topic's schema before the first row, and pure after that.

import { failed, ok, type Result } from '../kernel/result.ts'
import type { StreamEvent, TopicDefinition } from '../streams/topic.ts'
import { compileFields, type FieldReader, requiredFields } from './mapping-fields.ts'
import { type MappingIssue, type MappingText, readMappingText } from './mapping-text.ts'
import { compileCondition, Unmappable } from './mapping-values.ts'

export type { MappingIssue } from './mapping-text.ts'

export type MappingFormat = 'auto' | 'csv' | 'ndjson'

export interface CsvDialect {
  readonly delimiter: string
  /** Decimal mark of its numbers. */
  readonly decimal: '.' | ','
  readonly encoding: 'utf8' | 'latin1'
}

/** Turns each column but the kept ones into a row of its own, with the column's name and value in two columns. */
export interface Unpivot {
  readonly keep: readonly string[]
  readonly name: string
  readonly value: string
}

/** One row as the fields see it. */
export interface Row {
  /** A column of CSV, a path of NDJSON; undefined where it is not there. */
  get(place: string): unknown
  /** All of it, for CEL. */
  all(): Readonly<Record<string, unknown>>
  /** From 1, the header not counted. */
  readonly number: number
}

export interface MappedEvent {
  readonly kind: 'event'
  readonly event: Readonly<Record<string, unknown>>
  /** Fields that hold words where a number or a time was asked for; they stand in the event's `words`. */
  readonly words: readonly string[]
}

export interface UnmappableRow {
  readonly kind: 'unmappable'
  readonly field: string
  readonly message: string
  /** What the other fields gave; the failed one holds what was found and why it did not fit. */
  readonly event: Readonly<Record<string, unknown>>
}

export type MappedRow = MappedEvent | UnmappableRow | { readonly kind: 'skipped' }

export interface FileMapper {
  /** Columns that must be there, for a format that names them. */
  readonly columns: readonly string[]
  map(row: Row): MappedRow
}

export interface Mapping {
  readonly name: string
  readonly description: string | null
  readonly topic: TopicDefinition<StreamEvent>
  /** `auto`: NDJSON where the first row begins with a brace, else CSV. */
  readonly format: MappingFormat
  readonly csv: CsvDialect
  readonly unpivot: Unpivot | null
  /** A field of the topic by which a refused row is recognised as such, whatever else it holds. */
  readonly mandatoryField: string
  /** Fails where a pattern for the file's name does not fit it. */
  forFile(fileName: string): Result<FileMapper, string>
}

export interface MappingSource {
  /** As messages name it: a path, or the name of a built-in. */
  readonly file: string
  readonly text: string
}

/** Fails with everything that is wrong, each with its place in the file. */
export function compileMapping(
  source: MappingSource,
  topics: ReadonlyMap<string, TopicDefinition<StreamEvent>>,
): Result<Mapping, readonly MappingIssue[]> {
  const read = readMappingText(source)
  if (!read.ok) return read
  const text = read.value
  const topic = topics.get(text.topic.value)
  if (topic === undefined) {
    const known = [...topics.keys()].sort().join(', ')
    return failed([text.issue(text.topic.at, `there is no topic "${text.topic.value}"; ${known}`)])
  }
  const issues: MappingIssue[] = []
  const fields = compileFields(text, topic, issues)
  const skip =
    text.skipWhen === null
      ? null
      : compileCondition(text.skipWhen.value, (message) => {
          if (text.skipWhen !== null) issues.push(text.issue(text.skipWhen.at, message))
        })
  if (issues.length > 0) return failed(issues)
  const [mandatoryField = ''] = requiredFields(topic)
  return ok({
    name: text.name ?? source.file,
    description: text.description,
    topic,
    format: text.format,
    csv: text.csv,
    unpivot: text.unpivot,
    mandatoryField,
    forFile: (fileName) => mapperFor(fileName, fields, skip ?? null, text),
  })
}

interface BoundField {
  readonly name: string
  readonly keepsWords: boolean
  read(row: Row): unknown
}

/** Longest text that is kept as words. */
const MAX_WORDS_LENGTH = 200

type Skip = ((row: Row, fileName: string) => boolean | string) | null

function mapperFor(
  fileName: string,
  readers: readonly FieldReader[],
  skip: Skip,
  text: MappingText,
): Result<FileMapper, string> {
  const fields: BoundField[] = []
  const columns = new Set<string>()
  for (const reader of readers) {
    const bound = reader.forFile(fileName)
    if (!bound.ok) return failed(`${reader.name}: ${bound.error}`)
    fields.push({ name: reader.name, keepsWords: reader.keepsWords, read: bound.value })
    for (const column of reader.columns) columns.add(column)
  }
  if (text.unpivot !== null) {
    columns.delete(text.unpivot.name)
    columns.delete(text.unpivot.value)
    for (const column of text.unpivot.keep) columns.add(column)
  }
  return ok({ columns: [...columns], map: (row) => mapRow(row, fileName, fields, skip) })
}

function mapRow(row: Row, fileName: string, fields: readonly BoundField[], skip: Skip): MappedRow {
  const skipped = skip === null ? false : skip(row, fileName)
  if (skipped === true) return { kind: 'skipped' }
  if (typeof skipped === 'string') {
    return { kind: 'unmappable', field: 'skipWhen', message: skipped, event: {} }
  }
  const event: Record<string, unknown> = {}
  const words: Record<string, string> = {}
  let problem: { readonly field: string; readonly message: string } | undefined
  for (const field of fields) {
    const value = field.read(row)
    if (value instanceof Unmappable && field.keepsWords && isWords(value.found)) {
      words[field.name] = value.found
    } else if (value instanceof Unmappable) {
      problem ??= { field: field.name, message: value.message }
      event[field.name] = { unmapped: value.found, reason: value.message }
    } else if (value !== undefined) {
      event[field.name] = value
    }
  }
  const worded = Object.keys(words)
  if (worded.length > 0) event.words = words
  return problem === undefined
    ? { kind: 'event', event, words: worded }
    : { kind: 'unmappable', ...problem, event }
}

function isWords(found: unknown): found is string {
  return typeof found === 'string' && found.length <= MAX_WORDS_LENGTH
}
