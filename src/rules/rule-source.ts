// Where a pipeline's rules come from: the versions in force, which reach every task as a reference table and
// so apply at a batch boundary and stand in its journal; or a fixed set, for trying rules over history.

import { Kind, type TSchema } from '@sinclair/typebox'
import type { ArchiveLayout } from '../ports/archive.ts'
import { type KeyContext, type PipelineRules, RULE_TABLE_PREFIX } from '../streams/pipeline.ts'
import type { StreamEvent, TopicDefinition } from '../streams/topic.ts'
import type { RuleDefinition } from './definition.ts'
import type { FieldKind, Fields, RuleVocabulary } from './field-table.ts'
import { definitionOf, type RuleDocument, ruleDocumentCheck } from './rule-document.ts'
import { EVERYTHING, type FieldOrigins, type RuleScope, scopeOf } from './rule-scope.ts'
import { type RuleFailure, type RuleRuns, RuleSet, type RuleTrace } from './rule-set.ts'

/** A topic as rules meet it. */
export interface RuleTopic {
  readonly topic: Pick<TopicDefinition<StreamEvent>, 'name'> & { readonly schema: TSchema }
  /** What its key names, such as `truck`. */
  readonly entityType: string
  readonly vocabulary: RuleVocabulary
  /** Event fields behind what is not of the event itself; absent where it is not said. */
  readonly origins?: FieldOrigins
  /** The rules that come with the program. */
  readonly documents: readonly RuleDocument[]
}

/** One rule of a rule table. */
export interface RuleEntry {
  readonly version: number
  /** `built-in`, `api`, or the file that it came from. */
  readonly source: string
  readonly document: RuleDocument
}

/** Content of a rule table. */
export interface RuleTable {
  readonly rules: readonly RuleEntry[]
}

/** Reference table with the rules of a topic. */
export function ruleTableOf(topic: string): string {
  return `${RULE_TABLE_PREFIX}${topic}`
}

export function isRuleTable(name: string): boolean {
  return name.startsWith(RULE_TABLE_PREFIX)
}

export interface RuleSource {
  /** Reference table that the rules come from; null where they are fixed. */
  readonly table: string | null
  readonly scope: RuleScope
  /** Rules in force for the event. */
  at(context: Pick<KeyContext, 'reference'>): RuleSet
  ofTable(content: unknown): RuleSet
  takeFailures(): readonly RuleFailure[]
}

export function builtInDefinitions(topic: RuleTopic): readonly RuleDefinition[] {
  return topic.documents
    .filter(({ disabled }) => disabled !== true)
    .map((document) => definitionOf(document, { version: 1, entityType: topic.entityType }))
}

/** Rules as the table says; the built-in ones where there is no table. */
export function liveRules(topic: RuleTopic): RuleSource {
  const builtIn = new RuleSet(builtInDefinitions(topic), topic.vocabulary).checked()
  const sets = new WeakMap<object, RuleSet>()
  const table = ruleTableOf(topic.topic.name)
  const failures: RuleFailure[] = []
  let content: unknown
  let current = builtIn
  const ofTable = (next: unknown): RuleSet => {
    if (typeof next !== 'object' || next === null) return builtIn
    let set = sets.get(next)
    if (set === undefined) {
      set = new RuleSet(definitionsIn(next, topic), topic.vocabulary)
      sets.set(next, set)
    }
    return set
  }
  return {
    table,
    scope: EVERYTHING,
    at(context) {
      const found = context.reference(table)
      if (found === content) return current
      failures.push(...current.takeFailures())
      content = found
      current = ofTable(found)
      return current
    },
    ofTable,
    takeFailures: () => [...failures.splice(0), ...current.takeFailures()],
  }
}

/**
 * The same over history, where alerts are all that is wanted: `tables` are all contents that the rule table
 * ever had, so that nothing is read that no rule ever looked at.
 */
export function recordedRules(topic: RuleTopic, tables: readonly object[]): RuleSource {
  const { vocabulary, origins } = topic
  const everInForce = new Map(
    tables
      .flatMap(entriesIn)
      .map((entry) => [`${entry.document.name} ${entry.version}`, entry] as const),
  )
  const set = new RuleSet(
    [
      ...builtInDefinitions(topic),
      ...definitionsIn({ rules: [...everInForce.values()] } satisfies RuleTable, topic),
    ],
    vocabulary,
  )
  const { definitions, conditionFields } = set
  // A table may be put in force while history is run: its silences begin where history ends.
  const scope = scopeOf({ definitions, conditionFields, vocabulary, origins, maySilence: true })
  return { ...liveRules(topic), scope }
}

