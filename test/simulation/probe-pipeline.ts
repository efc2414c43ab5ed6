// A small pipeline that uses everything the engine offers: rules with durations and hysteresis, silences in
// two stages, event-time timers, windows of every kind of aggregate, a broadcast, a reference table and
// effects. Domains use parts of it; the engine's tests want all of it at once.

import { type Static, Type } from '@sinclair/typebox'
import { assert } from '../../src/kernel/errors.ts'
import { DAY_MS, MINUTE_MS, SECOND_MS } from '../../src/kernel/time.ts'
import type { RowTable } from '../../src/ports/row-table.ts'
import type { RuleDefinition } from '../../src/rules/definition.ts'
import { copyRuns, openEpisodesOf, type RuleRuns, RuleSet } from '../../src/rules/rule-set.ts'
import type { Episode } from '../../src/streams/episode.ts'
import { compileParser } from '../../src/streams/parse.ts'
import type { KeyContext, Pipeline } from '../../src/streams/pipeline.ts'
import type { StreamEvent, TopicDefinition } from '../../src/streams/topic.ts'
import type { WindowDefinition } from '../../src/streams/windows.ts'

const probeSchema = Type.Object({
  probeId: Type.String({ minLength: 1, maxLength: 100 }),
  recordedAt: Type.Union([Type.String(), Type.Number()]),
  eventId: Type.Optional(Type.String()),
  level: Type.Number({ minimum: -1_000, maximum: 1_000 }),
  side: Type.Optional(Type.String()),
})

export interface Probe extends StreamEvent {
  readonly probeId: string
  readonly level: number
  /** Alerts of one probe are told apart by its sides. */
  readonly side: string | null
}

export const probes: TopicDefinition<Probe> = {
  name: 'probes',
  schema: probeSchema,
  parse: compileParser(probeSchema, (wire: Static<typeof probeSchema>, recordedAtMs) => ({
    probeId: wire.probeId,
    recordedAtMs,
    eventId: wire.eventId ?? null,
    level: wire.level,
    side: wire.side ?? null,
  })),
  keyOf: (event) => event.probeId,
  archive: {
    name: 'probe_event',
    columns: [
      { name: 'probe_id', type: 'text' },
      { name: 'recorded_at', type: 'timestamptz' },
      { name: 'level', type: 'float8' },
      { name: 'side', type: 'text' },
    ],
    entityColumn: 'probe_id',
    recordedAtColumn: 'recorded_at',
    write(row, event) {
      row.text(event.probeId)
      row.timestamp(event.recordedAtMs)
      row.float8(event.level)
      row.text(event.side)
    },
    read: (row) => ({
      probeId: row.text() ?? '',
      recordedAtMs: row.timestamp() ?? 0,
      eventId: null,
      level: row.float8() ?? 0,
      side: row.text(),
    }),
  },
}

export const GAUGES_TABLE = 'gauges'
export const OFFSETS_TOPIC = 'probe-offsets'
export const FIRST_SILENCE_MS = 45 * SECOND_MS
export const SECOND_SILENCE_MS = 75 * SECOND_MS
/** An event at this level or above asks for an effect. */
export const EFFECT_LEVEL = 95
const OVERDUE_MS = 15 * SECOND_MS

const common = {
  version: 1,
  topic: probes.name,
  entityType: 'probe',
  labels: { domain: 'probes' },
  fields: ['level', 'adjusted', 'side'],
  description: '',
} as const

export const probeRules: readonly RuleDefinition[] = [
  {
    ...common,
    name: 'high',
    when: 'derived.adjusted > 60.0',
    resolveWhen: 'derived.adjusted < 50.0',
    severity: 'warning',
    levels: [{ severity: 'critical', when: 'derived.severity == "critical"' }],
    peak: 'derived.adjusted',
    instanceField: 'side',
    summary: 'Level {adjusted}',
  },
  {
    ...common,
    name: 'held',
    when: 'derived.adjusted > 30.0',
    forMs: 8 * SECOND_MS,
    keepFiringForMs: 4 * SECOND_MS,
    severity: 'minor',
    peak: 'derived.adjusted',
    summary: 'Held at {level}',
  },
  {
    ...common,
    name: 'quiet',
    fields: [],
    noDataForMs: FIRST_SILENCE_MS,
    severity: 'major',
    summary: 'Nothing for {silentForS} s',
  },
  {
    ...common,
    name: 'lost',
    fields: [],
    noDataForMs: SECOND_SILENCE_MS,
    severity: 'critical',
    summary: 'Nothing for {silentForS} s',
  },
]

