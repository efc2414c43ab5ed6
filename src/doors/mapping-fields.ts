// Each field of a mapping, checked against the topic's schema and made into a reader.

import type { TSchema } from '@sinclair/typebox'
import { failed, ok, type Result } from '../kernel/result.ts'
import { parseInstant } from '../kernel/time.ts'
import { dimensionOf, unitOfField } from '../kernel/units.ts'
import type { StreamEvent, TopicDefinition } from '../streams/topic.ts'
import type { MappingIssue, Row } from './mapping.ts'
import type { FieldText, FromPart, MappingText, Placed } from './mapping-text.ts'
import {
  absentStep,
  compileExpression,
  type Kinds,
  kindsOf,
  mapStep,
  type Step,
  textOf,
  timeStep,
  typeStep,
  Unmappable,
  unitStep,
} from './mapping-values.ts'
import { compileTimeFormat, type TimeReader } from './time-format.ts'

export interface FieldReader {
  readonly name: string
  /** Columns without which the field cannot be read. */
  readonly columns: readonly string[]
  /** A text that cannot be read is kept as words. */
  readonly keepsWords: boolean
  /** As `forFile`, with wall times that happened twice read as the second; where the field is a time from columns. */
  readonly later?: (fileName: string) => Result<(row: Row) => unknown, string>
  /** Gives the value, undefined for "not measured", or an `Unmappable`. Fails where the name does not fit. */
  forFile(fileName: string): Result<(row: Row) => unknown, string>
}

/** Reports every fault of every field. */
export function compileFields(
  text: MappingText,
  topic: TopicDefinition<StreamEvent>,
  issues: MappingIssue[],
): FieldReader[] {
  const properties = propertiesOf(topic)
  const readers = text.fields.flatMap((field) => {
    const schema = properties[field.name]
    if (field.keepsWords && properties.words === undefined) {
      issues.push(text.issue(field.at, `${topic.name} has no field "words" to keep words in`))
    }
    if (schema !== undefined) return compileField(field, schema, text, issues)
    const known = Object.keys(properties).join(', ')
    issues.push(text.issue(field.at, `${topic.name} has no field "${field.name}"; it has ${known}`))
    return []
  })
  bindNotBefore(text, readers, issues)
  const given = new Set(text.fields.map((field) => field.name))
  for (const name of requiredFields(topic)) {
    if (given.has(name)) continue
    issues.push(
      text.issue(text.fieldsAt, `${name} is required by ${topic.name}, and nothing gives it`),
    )
  }
  return readers
}

/**
 * A field with `notBefore` reads its wall time twice, both ways where clocks were put back, and takes the first
 * reading unless only the second is no earlier than the other field.
 */
function bindNotBefore(text: MappingText, readers: FieldReader[], issues: MappingIssue[]): void {
  for (const { name, notBefore } of text.fields) {
    if (notBefore === null) continue
    const own = readers.find((reader) => reader.name === name)
    const other = readers.find((reader) => reader.name === notBefore.value && reader.name !== name)
    if (other === undefined || own?.later === undefined) {
      const why = other === undefined ? 'is no other field of it' : 'needs a time from a column'
      issues.push(text.issue(notBefore.at, `notBefore: "${notBefore.value}" ${why}`))
      continue
    }
    readers[readers.indexOf(own)] = { ...own, forFile: notBeforeReader(own, own.later, other) }
  }
}

function notBeforeReader(
  own: FieldReader,
  later: FieldReader['forFile'],
  other: FieldReader,
): FieldReader['forFile'] {
  return (fileName) => {
    const [first, second, bound] = [own.forFile(fileName), later(fileName), other.forFile(fileName)]
    if (!first.ok || !second.ok || !bound.ok) return first
    return ok((row) => {
      const earlierReading = first.value(row)
      const boundMs = parseInstant(bound.value(row))
      const earlierMs = parseInstant(earlierReading)
      if (boundMs === undefined || earlierMs === undefined || earlierMs >= boundMs) {
        return earlierReading
      }
      const laterReading = second.value(row)
      return (parseInstant(laterReading) ?? 0) >= boundMs ? laterReading : earlierReading
    })
  }
}

export function requiredFields(topic: TopicDefinition<StreamEvent>): readonly string[] {
  const required: unknown = topic.schema.required
  return Array.isArray(required) ? required.filter((name) => typeof name === 'string') : []
}

function propertiesOf(topic: TopicDefinition<StreamEvent>): Readonly<Record<string, TSchema>> {
  const properties: unknown = topic.schema.properties
  return typeof properties === 'object' && properties !== null
    ? (properties as Record<string, TSchema>)
    : {}
}

function compileField(
  field: FieldText,
  schema: TSchema,
  text: MappingText,
  issues: MappingIssue[],
): FieldReader[] {
  const report = (place: Placed<string> | null, message: string): void => {
    issues.push(text.issue(place?.at ?? field.at, message))
  }
  const steps = compileSteps(field, schema, text, report)
  const { source } = field
  if (source.kind === 'const') return [constantField(field.name, applySteps(source.value, steps))]
  if (source.kind === 'cel') {
    const read = compileExpression(source.expression.value, (message) =>
      report(source.expression, message),
    )
    if (read === undefined) return []
    const forFile = (fileName: string) => ok((row: Row) => applySteps(read(row, fileName), steps))
    return [{ name: field.name, columns: [], keepsWords: field.keepsWords, forFile }]
  }
  if (!patternsCompile(source.parts, report)) return []
  const columns = source.parts.flatMap((part) => (part.kind === 'place' ? [part.place] : []))
  return [
    {
      name: field.name,
      columns: field.optional ? [] : columns,
      keepsWords: field.keepsWords,
      forFile: (fileName) => readerFor(fileName, source.parts, steps),
      ...(field.notBefore === null ? {} : laterOf(field, schema, text, source.parts)),
    },
  ]
}

