// A rule as people write it. The schema below is published as JSON schema, and checks files and requests.

import { type Static, Type } from '@sinclair/typebox'
import { TypeCompiler } from '@sinclair/typebox/compiler'
import { type DurationMs, parseDuration } from '../kernel/time.ts'
import { MAX_CONDITION_LENGTH } from './condition.ts'
import type { RuleDefinition } from './definition.ts'
import { SEVERITIES } from './definition.ts'
import { DAYS } from './schedule.ts'

/** Events that a rule counts within its span, at most: each is remembered for every entity. */
export const MAX_COUNT = 100
export const MAX_CASES = 100
export const MAX_CASE_EVENTS = 1_000

const strict = { additionalProperties: false }
export const SPAN = '^\\d+(\\.\\d+)?(ms|s|m|h|d)$'
export const RULE_NAME = '^[a-z][a-z0-9-]{0,62}$'
const HOURS = '^([01]\\d|2[0-3]):[0-5]\\d-(([01]\\d|2[0-3]):[0-5]\\d|24:00)$'

const span = (description: string) => Type.String({ pattern: SPAN, description })
const condition = (description: string) =>
  Type.String({ minLength: 1, maxLength: MAX_CONDITION_LENGTH, description })
const severityName = Type.Union([
  Type.Literal('critical'),
  Type.Literal('major'),
  Type.Literal('minor'),
  Type.Literal('warning'),
  Type.Literal('info'),
])

const severitySchema = Type.Union(
  [
    severityName,
    Type.Object(
      {
        default: severityName,
        critical: Type.Optional(condition('When it is critical')),
        major: Type.Optional(condition('When it is major')),
        minor: Type.Optional(condition('When it is minor')),
        warning: Type.Optional(condition('When it is a warning')),
        info: Type.Optional(condition('When it is for information')),
      },
      strict,
    ),
  ],
  { description: 'One severity, or several with their conditions: the worst that holds counts' },
)

const scheduleSchema = Type.Object(
  {
    days: Type.Optional(
      Type.Array(Type.Union(DAYS.map((day) => Type.Literal(day))), {
        minItems: 1,
        maxItems: 7,
        description: 'Default: every day',
      }),
    ),
    hours: Type.Optional(
      Type.Union(
        [
          Type.String({ pattern: HOURS }),
          Type.Array(Type.String({ pattern: HOURS }), { minItems: 1, maxItems: 10 }),
        ],
        {
          description: 'Such as 08:00-18:00; 22:00-06:00 runs into the next day. Default: all day',
        },
      ),
    ),
    zone: Type.String({ minLength: 1, maxLength: 64, description: 'Such as Africa/Nairobi' }),
  },
  { ...strict, description: 'Outside of it the condition counts as not holding' },
)

const expectedSchema = Type.Object(
  {
    entity: Type.Optional(Type.String()),
    status: Type.Optional(Type.Union([Type.Literal('firing'), Type.Literal('resolved')])),
    severity: Type.Optional(severityName),
    startsAt: Type.Optional(span('From the first moment of the case')),
    endsAt: Type.Optional(span('From the first moment of the case')),
    count: Type.Optional(Type.Integer({ minimum: 1 })),
    summary: Type.Optional(Type.String()),
    labels: Type.Optional(Type.Record(Type.String(), Type.String())),
  },
  strict,
)

const caseSchema = Type.Object(
  {
    name: Type.String({ minLength: 1, maxLength: 200 }),
    startsAt: Type.Optional(
      Type.String({ description: 'ISO 8601 with offset, for schedules', maxLength: 40 }),
    ),
    events: Type.Array(
      Type.Intersect(
        [
          Type.Object({ at: span('From the first moment of the case') }),
          Type.Record(Type.String(), Type.Unknown()),
        ],
        { description: 'The event as it is sent; key and recordedAt may be left out' },
      ),
      { minItems: 1, maxItems: MAX_CASE_EVENTS },
    ),
    until: Type.Optional(span('How long time goes on, for rules about silence')),
    alerts: Type.Array(expectedSchema, {
      maxItems: MAX_CASE_EVENTS,
      description: 'All alerts that come of it, by their start; what is not named may be anything',
    }),
  },
  strict,
)

