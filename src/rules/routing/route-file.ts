// The routing document: YAML or JSON, checked as a whole. Every problem is said with its line and column, and
// one that has any never comes into force.

import { type Static, type TSchema, Type } from '@sinclair/typebox'
import { TypeCompiler } from '@sinclair/typebox/compiler'
import { type Document, isNode, LineCounter, parseDocument } from 'yaml'
import { failed, ok, type Result } from '../../kernel/result.ts'
import { type DurationMs, MINUTE_MS, parseDuration, SECOND_MS } from '../../kernel/time.ts'
import {
  compileTimes,
  DAYS,
  type Day,
  type IsWithin,
  isTimeZone,
  minuteOf,
  type WeekTime,
} from '../schedule.ts'
import { MAX_MATCHERS, type Matcher, matcherText, parseMatcher } from './matcher.ts'
import type { EscalationStep, Inhibition, Receiver, Route, RouteTable } from './route-table.ts'

export const MAX_ROUTING_CHARACTERS = 256 * 1024
export const MAX_ROUTES = 500
export const MAX_ROUTE_DEPTH = 10
const MAX_LIST = 100
const MAX_PROBLEMS = 20

export const DEFAULT_GROUP_WAIT_MS: DurationMs = 30 * SECOND_MS
export const DEFAULT_GROUP_INTERVAL_MS: DurationMs = 5 * MINUTE_MS
export const DEFAULT_REPEAT_INTERVAL_MS: DurationMs = 240 * MINUTE_MS

const strict = { additionalProperties: false }
const name = Type.String({ pattern: '^[A-Za-z0-9][A-Za-z0-9_.:@-]{0,99}$' })
const span = Type.String({ pattern: '^\\d{1,6}(\\.\\d{1,3})?(ms|s|m|h|d)$' })
const matchers = Type.Array(Type.String({ minLength: 1 }), { maxItems: MAX_MATCHERS })
const labelNames = Type.Array(Type.String({ minLength: 1, maxLength: 100 }), { maxItems: 20 })
const list = <T extends TSchema>(item: T) => Type.Array(item, { maxItems: MAX_LIST })

const routeSchema = Type.Recursive((self) =>
  Type.Object(
    {
      receiver: Type.Optional(name),
      matchers: Type.Optional(matchers),
      groupBy: Type.Optional(labelNames),
      groupWait: Type.Optional(span),
      groupInterval: Type.Optional(span),
      repeatInterval: Type.Optional(span),
      continue: Type.Optional(Type.Boolean()),
      muteDuring: Type.Optional(list(name)),
      activeDuring: Type.Optional(list(name)),
      escalate: Type.Optional(
        Type.Array(Type.Object({ after: span, receiver: name }, strict), { maxItems: 10 }),
      ),
      routes: Type.Optional(list(self)),
    },
    strict,
  ),
)

export const routingSchema = Type.Object(
  {
    receivers: list(
      Type.Object(
        { name, channels: list(name), sendResolved: Type.Optional(Type.Boolean()) },
        strict,
      ),
    ),
    route: routeSchema,
    inhibit: Type.Optional(
      list(
        Type.Object(
          { source: matchers, target: matchers, equal: Type.Optional(labelNames) },
          strict,
        ),
      ),
    ),
    schedules: Type.Optional(
      list(
        Type.Object(
          {
            name,
            zone: Type.String({ minLength: 1, maxLength: 100 }),
            times: list(
              Type.Object(
                {
                  days: Type.Optional(Type.Array(Type.Union(DAYS.map((day) => Type.Literal(day))))),
                  from: Type.String({ pattern: '^\\d{2}:\\d{2}$' }),
                  to: Type.String({ pattern: '^\\d{2}:\\d{2}$' }),
                },
                strict,
              ),
            ),
          },
          strict,
        ),
      ),
    ),
  },
  strict,
)

type RoutingDocument = Static<typeof routingSchema>
type RouteDocument = Static<typeof routeSchema>

export interface RoutingProblem {
  /** Both count from 1. */
  readonly line: number
  readonly column: number
  /** Where in the document, such as `route.routes.0.matchers.1`. */
  readonly path: string
  readonly message: string
}

const check = TypeCompiler.Compile(routingSchema)

export function parseRouting(text: string): Result<RouteTable, readonly RoutingProblem[]> {
  const lines = new LineCounter()
  const at = (offset: number, path: string, message: string): RoutingProblem => {
    const { line, col } = lines.linePos(offset)
    return { line: Math.max(1, line), column: Math.max(1, col), path, message }
  }
  if (text.length > MAX_ROUTING_CHARACTERS) {
    return failed([at(0, '', `has more than ${MAX_ROUTING_CHARACTERS} characters`)])
  }
  const document = parseDocument(text, { lineCounter: lines, prettyErrors: false })
  if (document.errors.length > 0) {
    return failed(
      document.errors.map(({ pos, message }) => at(pos[0], '', `is not YAML: ${message}`)),
    )
  }
  const value = plain(document)
  if (!value.ok) return failed([at(0, '', value.error)])
  const problems: RoutingProblem[] = []
  const say = (path: readonly (string | number)[], message: string): void => {
    if (problems.length < MAX_PROBLEMS)
      problems.push(at(offsetOf(document, path), path.join('.'), message))
  }
  if (!check.Check(value.value)) {
    const told = new Set<string>()
    for (const { path, schema, value: found, message } of check.Errors(value.value)) {
      if (told.has(path)) continue
      told.add(path)
      say(pathOf(path), describe(schema, found, message))
      if (told.size === MAX_PROBLEMS) break
    }
    return failed(problems)
  }
  const table = compile(value.value, say)
  return problems.length > 0 ? failed(problems) : ok(table)
}

