// Rule documents in a file: YAML or JSON, one rule, a list, or several documents. Whatever is wrong is said
// with the line and column where it stands.

import type { ValueError } from '@sinclair/typebox/compiler'
import {
  type Document,
  isCollection,
  isScalar,
  LineCounter,
  type Node,
  parseAllDocuments,
  Scalar,
} from 'yaml'
import { failed, ok, type Result } from '../kernel/result.ts'
import { compileRule, type RuleProblem } from './compile.ts'
import { FieldTable } from './field-table.ts'
import {
  definitionOf,
  RULE_NAME,
  type RuleDocument,
  ruleDocumentCheck,
  SPAN,
  switchCheck,
} from './rule-document.ts'
import type { RuleTopic } from './rule-source.ts'

/** A file with more of either is refused before it is read. */
export const MAX_RULE_FILE_CHARACTERS = 1024 * 1024
export const MAX_RULES = 1_000
/** Problems that are listed; what is wrong beyond them shows once these are mended. */
export const MAX_LISTED_PROBLEMS = 50

/** Lines and columns count from 1. */
export interface LocatedProblem {
  readonly line: number
  readonly column: number
  /** Where the marked text ends, on the same line. */
  readonly endColumn: number
  /** The rule's name, where it has one. */
  readonly rule: string | null
  /** Such as `severity.critical`; empty for the whole rule. */
  readonly path: string
  readonly message: string
}

export interface RuleFile {
  readonly rules: readonly RuleDocument[]
  /** Names of rules that are switched off, and defined elsewhere. */
  readonly disabled: readonly string[]
}

/** Checks everything but what only running the cases shows. */
export function readRuleFile(
  text: string,
  topics: readonly RuleTopic[],
): Result<RuleFile, readonly LocatedProblem[]> {
  const found = entriesOf(text)
  if (!found.ok) return found
  const rules: RuleDocument[] = []
  const disabled: string[] = []
  const problems: LocatedProblem[] = []
  const names = new Set<string>()
  for (const entry of found.value) {
    const { value } = entry
    const name: unknown = Reflect.get(Object(value), 'name')
    const wrong = problemsOf(value, topics)
    if (wrong.length === 0 && typeof name === 'string') {
      if (names.has(name)) wrong.push({ path: ['name'], message: `there are two rules "${name}"` })
      names.add(name)
    }
    problems.push(...wrong.map((problem) => entry.locate(problem)))
    if (wrong.length > 0) continue
    if (switchCheck.Check(value)) disabled.push(value.name)
    else if (ruleDocumentCheck.Check(value)) rules.push(value)
  }
  if (problems.length > 0) return failed(problems.slice(0, MAX_LISTED_PROBLEMS))
  return ok({ rules, disabled })
}

/** One line a problem, as compilers write it. */
export function problemText(
  file: string,
  { line, column, rule, path, message }: LocatedProblem,
): string {
  const about = [rule === null ? '' : `rule "${rule}"`, path].filter((part) => part !== '')
  return `${file}:${line}:${column}: ${[...about, message].join(': ')}`
}

/** What is wrong with a document, whichever way it came. */
export function problemsOf(value: unknown, topics: readonly RuleTopic[]): RuleProblem[] {
  if (switchCheck.Check(value)) return []
  if (!ruleDocumentCheck.Check(value)) return schemaProblems(value)
  const topic = topics.find((each) => each.topic.name === value.topic)
  if (topic === undefined) {
    const known = topics.map((each) => each.topic.name).join(', ')
    return [{ path: ['topic'], message: `there is no topic "${value.topic}"; there are ${known}` }]
  }
  const definition = definitionOf(value, { version: 1, entityType: topic.entityType })
  const compiled = compileRule(definition, new FieldTable(topic.vocabulary))
  return compiled.ok ? [] : [...compiled.error]
}

function schemaProblems(value: unknown): RuleProblem[] {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) {
    return [{ path: [], message: 'a rule is names and values, such as "name: high-speed"' }]
  }
  const problems: RuleProblem[] = []
  const seen = new Set<string>()
  for (const error of ruleDocumentCheck.Errors(value)) {
    if (seen.has(error.path) || problems.length >= MAX_LISTED_PROBLEMS) continue
    seen.add(error.path)
    const problem = { path: pathOf(error.path), message: schemaMessage(error) }
    const isName = error.message === 'Unexpected property'
    problems.push(isName ? { ...problem, isName } : problem)
  }
  return problems
}

function pathOf(pointer: string): readonly (string | number)[] {
  return pointer
    .split('/')
    .slice(1)
    .map((part) => part.replaceAll('~1', '/').replaceAll('~0', '~'))
    .map((part) => (/^\d+$/.test(part) ? Number(part) : part))
}

function schemaMessage({ path, schema, value, message }: ValueError): string {
  if (message === 'Unexpected property') {
    return `there is no such field; there are ${Object.keys(ruleDocumentCheck.Schema().properties).join(', ')}`
  }
  if (value === undefined) return 'is missing'
  if (schema.pattern === SPAN) return 'must be a span such as 90s, 10m or 1.5h'
  if (schema.pattern === RULE_NAME) return 'must be small letters, digits and hyphens, 63 at most'
  if (path.startsWith('/severity')) {
    return 'must be critical, major, minor, warning or info, or several with their conditions and a default'
  }
  if (path.startsWith('/schedule/hours')) return 'must be hours such as 08:00-18:00'
  if (path.startsWith('/schedule/days')) return 'must be of mon, tue, wed, thu, fri, sat, sun'
  return `${message.charAt(0).toLowerCase()}${message.slice(1)}`
}

