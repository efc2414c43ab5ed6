// The YAML of a mapping: its shape, checked with the place of each fault. What the fields mean is
// checked afterwards, against the topic.

import { isMap, isScalar, isSeq, LineCounter, type Node, parseDocument, type YAMLMap } from 'yaml'
import { failed, ok, type Result } from '../kernel/result.ts'
import { isUnitName, UNIT_NAMES, type UnitName } from '../kernel/units.ts'
import type { CsvDialect, MappingFormat, MappingSource, Unpivot } from './mapping.ts'
import { FOLDS, type Fold } from './time-format.ts'

/** Largest mapping file. */
export const MAX_MAPPING_BYTES = 256 * 1024

export interface MappingIssue {
  readonly file: string
  /** Both from 1. */
  readonly line: number
  readonly column: number
  readonly message: string
}

export function showIssue({ file, line, column, message }: MappingIssue): string {
  return `${file}:${line}:${column}: ${message}`
}

/** Place in the text, in characters from its start. */
export type At = number

export interface Placed<T> {
  readonly value: T
  readonly at: At
}

export type Scalar = string | number | boolean | null

/** Where a value comes from: one place, the file's name, or several joined by a space. */
export type FromPart =
  | { readonly kind: 'place'; readonly place: string }
  | { readonly kind: 'file-name'; readonly pattern: Placed<string> }

export type ValueSource =
  | { readonly kind: 'from'; readonly parts: readonly FromPart[] }
  | { readonly kind: 'cel'; readonly expression: Placed<string> }
  | { readonly kind: 'const'; readonly value: Scalar }

export interface FieldText {
  readonly name: string
  readonly at: At
  readonly source: ValueSource
  readonly unit: Placed<UnitName> | null
  readonly formats: readonly Placed<string>[]
  readonly zone: Placed<string> | null
  readonly fold: Fold
  /** Another field, a time: of two readings of a wall time the first that is not before it. */
  readonly notBefore: Placed<string> | null
  readonly map: ReadonlyMap<string, Scalar> | null
  /** Value for what stands not in `map`; undefined: such a row is refused. */
  readonly otherwise: Scalar | undefined
  /** What stands not in `map` stays as it is. */
  readonly keepsUnlisted: boolean
  readonly absent: readonly Scalar[]
  /** The column may be missing from the file. */
  readonly optional: boolean
  /** What is no number, or no time, is kept as the words it is, in the field `words`. */
  readonly keepsWords: boolean
}

export interface MappingText {
  readonly name: string | null
  readonly description: string | null
  readonly topic: Placed<string>
  readonly format: MappingFormat
  readonly csv: CsvDialect
  readonly unpivot: Unpivot | null
  readonly skipWhen: Placed<string> | null
  readonly fields: readonly FieldText[]
  readonly fieldsAt: At
  issue(at: At, message: string): MappingIssue
}

const TOP_KEYS = [
  'name',
  'description',
  'topic',
  'format',
  'csv',
  'unpivot',
  'skipWhen',
  'constants',
  'fields',
]
const FIELD_KEYS = [
  'from',
  'fileName',
  'cel',
  'const',
  'unit',
  'format',
  'zone',
  'fold',
  'notBefore',
  'map',
  'otherwise',
  'unlisted',
  'absent',
  'optional',
  'words',
]
const SOURCE_KEYS = ['from', 'fileName', 'cel', 'const']

export function readMappingText(
  source: MappingSource,
): Result<MappingText, readonly MappingIssue[]> {
  const lines = new LineCounter()
  const issue = (at: At, message: string): MappingIssue => {
    const { line, col } = lines.linePos(at)
    return { file: source.file, line: Math.max(1, line), column: Math.max(1, col), message }
  }
  if (Buffer.byteLength(source.text) > MAX_MAPPING_BYTES) {
    return failed([issue(0, `a mapping may have ${MAX_MAPPING_BYTES} bytes`)])
  }
  const document = parseDocument(source.text, { lineCounter: lines, prettyErrors: false })
  if (document.errors.length > 0) {
    return failed(document.errors.map((error) => issue(error.pos[0], error.message)))
  }
  const issues: MappingIssue[] = []
  const reader = new Reader((at, message) => issues.push(issue(at, message)))
  const root = document.contents
  if (!isMap(root)) return failed([issue(0, 'a mapping is a YAML map with topic, format, fields')])
  const text = readRoot(root, reader)
  return issues.length > 0 ? failed(issues) : ok({ ...text, issue })
}