/** Faults were reported with the first reading already. */
function laterOf(
  field: FieldText,
  schema: TSchema,
  text: MappingText,
  parts: readonly FromPart[],
): Pick<FieldReader, 'later'> {
  if (field.formats.length === 0 && field.zone === null) return {}
  const steps = compileSteps({ ...field, fold: 'later' }, schema, text, () => undefined)
  return { later: (fileName) => readerFor(fileName, parts, steps) }
}

function constantField(name: string, value: unknown): FieldReader {
  return { name, columns: [], keepsWords: false, forFile: () => ok(() => value) }
}

interface Steps {
  /** Takes absent values too. */
  readonly map: Step | null
  readonly others: readonly Step[]
}

function compileSteps(
  field: FieldText,
  schema: TSchema,
  text: MappingText,
  report: (place: Placed<string> | null, message: string) => void,
): Steps {
  const kinds = kindsOfField(field, schema)
  const { decimal } = text.csv
  const others: Step[] = []
  if (field.formats.length > 0 || field.zone !== null) {
    const formats = field.formats.length > 0 ? field.formats : [{ value: 'iso', at: field.at }]
    const readers = formats.flatMap((format) => timeReader(field, format, report))
    others.push(timeStep(readers, formats.map(({ value }) => value).join(' or '), kinds))
  }
  if (field.unit !== null) {
    const kept = unitOfField(field.name)
    if (kept === undefined || dimensionOf(kept) !== dimensionOf(field.unit.value)) {
      const why = kept === undefined ? 'has no unit' : `is kept in ${kept}`
      report(field.unit, `${field.name} ${why}; it cannot come from ${field.unit.value}`)
    } else {
      others.push(unitStep(field.unit.value, kept, decimal))
    }
  }
  others.push(typeStep(kinds, decimal))
  if (field.absent.length > 0) others.unshift(absentStep(field.absent))
  return { map: field.map === null ? null : mapStep(field.map, field), others }
}

/** Where words are kept apart, a field that takes numbers takes no text: a time has been read by then. */
function kindsOfField({ keepsWords, formats }: FieldText, schema: TSchema): Kinds {
  const kinds = kindsOf(schema)
  return keepsWords && formats.length === 0 && kinds.number ? { ...kinds, text: false } : kinds
}

function timeReader(
  field: FieldText,
  format: Placed<string>,
  report: (place: Placed<string>, message: string) => void,
): TimeReader[] {
  const zone = field.zone?.value ?? 'UTC'
  const compiled = compileTimeFormat({ format: format.value, zone, fold: field.fold })
  if (compiled.ok) return [compiled.value]
  report(compiled.error.includes('time zone') ? (field.zone ?? format) : format, compiled.error)
  return []
}

function applySteps(found: unknown, steps: Steps): unknown {
  let value: unknown = found === null || found === '' ? undefined : found
  if (steps.map !== null && !(value instanceof Unmappable)) value = steps.map(value)
  for (const step of steps.others) {
    if (value === undefined || value instanceof Unmappable) return value
    value = step(value)
  }
  return value
}

function patternsCompile(
  parts: readonly FromPart[],
  report: (place: Placed<string>, message: string) => void,
): boolean {
  return parts.every((part) => {
    if (part.kind === 'place') return true
    try {
      new RegExp(part.pattern.value, 'u')
      return true
    } catch (error) {
      report(part.pattern, error instanceof Error ? error.message : String(error))
      return false
    }
  })
}

/** Of a pattern for the file's name the first group counts, or all that it matched where it has none. */
function readerFor(
  fileName: string,
  parts: readonly FromPart[],
  steps: Steps,
): Result<(row: Row) => unknown, string> {
  const texts: (string | { readonly place: string })[] = []
  for (const part of parts) {
    if (part.kind === 'place') {
      texts.push({ place: part.place })
      continue
    }
    const match = new RegExp(part.pattern.value, 'u').exec(fileName)
    const found = match?.[1] ?? match?.[0]
    if (found === undefined) {
      return failed(`the file name "${fileName}" does not fit ${part.pattern.value}`)
    }
    texts.push(found)
  }
  const [only] = texts
  if (texts.length === 1 && only !== undefined) {
    if (typeof only === 'string') {
      const value = applySteps(only, steps)
      return ok(() => value)
    }
    const { place } = only
    return ok((row) => applySteps(row.get(place), steps))
  }
  return ok((row) => applySteps(joined(row, texts), steps))
}

/** Absent as a whole where one part is. */
function joined(
  row: Row,
  texts: readonly (string | { readonly place: string })[],
): string | undefined {
  const found: string[] = []
  for (const text of texts) {
    const value = typeof text === 'string' ? text : row.get(text.place)
    if (value === undefined || value === null || value === '') return undefined
    found.push(textOf(value))
  }
  return found.join(' ')
}