export function fixedRules(topic: RuleTopic, definitions: readonly RuleDefinition[]): RuleSource {
  const set = new RuleSet(definitions, topic.vocabulary).checked()
  return { ...fixedSource(set), scope: EVERYTHING }
}

/** Rules that are tried over history, for the sake of their alerts alone. */
export function triedRules(
  topic: RuleTopic,
  definitions: readonly RuleDefinition[],
  trace: RuleTrace | null,
): RuleSource {
  const { vocabulary, origins } = topic
  const set = new RuleSet(definitions, vocabulary, trace).checked()
  const { conditionFields } = set
  return {
    ...fixedSource(set),
    scope: scopeOf({ definitions, conditionFields, vocabulary, origins, maySilence: false }),
  }
}

function fixedSource(set: RuleSet): Omit<RuleSource, 'scope'> {
  return { table: null, at: () => set, ofTable: () => set, takeFailures: () => set.takeFailures() }
}

/** What the content of a rule table says; what does not fit is left out. */
export function definitionsIn(content: object, topic: RuleTopic): readonly RuleDefinition[] {
  return entriesIn(content)
    .filter(({ document }) => document.disabled !== true)
    .map(({ version, document }) =>
      definitionOf(document, { version, entityType: topic.entityType }),
    )
}

export function entriesIn(content: unknown): readonly RuleEntry[] {
  const rules: unknown = Reflect.get(Object(content), 'rules')
  return Array.isArray(rules) ? rules.filter(isEntry) : []
}

function isEntry(value: unknown): value is RuleEntry {
  const { version, source, document } = Object(value)
  return (
    typeof version === 'number' && typeof source === 'string' && ruleDocumentCheck.Check(document)
  )
}

/** What the engine needs of a pipeline's rules beside their being told of events. */
export function pipelineRules<S>(
  source: RuleSource,
  of: {
    runs(state: S): RuleRuns
    /** Labels of alerts about silence, such as the shipment. */
    silenceLabels?(state: Readonly<S>): Readonly<Record<string, string>>
  },
): PipelineRules<S> {
  const labelsOf = (state: Readonly<S>) => of.silenceLabels?.(state) ?? {}
  return {
    table: source.table,
    silences: (content) => source.ofTable(content).silences<S>(labelsOf),
    pending(state, content) {
      const runs = of.runs(state)
      return runs.some(({ episode }) => episode === null)
        ? source.ofTable(content).pending(runs)
        : []
    },
    changed(state, context) {
      const runs = of.runs(state)
      if (runs.length > 0) source.at(context).dropGone(runs, context)
    },
    takeFailures: () => source.takeFailures(),
  }
}

/** The columns of the archive that a pipeline needs with these rules; nothing where it needs all. */
export function archiveColumnsFor(
  { scope: { eventFields: fields } }: RuleSource,
  archive: ArchiveLayout,
): { readonly archiveColumns?: readonly string[] } {
  if (fields === null) return {}
  const names = new Set(archive.columns.map(({ name }) => name))
  const columns = fields.map(columnOf)
  // A field that is not where its name says could be made of any column.
  if (columns.some((name) => !names.has(name))) return {}
  return { archiveColumns: [archive.entityColumn, archive.recordedAtColumn, ...columns] }
}

/** Columns have the names of the fields, in small letters: `speedKmh` stands in `speed_kmh`. */
function columnOf(field: string): string {
  const name = field === 'recordedAtMs' ? 'recordedAt' : field
  return name.replaceAll(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`)
}

/** The fields that a topic's events have as the engine holds them: plain ones of its schema, and the time. */
export function eventFields(schema: TSchema): Fields {
  const fields: Record<string, FieldKind> = {}
  const properties: unknown = schema.properties
  for (const [name, property] of Object.entries(Object(properties))) {
    const kind = kindOf(property)
    if (name === 'recordedAt') fields.recordedAtMs = 'number'
    else if (kind !== undefined) fields[name] = kind
  }
  return fields
}

function kindOf(property: unknown): FieldKind | undefined {
  const schema = Object(property)
  switch (schema[Kind]) {
    case 'Number':
    case 'Integer':
      return 'number'
    case 'Boolean':
      return 'flag'
    case 'String':
      return 'text'
    case 'Literal':
      return typeof schema.const === 'string' ? 'text' : undefined
    case 'Union':
      return Array.isArray(schema.anyOf) &&
        schema.anyOf.every((each: unknown) => kindOf(each) === 'text')
        ? 'text'
        : undefined
    default:
      return undefined
  }
}