function readRoot(root: YAMLMap, reader: Reader): Omit<MappingText, 'issue'> {
  const at = reader.at(root)
  const top = reader.entries(root, TOP_KEYS)
  const topic = reader.text(top.get('topic'))
  if (topic === null) reader.report(at, 'topic is missing: the topic that the events go to')
  const format = reader.oneOf(top.get('format'), ['auto', 'csv', 'ndjson'] as const)
  if (format === null && !top.has('format'))
    reader.report(at, 'format is missing: csv, ndjson or auto')
  const fieldsNode = top.get('fields')
  const fields = [...readConstants(top.get('constants'), reader), ...readFields(fieldsNode, reader)]
  if (fieldsNode === undefined) reader.report(at, 'fields is missing: where each field comes from')
  const seen = new Set<string>()
  for (const field of fields) {
    if (seen.has(field.name)) reader.report(field.at, `${field.name} is given twice`)
    seen.add(field.name)
  }
  return {
    name: reader.text(top.get('name'))?.value ?? null,
    description: reader.text(top.get('description'))?.value ?? null,
    topic: topic ?? { value: '', at },
    format: format ?? 'csv',
    csv: readDialect(top.get('csv'), reader),
    unpivot: readUnpivot(top.get('unpivot'), reader),
    skipWhen: reader.text(top.get('skipWhen')),
    fields,
    fieldsAt: fieldsNode === undefined ? at : reader.at(fieldsNode),
  }
}