interface Entry {
  readonly value: unknown
  locate(problem: RuleProblem): LocatedProblem
}

function entriesOf(text: string): Result<readonly Entry[], readonly LocatedProblem[]> {
  const whole = { line: 1, column: 1, endColumn: 1, rule: null, path: '' }
  const refuse = (message: string) => failed([{ ...whole, message }])
  if (text.length > MAX_RULE_FILE_CHARACTERS) {
    return refuse(`the file has more than ${MAX_RULE_FILE_CHARACTERS} characters`)
  }
  const lines = new LineCounter()
  const entries: Entry[] = []
  try {
    for (const document of parseAllDocuments(text, { lineCounter: lines })) {
      const [problem] = document.errors
      if (problem !== undefined) {
        const { line, col: column } = lines.linePos(problem.pos[0])
        const message = `it is not YAML: ${problem.message.split(' at line ')[0]}`
        return failed([{ ...whole, line, column, endColumn: column, message }])
      }
      entries.push(...entriesIn(document, { text, lines }))
    }
  } catch (error) {
    // Such as aliases of aliases that would grow without end.
    return refuse(`it cannot be read: ${error instanceof Error ? error.message : error}`)
  }
  if (entries.length === 0) return refuse('there is no rule in it')
  return entries.length > MAX_RULES ? refuse(`it has more than ${MAX_RULES} rules`) : ok(entries)
}

interface Source {
  readonly text: string
  readonly lines: LineCounter
}

function entriesIn(document: Document.Parsed, source: Source): readonly Entry[] {
  const value: unknown = document.toJS()
  if (value === null) return []
  if (!Array.isArray(value)) return [entryOf(value, document.contents, source)]
  const { contents } = document
  return value.map((each: unknown, index) =>
    entryOf(each, isCollection(contents) ? contents.get(index, true) : contents, source),
  )
}

function entryOf(value: unknown, node: unknown, source: Source): Entry {
  const name: unknown = Reflect.get(Object(value), 'name')
  return {
    value,
    locate(problem) {
      const { path, message } = problem
      const [start, end] = extentOf(node, problem, source)
      const from = source.lines.linePos(start)
      const to = source.lines.linePos(end)
      return {
        line: from.line,
        column: from.col,
        endColumn: to.line === from.line ? Math.max(to.col, from.col) : from.col,
        rule: typeof name === 'string' ? name : null,
        path: path.join('.'),
        message,
      }
    },
  }
}

/** Offsets in the file of what a problem is about: the value, or the key beside which it is missing. */
function extentOf(
  node: unknown,
  { path, range, isName }: RuleProblem,
  source: Source,
): readonly [number, number] {
  let at = node
  for (const [index, part] of path.entries()) {
    const last = isName === true && index === path.length - 1
    const next: unknown = isCollection(at) && !last ? at.get(part, true) : undefined
    if (next === undefined) return keyExtent(at, part) ?? extentOfNode(at)
    at = next
  }
  if (range === undefined || !isScalar(at)) return extentOfNode(at)
  return [placeInScalar(at, range.start, source), placeInScalar(at, range.end, source)]
}

/** A field that should not be there is found by its key. */
function keyExtent(node: unknown, key: string | number): readonly [number, number] | undefined {
  if (!isCollection(node)) return undefined
  for (const item of node.items) {
    const found: unknown = Reflect.get(Object(item), 'key')
    if (isScalar(found) && found.value === key) return extentOfNode(found)
  }
  return undefined
}

function extentOfNode(node: unknown): readonly [number, number] {
  const range = isNode(node) ? node.range : undefined
  return range == null ? [0, 0] : [range[0], range[1]]
}

function isNode(value: unknown): value is Node {
  return typeof value === 'object' && value !== null && 'range' in value
}

/**
 * Where a character of a text stands in the file. However the text is quoted or folded, what is not white
 * space stands there in the same order.
 */
function placeInScalar(scalar: Scalar, offset: number, { text }: Source): number {
  const [start = 0, end = 0] = scalar.range ?? []
  const value = String(scalar.value)
  let place = start
  if (scalar.type === Scalar.BLOCK_FOLDED || scalar.type === Scalar.BLOCK_LITERAL) {
    place = text.indexOf('\n', start) + 1
  } else if (scalar.type !== Scalar.PLAIN) place = start + 1
  for (let index = 0; index < offset && place < end; index++) {
    const character = value[index] ?? ''
    if (/\s/.test(character)) {
      while (place < end && /\s/.test(text[place] ?? '')) place++
      continue
    }
    while (place < end && text[place] !== character) place++
    place++
  }
  return Math.min(place, end)
}

/** Rules of a file in place of those of the same name, the others as they are. */
export function withRules(
  present: readonly RuleDocument[],
  file: RuleFile,
): readonly RuleDocument[] {
  const replaced = new Set([...file.disabled, ...file.rules.map(({ name }) => name)])
  return [...present.filter(({ name }) => !replaced.has(name)), ...file.rules]
}