const ruleSet = new RuleSet(probeRules, {
  event: { probeId: 'text', recordedAtMs: 'number', level: 'number', side: 'text' },
  derived: { adjusted: 'number', severity: 'text' },
}).checked()

/** What one probe measured in one span of time. */
export interface ProbeSpan {
  readonly probeId: string
  readonly startsAtMs: number
  readonly events: number
  readonly sum: number
}

const SPAN_MS = 20 * SECOND_MS

export const spanTable: RowTable<ProbeSpan> = {
  name: 'probe_span',
  columns: [
    { name: 'probe_id', type: 'text' },
    { name: 'starts_at', type: 'timestamptz' },
    { name: 'events', type: 'int4' },
    { name: 'sum', type: 'float8' },
  ],
  keyColumns: 2,
  write(row, span) {
    row.text(span.probeId)
    row.timestamp(span.startsAtMs)
    row.int4(span.events)
    row.float8(span.sum)
  },
}

export interface ProbeState {
  events: number
  sum: number
  last: number | null
  timers: number
  overdue: Episode | null
  span: ProbeSpan | null
  runs: RuleRuns
}

function probeWindow(
  name: string,
  spans: Pick<WindowDefinition<Probe>, 'sizeMs' | 'slideMs'>,
): WindowDefinition<Probe> {
  return {
    name,
    ...spans,
    allowanceMs: 30 * SECOND_MS,
    amendableForMs: 5 * MINUTE_MS,
    group: (event) => (event.level < 0 ? 'negative' : 'positive'),
    values: {
      events: { kind: 'count' },
      total: { kind: 'sum', value: (event) => event.level },
      lowest: { kind: 'minimum', value: (event) => event.level },
      highest: { kind: 'maximum', value: (event) => event.level },
      probes: { kind: 'distinct-keys' },
      sides: { kind: 'keys-by-label', label: (event) => event.side },
    },
  }
}

/** Both tables are numbers by probe; `all` stands for every probe. */
function numberFor(table: unknown, key: string, otherwise: number): number {
  if (typeof table !== 'object' || table === null) return otherwise
  const found: unknown = Reflect.get(table, key) ?? Reflect.get(table, 'all')
  return typeof found === 'number' ? found : otherwise
}

export interface ProbeParts {
  readonly broadcast: boolean
}

const EVERY_PROBE: readonly string[] = ['all']
const NO_PROBES: readonly string[] = []

/** The last level is judged once more, under what the broadcast says now. */
function judgeAgain(state: ProbeState, context: KeyContext): void {
  if (state.last === null) return
  const factor = numberFor(context.reference(GAUGES_TABLE), context.key, 1)
  const shift = numberFor(context.broadcast(OFFSETS_TOPIC), context.key, 0)
  const adjusted = state.last * factor + shift
  const event = {
    probeId: context.key,
    recordedAtMs: context.eventTimeMs,
    eventId: null,
    level: state.last,
    side: null,
  }
  state.sum = Math.round((state.sum + adjusted) * 1_000) / 1_000
  const severity = adjusted > 85 ? 'critical' : null
  ruleSet.onEvent(state.runs, { event, derived: { adjusted, severity } }, context)
}