function readDialect(node: Node | undefined, reader: Reader): CsvDialect {
  const entries = reader.map(node, ['delimiter', 'decimal', 'encoding'])
  const delimiter = reader.text(entries.get('delimiter'))
  if (delimiter !== null && (delimiter.value.length !== 1 || /["\r\n]/.test(delimiter.value))) {
    reader.report(delimiter.at, 'delimiter must be one character, and no quote')
  }
  return {
    delimiter: delimiter?.value ?? ',',
    decimal: reader.oneOf(entries.get('decimal'), ['.', ','] as const) ?? '.',
    encoding: reader.oneOf(entries.get('encoding'), ['utf8', 'latin1'] as const) ?? 'utf8',
  }
}

function readUnpivot(node: Node | undefined, reader: Reader): Unpivot | null {
  if (node === undefined) return null
  const entries = reader.map(node, ['keep', 'name', 'value'])
  const keep = reader.list(entries.get('keep')).map((item) => String(item ?? ''))
  const name = reader.text(entries.get('name'))?.value
  const value = reader.text(entries.get('value'))?.value
  if (keep.length === 0 || name === undefined || value === undefined) {
    reader.report(reader.at(node), 'unpivot needs keep (a list of columns), name and value')
  }
  return { keep, name: name ?? '', value: value ?? '' }
}

function readConstants(node: Node | undefined, reader: Reader): FieldText[] {
  return [...reader.map(node, null)].flatMap(([name, value]) => {
    const scalar = reader.scalar(value)
    if (scalar === undefined) return []
    return [{ ...plainField(name, reader.at(value)), source: { kind: 'const', value: scalar } }]
  })
}

function readFields(node: Node | undefined, reader: Reader): FieldText[] {
  return [...reader.map(node, null)].map(([name, value]) => readField(name, value, reader))
}

function plainField(name: string, at: At): FieldText {
  return {
    name,
    at,
    source: { kind: 'from', parts: [] },
    unit: null,
    formats: [],
    zone: null,
    fold: 'earlier',
    notBefore: null,
    map: null,
    otherwise: undefined,
    keepsUnlisted: false,
    absent: [],
    optional: false,
    keepsWords: false,
  }
}

function readField(name: string, node: Node, reader: Reader): FieldText {
  const at = reader.at(node)
  if (!isMap(node)) {
    const place = reader.text(node)
    return { ...plainField(name, at), source: { kind: 'from', parts: placeParts(place) } }
  }
  const entries = reader.entries(node, FIELD_KEYS)
  const given = SOURCE_KEYS.filter((key) => entries.has(key))
  if (given.length !== 1) {
    reader.report(at, `${name} needs one of ${SOURCE_KEYS.join(', ')}; it has ${given.length}`)
  }
  const formatNode = entries.get('format')
  const otherwise = entries.get('otherwise')
  if (otherwise !== undefined && !entries.has('map')) {
    reader.report(reader.at(otherwise), 'otherwise belongs to a map')
  }
  const unlisted = entries.get('unlisted')
  if (unlisted !== undefined && (otherwise !== undefined || !entries.has('map'))) {
    reader.report(reader.at(unlisted), 'unlisted belongs to a map without otherwise')
  }
  return {
    name,
    at,
    source: readSource(entries, reader),
    unit: readUnit(entries.get('unit'), reader),
    formats: isSeq(formatNode)
      ? reader.items(formatNode).flatMap((item) => reader.text(item) ?? [])
      : [reader.text(formatNode) ?? []].flat(),
    zone: reader.text(entries.get('zone')),
    fold: readFold(entries.get('fold'), reader),
    notBefore: reader.text(entries.get('notBefore')),
    map: readMap(entries.get('map'), reader),
    otherwise: otherwise === undefined ? undefined : reader.scalar(otherwise),
    keepsUnlisted: reader.oneOf(unlisted, ['keep', 'refuse'] as const) === 'keep',
    absent: reader.list(entries.get('absent')),
    optional: reader.boolean(entries.get('optional')),
    keepsWords: reader.oneOf(entries.get('words'), ['keep', 'refuse'] as const) === 'keep',
  }
}

function placeParts(place: Placed<string> | null): FromPart[] {
  return place === null ? [] : [{ kind: 'place', place: place.value }]
}

function readSource(entries: ReadonlyMap<string, Node>, reader: Reader): ValueSource {
  const constant = entries.get('const')
  if (constant !== undefined) return { kind: 'const', value: reader.scalar(constant) ?? null }
  const expression = reader.text(entries.get('cel'))
  if (expression !== null) return { kind: 'cel', expression }
  const pattern = reader.text(entries.get('fileName'))
  if (pattern !== null) return { kind: 'from', parts: [{ kind: 'file-name', pattern }] }
  const from = entries.get('from')
  const nodes = isSeq(from) ? reader.items(from) : from === undefined ? [] : [from]
  return { kind: 'from', parts: nodes.flatMap((node) => readPart(node, reader)) }
}

function readPart(node: Node, reader: Reader): FromPart[] {
  if (!isMap(node)) return placeParts(reader.text(node))
  const pattern = reader.text(reader.entries(node, ['fileName']).get('fileName'))
  return pattern === null ? [] : [{ kind: 'file-name', pattern }]
}

function readUnit(node: Node | undefined, reader: Reader): Placed<UnitName> | null {
  const unit = reader.text(node)
  if (unit === null) return null
  if (isUnitName(unit.value)) return { value: unit.value, at: unit.at }
  reader.report(unit.at, `"${unit.value}" is no unit; there are ${UNIT_NAMES.join(', ')}`)
  return null
}

function readFold(node: Node | undefined, reader: Reader): Fold {
  const fold = reader.text(node)
  if (fold === null) return 'earlier'
  if (isFold(fold.value)) return fold.value
  reader.report(fold.at, `"${fold.value}" must be one of ${FOLDS.join(', ')}`)
  return 'earlier'
}

function isFold(text: string): text is Fold {
  return FOLDS.includes(text)
}

function readMap(node: Node | undefined, reader: Reader): ReadonlyMap<string, Scalar> | null {
  if (node === undefined) return null
  const pairs = [...reader.map(node, null)].map(
    ([key, value]) => [key, reader.scalar(value) ?? null] as const,
  )
  return new Map(pairs)
}

/** Reads nodes and reports what they should have been. */
class Reader {
  readonly report: (at: At, message: string) => void

  constructor(report: (at: At, message: string) => void) {
    this.report = report
  }

  at(node: Node): At {
    return node.range?.[0] ?? 0
  }

  /** The entries of a map; keys beside the known ones are reported. Null: any key will do. */
  entries(map: YAMLMap, known: readonly string[] | null): Map<string, Node> {
    const entries = new Map<string, Node>()
    for (const { key, value } of map.items) {
      if (!isScalar(key)) continue
      const name = String(key.value)
      if (known !== null && !known.includes(name)) {
        this.report(this.at(key), `"${name}" is not known here; there are ${known.join(', ')}`)
      } else if (isNode(value)) {
        entries.set(name, value)
      }
    }
    return entries
  }

  map(node: Node | undefined, known: readonly string[] | null): Map<string, Node> {
    if (node === undefined) return new Map()
    if (isMap(node)) return this.entries(node, known)
    this.report(this.at(node), 'a map is needed here')
    return new Map()
  }

  items(node: Node): Node[] {
    return isSeq(node) ? node.items.filter(isNode) : []
  }

  text(node: Node | undefined): Placed<string> | null {
    if (node === undefined) return null
    const value = this.scalar(node)
    if (value === undefined) return null
    if (value === null || typeof value === 'boolean' || value === '') {
      this.report(this.at(node), 'a text is needed here')
      return null
    }
    return { value: String(value), at: this.at(node) }
  }

  boolean(node: Node | undefined): boolean {
    if (node === undefined) return false
    const value = this.scalar(node)
    if (typeof value !== 'boolean') this.report(this.at(node), 'true or false is needed here')
    return value === true
  }

  oneOf<T extends string>(node: Node | undefined, choices: readonly T[]): T | null {
    const found = this.text(node)
    if (found === null) return null
    const choice = choices.find((candidate) => candidate === found.value)
    if (choice === undefined) {
      this.report(found.at, `"${found.value}" must be one of ${choices.join(' ')}`)
    }
    return choice ?? null
  }

  /** A list of plain values, or one of them alone. */
  list(node: Node | undefined): Scalar[] {
    if (node === undefined) return []
    const nodes = isSeq(node) ? this.items(node) : [node]
    return nodes.flatMap((item) => this.scalar(item) ?? [])
  }

  scalar(node: Node): Scalar | undefined {
    const value: unknown = isScalar(node) ? node.value : undefined
    if (value === null || ['string', 'number', 'boolean'].includes(typeof value)) {
      return value as Scalar
    }
    this.report(this.at(node), 'a text, a number, true, false or null is needed here')
    return undefined
  }
}

function isNode(value: unknown): value is Node {
  return typeof value === 'object' && value !== null && 'range' in value
}