export function problemText({ line, column, path, message }: RoutingProblem): string {
  return `line ${line}, column ${column}: ${path === '' ? '' : `${path} `}${message}`
}

function plain(document: Document): Result<unknown, string> {
  try {
    return ok(document.toJS({ maxAliasCount: 100 }) as unknown)
  } catch (error) {
    // Such as aliases of aliases that would grow without end.
    return failed(`cannot be read: ${error instanceof Error ? error.message : error}`)
  }
}

/** Of the value itself, or of the nearest thing around it that is there. */
function offsetOf(document: Document, path: readonly (string | number)[]): number {
  for (let length = path.length; length > 0; length -= 1) {
    const node = document.getIn(path.slice(0, length), true)
    if (isNode(node) && node.range) return node.range[0]
  }
  return document.contents?.range?.[0] ?? 0
}

function pathOf(pointer: string): (string | number)[] {
  return pointer
    .split('/')
    .slice(1)
    .map((part) => (/^\d+$/.test(part) ? Number(part) : part))
}

function describe(schema: TSchema, found: unknown, message: string): string {
  if (message === 'Unexpected property') return 'is not known here'
  if (found === undefined) return 'is missing'
  if (schema.pattern === span.pattern) return 'must be a span such as 30s, 5m or 4h'
  if (schema.pattern === name.pattern) return 'must be a name of letters, digits and _ . : @ -'
  if (Array.isArray(schema.anyOf)) return `must be one of ${DAYS.join(', ')}`
  if (typeof schema.pattern === 'string') return 'must be a time of day such as 08:30'
  return message.charAt(0).toLowerCase() + message.slice(1)
}

type Say = (path: readonly (string | number)[], message: string) => void

interface Names {
  readonly receivers: ReadonlyMap<string, Receiver>
  readonly schedules: ReadonlyMap<string, IsWithin>
  readonly paths: Set<string>
}

function compile(document: RoutingDocument, say: Say): RouteTable {
  const names: Names = {
    receivers: receiversOf(document, say),
    schedules: schedulesOf(document, say),
    paths: new Set(),
  }
  const { route } = document
  if (route.receiver === undefined) say(['route', 'receiver'], 'is missing: the root needs one')
  if ((route.matchers ?? []).length > 0)
    say(['route', 'matchers'], 'are not for the root: it takes everything')
  if (route.continue === true) say(['route', 'continue'], 'means nothing at the root')
  const nobody: Receiver = { name: '', channels: [], sendResolved: false }
  const top: Route = {
    path: '',
    receiver: nobody,
    matchers: [],
    groupBy: ['rule'],
    groupWaitMs: DEFAULT_GROUP_WAIT_MS,
    groupIntervalMs: DEFAULT_GROUP_INTERVAL_MS,
    repeatIntervalMs: DEFAULT_REPEAT_INTERVAL_MS,
    continues: false,
    muteDuring: [],
    activeDuring: [],
    escalate: [],
    routes: [],
  }
  const root = routeOf(route, top, { at: ['route'], names, say })
  if (names.paths.size > MAX_ROUTES) say(['route'], `has more than ${MAX_ROUTES} routes`)
  return { root, inhibitions: inhibitionsOf(document, say) }
}

interface Place {
  readonly at: readonly (string | number)[]
  readonly names: Names
  readonly say: Say
}

