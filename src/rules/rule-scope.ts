// What of an event rules look at. Live rules come and go, so a pipeline works out everything it knows; over
// history it is known beforehand which rules run, and the rest is neither read nor computed.

import { type RuleDefinition, templateFields } from './definition.ts'
import { ROOTS, type Root, type RuleVocabulary, rootsShowing } from './field-table.ts'

export interface RuleScope {
  /** Nothing but alerts is wanted: what a pipeline does beside its rules may be left out. */
  readonly alertsOnly: boolean
  /** Whether a rule may look at any of these fields. */
  looksAt(root: Root, names: readonly string[]): boolean
  /** Names of the event's own fields that have to be there; null: all. */
  readonly eventFields: readonly string[] | null
}

/**
 * Event fields that something beside the event is worked out of: what a root holds, labels of alerts about
 * silence, and what decides, whatever the rules look at, whether and when they are told of an event.
 */
export type FieldOrigins = Readonly<
  Partial<Record<Exclude<Root, 'event' | 'last'> | 'silence' | 'always', readonly string[]>>
>

export const EVERYTHING: RuleScope = {
  alertsOnly: false,
  looksAt: () => true,
  eventFields: null,
}

export interface ScopedRules {
  readonly definitions: readonly RuleDefinition[]
  /** Fields that their conditions name, such as `event.speedKmh`. */
  readonly conditionFields: readonly string[]
  readonly vocabulary: RuleVocabulary
  /** Absent where the domain does not say: then the whole event is read. */
  readonly origins: FieldOrigins | undefined
  /** Rules may watch for silence, though none of these does. */
  readonly maySilence: boolean
}

/** The scope of rules that do not change, where alerts are all that is wanted. */
export function scopeOf({
  definitions,
  conditionFields,
  vocabulary,
  origins,
  maySilence,
}: ScopedRules): RuleScope {
  const fields = new Set(conditionFields)
  for (const definition of definitions) {
    for (const name of shownBy(definition)) {
      for (const root of rootsShowing(vocabulary, name))
        fields.add(`${root}.${name.slice(name.indexOf('.') + 1)}`)
    }
  }
  const silent = maySilence || definitions.some(({ noDataForMs }) => noDataForMs !== undefined)
  return {
    alertsOnly: true,
    looksAt: (root, names) => names.some((name) => fields.has(`${root}.${name}`)),
    eventFields: origins === undefined ? null : eventFieldsOf(fields, origins, silent),
  }
}

function shownBy({ fields, summary, labels, instanceField }: RuleDefinition): readonly string[] {
  return [
    ...fields,
    ...templateFields(summary),
    ...Object.values(labels).flatMap(templateFields),
    ...(instanceField === undefined ? [] : [instanceField]),
  ]
}

function eventFieldsOf(
  fields: ReadonlySet<string>,
  origins: FieldOrigins,
  silent: boolean,
): readonly string[] {
  // Alerts about silence take labels of the last event, which rules do not name.
  const needed = new Set([...(origins.always ?? []), ...(silent ? (origins.silence ?? []) : [])])
  for (const field of fields) {
    const dot = field.indexOf('.')
    const root = ROOTS.find((each) => each === field.slice(0, dot))
    if (root === 'event' || root === 'last') needed.add(field.slice(dot + 1))
    else if (root !== undefined) for (const origin of origins[root] ?? []) needed.add(origin)
  }
  return [...needed]
}