/** Without the broadcast, results depend on nothing but the events, the reference table and ticks. */
export function probePipeline({ broadcast }: ProbeParts): Pipeline<Probe, ProbeState> {
  return {
    name: 'probes',
    topic: probes,
    stateFormat: 1,
    forgetAfterMs: DAY_MS,
    newState: () => ({
      events: 0,
      sum: 0,
      last: null,
      timers: 0,
      overdue: null,
      span: null,
      runs: [],
    }),
    copyState: (state, spare) =>
      Object.assign(spare ?? {}, {
        ...state,
        overdue: state.overdue === null ? null : { ...state.overdue },
        runs: copyRuns(state.runs),
      }),
    onEvent(state, event, context) {
      const previous = context.previous()?.level ?? null
      assert(previous === state.last, `The event before had ${state.last}, not ${previous}.`)
      const factor = numberFor(context.reference(GAUGES_TABLE), event.probeId, 1)
      const shift = numberFor(broadcast ? context.broadcast(OFFSETS_TOPIC) : null, event.probeId, 0)
      const adjusted = event.level * factor + shift
      state.events++
      state.sum = Math.round((state.sum + adjusted) * 1_000) / 1_000
      state.last = event.level
      addToSpan(state, adjusted, context)
      if (state.overdue !== null && event.level >= 0) {
        state.overdue.status = 'resolved'
        state.overdue.endsAtMs = context.eventTimeMs
        state.overdue.updatedAtMs = context.eventTimeMs
        context.publishEpisode(state.overdue)
        state.overdue = null
      }
      if (event.level < 0) context.setTimer('overdue', context.eventTimeMs + OVERDUE_MS)
      else context.clearTimer('overdue')
      context.setTimer('beat', context.eventTimeMs + 5 * SECOND_MS)
      const severity = adjusted > 85 ? 'critical' : null
      ruleSet.onEvent(state.runs, { event, derived: { adjusted, severity } }, context)
      if (event.level >= EFFECT_LEVEL) context.effect('notify', { level: event.level })
    },
    onTimer(state, timer, context) {
      state.timers++
      if (timer !== 'overdue' || state.overdue !== null) return
      state.overdue = overdueEpisode(context.key, context.eventTimeMs)
      context.openEpisode(state.overdue)
    },
    openEpisodes: (state) => [
      ...openEpisodesOf(state.runs),
      ...(state.overdue === null ? [] : [state.overdue]),
    ],
    silences: ruleSet.silences<ProbeState>((state) => ({ last: String(state.last) })),
    windows: [
      probeWindow('probe-minute', { sizeMs: MINUTE_MS, slideMs: MINUTE_MS }),
      probeWindow('probe-sliding', { sizeMs: 90 * SECOND_MS, slideMs: 30 * SECOND_MS }),
    ],
    broadcasts: broadcast
      ? [
          {
            topic: OFFSETS_TOPIC,
            empty: () => ({}),
            apply: (table, { key, value }) =>
              typeof value === 'number' ? { ...(table as object), [key]: value } : table,
            listeners: {
              subjects: ({ last }) => (last === null ? NO_PROBES : EVERY_PROBE),
              onRecord: (state, _record, context) => judgeAgain(state, context),
            },
          },
        ]
      : [],
    rows: {
      tables: [spanTable],
      open(state, _key, put) {
        if (state.span !== null) put(spanTable, state.span)
      },
    },
    view: {
      name: 'probes',
      document: (state, key, facts) => ({
        key,
        events: state.events,
        last: state.last,
        open: facts.open.map(({ id }) => id).sort(),
      }),
    },
  }
}

/** A span begins with its first event, which need not be at its very start: out of order, another one is. */
function addToSpan(state: ProbeState, adjusted: number, context: KeyContext): void {
  const { eventTimeMs, key } = context
  const { span } = state
  if (span !== null && eventTimeMs < span.startsAtMs + SPAN_MS) {
    const sum = Math.round((span.sum + adjusted) * 1_000) / 1_000
    state.span = { ...span, events: span.events + 1, sum }
    return
  }
  if (span !== null) context.put(spanTable, span)
  state.span = { probeId: key, startsAtMs: eventTimeMs, events: 1, sum: adjusted }
  context.put(spanTable, state.span)
}

function overdueEpisode(entityId: string, atMs: number): Episode {
  return {
    id: '',
    rule: 'overdue',
    ruleVersion: 1,
    entityType: 'probe',
    entityId,
    instance: '',
    status: 'firing',
    severity: 'info',
    startsAtMs: atMs,
    endsAtMs: null,
    updatedAtMs: atMs,
    summary: 'Nothing followed',
    labels: {},
    value: {},
    peak: {},
    peakScore: 0,
    count: 1,
    openedBy: 0,
    closedBy: null,
  }
}