/** What a route does not say it has from its parent; schedules are its own. */
function routeOf(document: RouteDocument, parent: Route, place: Place): Route {
  const { at, names, say } = place
  const compiled = matchersOf(document.matchers ?? [], [...at, 'matchers'], say)
  const path = uniquePath(names.paths, `${parent.path}/${compiled.map(matcherText).join(',')}`)
  const scheduled = (field: 'muteDuring' | 'activeDuring') =>
    (document[field] ?? []).flatMap((each, index) => {
      const schedule = names.schedules.get(each)
      if (schedule === undefined)
        say([...at, field, index], `names a schedule "${each}" that is not there`)
      return schedule ?? []
    })
  const receiver = (wanted: string, where: readonly (string | number)[]): Receiver => {
    const found = names.receivers.get(wanted)
    if (found === undefined) say(where, `names a receiver "${wanted}" that is not there`)
    return found ?? parent.receiver
  }
  const spanOf = (
    field: 'groupWait' | 'groupInterval' | 'repeatInterval',
    inherited: DurationMs,
  ) => {
    const text = document[field]
    return text === undefined ? inherited : (parseDuration(text) ?? inherited)
  }
  const groupIntervalMs = spanOf('groupInterval', parent.groupIntervalMs)
  if (groupIntervalMs < SECOND_MS) say([...at, 'groupInterval'], 'must be 1s or more')
  const route: Route = {
    path,
    receiver:
      document.receiver === undefined
        ? parent.receiver
        : receiver(document.receiver, [...at, 'receiver']),
    matchers: compiled,
    groupBy: groupByOf(document.groupBy, parent.groupBy),
    groupWaitMs: spanOf('groupWait', parent.groupWaitMs),
    groupIntervalMs,
    repeatIntervalMs: spanOf('repeatInterval', parent.repeatIntervalMs),
    continues: document.continue ?? false,
    muteDuring: scheduled('muteDuring'),
    activeDuring: scheduled('activeDuring'),
    escalate:
      document.escalate === undefined
        ? parent.escalate
        : escalationOf(document.escalate, place, receiver),
    routes: [],
  }
  if (at.length / 2 > MAX_ROUTE_DEPTH) {
    say(at, `is nested more than ${MAX_ROUTE_DEPTH} deep`)
    return route
  }
  const routes = (document.routes ?? []).map((each, index) =>
    routeOf(each, route, { at: [...at, 'routes', index], names, say }),
  )
  return { ...route, routes }
}

function uniquePath(taken: Set<string>, wanted: string): string {
  let path = wanted
  for (let n = 2; taken.has(path); n += 1) path = `${wanted}#${n}`
  taken.add(path)
  return path
}

function groupByOf(
  names: readonly string[] | undefined,
  inherited: Route['groupBy'],
): Route['groupBy'] {
  if (names === undefined) return inherited
  return names.includes('...') ? null : names
}

function escalationOf(
  steps: readonly { readonly after: string; readonly receiver: string }[],
  { at, say }: Place,
  receiver: (wanted: string, where: readonly (string | number)[]) => Receiver,
): readonly EscalationStep[] {
  let beforeMs = 0
  return steps.map((step, index) => {
    const afterMs = parseDuration(step.after) ?? 0
    if (afterMs <= beforeMs) {
      say(
        [...at, 'escalate', index, 'after'],
        index === 0 ? 'must be more than 0' : 'must be later than the step before',
      )
    }
    beforeMs = afterMs
    return { afterMs, receiver: receiver(step.receiver, [...at, 'escalate', index, 'receiver']) }
  })
}

function receiversOf({ receivers }: RoutingDocument, say: Say): ReadonlyMap<string, Receiver> {
  const found = new Map<string, Receiver>()
  receivers.forEach(({ name: each, channels, sendResolved = true }, index) => {
    if (found.has(each)) say(['receivers', index, 'name'], `"${each}" is there twice`)
    found.set(each, { name: each, channels, sendResolved })
  })
  return found
}

function schedulesOf({ schedules = [] }: RoutingDocument, say: Say): ReadonlyMap<string, IsWithin> {
  const found = new Map<string, IsWithin>()
  schedules.forEach(({ name: each, zone, times }, index) => {
    const at = ['schedules', index] as const
    if (found.has(each)) say([...at, 'name'], `"${each}" is there twice`)
    if (!isTimeZone(zone)) say([...at, 'zone'], `"${zone}" is no zone such as Africa/Nairobi`)
    const weekly = times.map((time, n) => weekTimeOf(time, [...at, 'times', n], say))
    found.set(each, compileTimes(zone, weekly))
  })
  return found
}

function weekTimeOf(
  {
    days,
    from,
    to,
  }: {
    readonly days?: readonly Day[]
    readonly from: string
    readonly to: string
  },
  at: readonly (string | number)[],
  say: Say,
): WeekTime {
  const fromMinute = minuteOf(from)
  const toMinute = minuteOf(to)
  if (fromMinute === undefined) say([...at, 'from'], `"${from}" is no time of day`)
  if (toMinute === undefined) say([...at, 'to'], `"${to}" is no time of day`)
  if (fromMinute !== undefined && fromMinute === toMinute)
    say([...at, 'to'], 'must differ from "from"; all day is 00:00 to 24:00')
  return { days: days ?? DAYS, fromMinute: fromMinute ?? 0, toMinute: toMinute ?? 0 }
}

function inhibitionsOf({ inhibit = [] }: RoutingDocument, say: Say): readonly Inhibition[] {
  return inhibit.map(({ source, target, equal = [] }, index) => {
    const at = ['inhibit', index] as const
    if (source.length === 0) say([...at, 'source'], 'is empty: every alert would hide others')
    return {
      source: matchersOf(source, [...at, 'source'], say),
      target: matchersOf(target, [...at, 'target'], say),
      equal,
    }
  })
}

function matchersOf(
  texts: readonly string[],
  at: readonly (string | number)[],
  say: Say,
): readonly Matcher[] {
  return texts.flatMap((text, index) => {
    const parsed = parseMatcher(text)
    if (parsed.ok) return parsed.value
    say([...at, index], parsed.error)
    return []
  })
}