export const ruleDocumentSchema = Type.Object(
  {
    name: Type.String({ pattern: RULE_NAME }),
    topic: Type.String({ minLength: 1, description: 'Whose events it looks at' }),
    description: Type.Optional(Type.String({ maxLength: 2_000 })),
    entityType: Type.Optional(
      Type.String({ minLength: 1, maxLength: 50, description: "Default: the topic's own" }),
    ),
    when: Type.Optional(condition('CEL that holds while there is something to warn of')),
    for: Type.Optional(span('It must hold for so long')),
    count: Type.Optional(
      Type.Integer({
        minimum: 2,
        maximum: MAX_COUNT,
        description: 'It must hold on so many events',
      }),
    ),
    within: Type.Optional(span('… within this span')),
    resolveWhen: Type.Optional(condition('CEL that ends it; default: when no longer holds')),
    endWhen: Type.Optional(
      condition('CEL that ends it even while when holds, such as for what is finished'),
    ),
    keepFiringFor: Type.Optional(span('The end must have lasted for so long')),
    noDataFor: Type.Optional(span('Fires where an entity sends nothing for so long')),
    severity: severitySchema,
    peak: Type.Optional(condition('Expression for a number; the largest one is the peak')),
    fields: Type.Optional(
      Type.Array(Type.String({ maxLength: 100 }), {
        maxItems: 50,
        description: 'Fields that the alert shows',
      }),
    ),
    instanceField: Type.Optional(
      Type.String({ description: 'Field that tells alerts of one entity apart', maxLength: 100 }),
    ),
    labels: Type.Optional(
      Type.Record(Type.String({ maxLength: 63 }), Type.String({ maxLength: 200 })),
    ),
    summary: Type.String({ minLength: 1, maxLength: 500, description: 'Text with {field} in it' }),
    schedule: Type.Optional(scheduleSchema),
    disabled: Type.Optional(Type.Boolean({ description: 'Switched off, but kept' })),
    cases: Type.Optional(Type.Array(caseSchema, { maxItems: MAX_CASES })),
  },
  { ...strict, $id: 'Rule', title: 'Rule' },
)

export type RuleDocument = Static<typeof ruleDocumentSchema>
export type RuleCase = Static<typeof caseSchema>
export type ExpectedAlert = Static<typeof expectedSchema>

/** Switches a rule off that is defined elsewhere. */
export const switchSchema = Type.Object(
  { name: Type.String({ pattern: RULE_NAME }), disabled: Type.Literal(true) },
  strict,
)

export const ruleDocumentCheck = TypeCompiler.Compile(ruleDocumentSchema)
export const switchCheck = TypeCompiler.Compile(switchSchema)

/** What the engine runs. The document fits the schema. */
export function definitionOf(
  document: RuleDocument,
  { version, entityType }: { readonly version: number; readonly entityType: string },
): RuleDefinition {
  const { when, resolveWhen, endWhen, peak, instanceField, count, schedule, severity } = document
  const levels =
    typeof severity === 'string'
      ? []
      : SEVERITIES.toReversed().flatMap((each) => {
          const holds = severity[each]
          return holds === undefined ? [] : [{ severity: each, when: holds }]
        })
  const hours = schedule?.hours ?? ['00:00-24:00']
  return {
    name: document.name,
    version,
    topic: document.topic,
    entityType: document.entityType ?? entityType,
    severity: typeof severity === 'string' ? severity : severity.default,
    fields: document.fields ?? [],
    labels: document.labels ?? {},
    summary: document.summary,
    description: document.description ?? '',
    ...(when === undefined ? {} : { when }),
    ...(resolveWhen === undefined ? {} : { resolveWhen }),
    ...(endWhen === undefined ? {} : { endWhen }),
    ...(peak === undefined ? {} : { peak }),
    ...(instanceField === undefined ? {} : { instanceField }),
    ...(count === undefined ? {} : { count }),
    ...(levels.length === 0 ? {} : { levels }),
    ...spanOf('forMs', document.for),
    ...spanOf('withinMs', document.within),
    ...spanOf('keepFiringForMs', document.keepFiringFor),
    ...spanOf('noDataForMs', document.noDataFor),
    ...(schedule === undefined
      ? {}
      : {
          schedule: {
            days: schedule.days ?? DAYS,
            hours: typeof hours === 'string' ? [hours] : hours,
            zone: schedule.zone,
          },
        }),
  }
}

function spanOf<K extends string>(
  name: K,
  text: string | undefined,
): { readonly [P in K]?: DurationMs } {
  const spanMs = text === undefined ? undefined : parseDuration(text)
  return spanMs === undefined ? {} : ({ [name]: spanMs } as { [P in K]: DurationMs })
}
