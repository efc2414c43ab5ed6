// Conditions: the part of CEL that judges one event. The library parses; what is here checks every name and
// type against the topic's fields and makes plain functions of it, which look at the slots of a field table.
// Nothing in a condition can loop, and its size is bounded, so what it costs is known when it is accepted.
//
// Beyond CEL: all numbers are doubles, so `event.speedKmh > 120` and `event.a * 2` mean what they say; and a
// number that is none, such as after a division by zero, fails as a missing field does.

import { type ASTNode, Environment } from '@marcbachmann/cel-js'
import { failed, ok, type Result } from '../kernel/result.ts'
import type { FieldValue } from '../ports/alert.ts'
import {
  ARITHMETIC,
  and,
  equalityOf,
  FUNCTIONS,
  fieldAgainst,
  isNull,
  METHODS,
  not,
  ORDERS,
  or,
  orderOfTexts,
  verdictOf,
} from './condition-operators.ts'
import {
  type Built,
  FAILS,
  type Flag,
  NO,
  type Numeric,
  type Place,
  type Textual,
  type Verdict,
  YES,
} from './condition-part.ts'
import { type FieldTable, ROOTS } from './field-table.ts'
import { type Guard, guardsOf } from './guard.ts'

/** A longer condition is refused before it is parsed. */
export const MAX_CONDITION_LENGTH = 2_000
export const MAX_CONDITION_DEPTH = 32
export const MAX_CONDITION_NODES = 500
const MAX_LIST = 100

export interface ConditionProblem {
  readonly message: string
  /** `[start, end)` in the text of the condition. */
  readonly start: number
  readonly end: number
}

/** A part of a condition with what it says of the event that the field table holds. */
export interface TracedPart {
  readonly text: string
  /** Null where it fails. */
  readonly value: FieldValue
  readonly parts: readonly TracedPart[]
}

export interface Condition {
  readonly source: string
  readonly test: () => Verdict
  /** Fields that it names, such as `event.speedKmh`. */
  readonly fields: readonly string[]
  /** While none of them may hold, the condition does not; null where it has none, and must be tested. */
  readonly guards: readonly Guard[] | null
  trace(): TracedPart
}

export interface Score {
  readonly source: string
  /** NaN where it fails. */
  readonly value: () => number
}

export function compileCondition(
  source: string,
  table: FieldTable,
): Result<Condition, ConditionProblem> {
  return compile(source, table, (built, compiler) => {
    if (built.kind !== 'flag') compiler.refuse(`expected true or false, found a ${built.kind}`)
    return {
      source,
      test: built.kind === 'flag' ? built.test : () => FAILS,
      fields: [...compiler.fields],
      guards: guardsOf(built),
      trace: () => traceOf(built),
    }
  })
}

export function compileScore(source: string, table: FieldTable): Result<Score, ConditionProblem> {
  return compile(source, table, (built, compiler) => {
    if (built.kind !== 'number') compiler.refuse(`expected a number, found a ${built.kind}`)
    return { source, value: built.kind === 'number' ? built.value : () => Number.NaN }
  })
}

class Refused extends Error {
  readonly start: number
  readonly end: number

  constructor(message: string, { start, end }: { readonly start: number; readonly end: number }) {
    super(message)
    this.start = start
    this.end = end
  }
}

const parser = new Environment({
  limits: {
    maxAstNodes: MAX_CONDITION_NODES,
    maxDepth: MAX_CONDITION_DEPTH,
    maxListElements: MAX_LIST,
    maxMapEntries: 0,
    maxCallArguments: 8,
  },
})

function compile<T>(
  source: string,
  table: FieldTable,
  finish: (built: Built, compiler: Compiler) => T,
): Result<T, ConditionProblem> {
  const whole = { start: 0, end: source.length }
  if (source.length > MAX_CONDITION_LENGTH) {
    return failed({ message: `may have ${MAX_CONDITION_LENGTH} characters at most`, ...whole })
  }
  try {
    const { ast } = parser.parse(source)
    const compiler = new Compiler(source, table)
    return ok(finish(compiler.build(ast), compiler))
  } catch (error) {
    if (error instanceof Refused) {
      return failed({ message: error.message, start: error.start, end: error.end })
    }
    if (error instanceof Error) return failed({ ...whole, ...syntaxProblem(error) })
    throw error
  }
}

function syntaxProblem(error: Error): Partial<ConditionProblem> & { readonly message: string } {
  const summary: unknown = Reflect.get(error, 'summary')
  const range: unknown = Reflect.get(error, 'range')
  const message = typeof summary === 'string' ? summary : error.message
  const start: unknown = Reflect.get(Object(range), 'start')
  const end: unknown = Reflect.get(Object(range), 'end')
  return typeof start === 'number' && typeof end === 'number'
    ? { message, start, end: Math.max(end, start) }
    : { message }
}

class Compiler {
  readonly fields = new Set<string>()
  readonly #source: string
  readonly #table: FieldTable

  constructor(source: string, table: FieldTable) {
    this.#source = source
    this.#table = table
  }

  refuse(
    message: string,
    at: { readonly start: number; readonly end: number } = this.#whole,
  ): never {
    throw new Refused(message, at)
  }

  get #whole(): { readonly start: number; readonly end: number } {
    return { start: 0, end: this.#source.length }
  }

  build(node: ASTNode): Built {
    switch (node.op) {
      case 'value':
        return this.#literal(node, node.args)
      case '.':
        return this.#field(node, node.args)
      case '!_': {
        const inner = this.#flag(node.args)
        return this.#flagOf(node, [inner], not(inner.test))
      }
      case '-_': {
        const inner = this.#number(node.args)
        const { value, constant } = inner
        return this.#numberOf(node, [inner], () => -value(), constant === null ? null : -constant)
      }
      case '&&':
      case '||': {
        const left = this.#flag(node.args[0])
        const right = this.#flag(node.args[1])
        const join = node.op === '&&' ? and : or
        return this.#flagOf(node, [left, right], join(left.test, right.test))
      }
      case '?:':
        return this.#choice(node, node.args)
      case '==':
      case '!=':
        return this.#equality(node, node.op, node.args)
      case '<':
      case '<=':
      case '>':
      case '>=':
        return this.#order(node, node.op, node.args)
      case '+':
      case '-':
      case '*':
      case '/':
      case '%':
        return this.#arithmetic(node, node.op, node.args)
      case 'in':
        return this.#membership(node, node.args)
      case 'call':
        return this.#call(node, node.args[0], node.args[1])
      case 'rcall':
        return this.#method(node, node.args)
      case 'id':
        return this.refuse(this.#aboutName(node.args), node)
      default:
        return this.refuse('this part of CEL is not for conditions', node)
    }
  }

  #aboutName(name: string): string {
    const roots = ROOTS.filter((root) => this.#table.namesOf(root).length > 0)
    const named = roots.find((root) => root === name)
    if (named !== undefined) {
      return `name one of its fields, such as ${named}.${this.#table.namesOf(named)[0]}`
    }
    return `there is no ${name}; conditions look at ${roots.join(', ')}`
  }

  #literal(node: ASTNode, value: unknown): Built {
    const place = this.#place(node, [])
    if (value === null) return { ...place, kind: 'null' }
    switch (typeof value) {
      case 'string':
        return { ...place, kind: 'text', read: () => value, constant: value }
      case 'number':
      case 'bigint': {
        const number = Number(value)
        return this.#numberOf(node, [], () => number, number)
      }
      case 'boolean': {
        const verdict = value ? YES : NO
        return this.#flagOf(node, [], () => verdict)
      }
      default:
        return this.refuse('only numbers, texts, true, false and null can stand here', node)
    }
  }

  #field(node: ASTNode, [from, name]: [ASTNode, string]): Built {
    if (from.op !== 'id') return this.refuse('fields have no fields of their own', node)
    const root = ROOTS.find((each) => each === from.args)
    const known = root === undefined ? [] : this.#table.namesOf(root)
    if (root === undefined || known.length === 0) {
      return this.refuse(this.#aboutName(from.args), from)
    }
    const slot = this.#table.use(root, name)
    if (slot === undefined) {
      const at = { start: node.end - name.length, end: node.end }
      return this.refuse(`${root}.${name} does not exist; there are ${known.join(', ')}`, at)
    }
    this.fields.add(`${root}.${name}`)
    const { index, kind } = slot
    const { numbers, texts } = this.#table
    const place = this.#place(node, [])
    switch (kind) {
      case 'number': {
        const value = (): number => numbers[index] ?? Number.NaN
        return { ...place, kind, value, isField: true, constant: null }
      }
      case 'flag': {
        const test = (): Verdict => verdictOf(numbers[index] ?? Number.NaN)
        return { ...place, kind, test, isField: true }
      }
      case 'text':
        return { ...place, kind, read: () => texts[index] ?? null, constant: null }
    }
  }

  #choice(node: ASTNode, [ask, yes, no]: [ASTNode, ASTNode, ASTNode]): Built {
    const asked = this.#flag(ask)
    const a = this.build(yes)
    const b = this.build(no)
    const { test } = asked
    const parts = [asked, a, b]
    if (a.kind === 'number' && b.kind === 'number') {
      return this.#numberOf(node, parts, () => {
        const verdict = test()
        return verdict === YES ? a.value() : verdict === NO ? b.value() : Number.NaN
      })
    }
    if (a.kind === 'flag' && b.kind === 'flag') {
      return this.#flagOf(node, parts, () => {
        const verdict = test()
        return verdict === YES ? a.test() : verdict === NO ? b.test() : FAILS
      })
    }
    return this.refuse('both sides of ":" must be numbers, or both true or false', node)
  }

  #equality(node: ASTNode, op: '==' | '!=', [left, right]: [ASTNode, ASTNode]): Built {
    const a = this.build(left)
    const b = this.build(right)
    const equal = equalityOf(a, b)
    if (equal === undefined) {
      return this.refuse(`a ${a.kind} and a ${b.kind} can never be equal`, node)
    }
    return this.#flagOf(node, [a, b], op === '==' ? equal : not(equal))
  }

  #order(node: ASTNode, op: keyof typeof ORDERS, [left, right]: [ASTNode, ASTNode]): Built {
    const a = this.build(left)
    const b = this.build(right)
    if (a.kind === 'number' && b.kind === 'number') {
      return this.#flagOf(node, [a, b], this.#compared(op, a, b))
    }
    if (a.kind === 'text' && b.kind === 'text') {
      return this.#flagOf(node, [a, b], orderOfTexts(op, a.read, b.read))
    }
    return this.refuse(
      `"${op}" compares two numbers or two texts, not a ${a.kind} and a ${b.kind}`,
      node,
    )
  }

  /** A field beside a constant, as in nearly every rule, is compared without a further call. */
  #compared(op: keyof typeof ORDERS, a: Numeric, b: Numeric): () => Verdict {
    const slot = a.isField ? this.#slotOf(a.node) : undefined
    if (slot === undefined || b.constant === null) return ORDERS[op](a.value, b.value)
    return fieldAgainst(op, { numbers: this.#table.numbers, index: slot, limit: b.constant })
  }

  #slotOf(node: ASTNode): number | undefined {
    if (node.op !== '.' || node.args[0].op !== 'id') return undefined
    const root = node.args[0].args
    const found = ROOTS.find((each) => each === root)
    return found === undefined ? undefined : this.#table.use(found, node.args[1])?.index
  }

  #arithmetic(
    node: ASTNode,
    op: keyof typeof ARITHMETIC,
    [left, right]: [ASTNode, ASTNode],
  ): Built {
    const a = this.#number(left)
    const b = this.#number(right)
    return this.#numberOf(node, [a, b], ARITHMETIC[op](a.value, b.value))
  }

  #membership(node: ASTNode, [left, right]: [ASTNode, ASTNode]): Built {
    if (right.op !== 'list') return this.refuse('"in" takes a list, such as ["a", "b"]', right)
    const item = this.build(left)
    const items = right.args.map((each) => this.build(each))
    if (item.kind === 'text') {
      const known = new Set(items.map((each) => this.#constantText(each)))
      const { read } = item
      return this.#flagOf(node, [item], () => {
        const text = read()
        return text !== null && known.has(text) ? YES : NO
      })
    }
    if (item.kind === 'number') {
      const known = new Set(items.map((each) => this.#constantNumber(each)))
      const { value, isField } = item
      return this.#flagOf(node, [item], () => {
        const number = value()
        if (Number.isNaN(number) && !isField) return FAILS
        return known.has(number) ? YES : NO
      })
    }
    return this.refuse(`a ${item.kind} is not looked up in a list`, left)
  }

  #constantText(built: Built): string {
    if (built.kind === 'text' && built.constant !== null) return built.constant
    return this.refuse('the list must hold texts only', built.node)
  }

  #constantNumber(built: Built): number {
    if (built.kind === 'number' && built.constant !== null) return built.constant
    return this.refuse('the list must hold numbers only', built.node)
  }

  #call(node: ASTNode, name: string, args: readonly ASTNode[]): Built {
    if (name === 'has') return this.#has(node, args)
    if (name === 'size') return this.#size(node, args)
    const known = FUNCTIONS.get(name)
    if (known === undefined) {
      const names = ['has', 'size', ...FUNCTIONS.keys()].join(', ')
      return this.refuse(`there is no function ${name}; there are ${names}`, node)
    }
    if (args.length !== known.takes) {
      return this.refuse(`${name} takes ${known.takes} numbers, found ${args.length}`, node)
    }
    const numbers = args.map((each) => this.#number(each))
    const values = numbers.map(({ value }) => value)
    return this.#numberOf(node, numbers, known.make(values))
  }

  #has(node: ASTNode, [arg, ...more]: readonly ASTNode[]): Built {
    if (arg?.op !== '.' || more.length > 0) return this.refuse('has takes one field', node)
    const field = this.build(arg)
    return this.#flagOf(node, [], not(isNull(field) ?? (() => FAILS)))
  }

  #size(node: ASTNode, [arg, ...more]: readonly ASTNode[]): Built {
    if (arg === undefined || more.length > 0) return this.refuse('size takes one text', node)
    const { read, ...text } = this.#text(arg)
    const length = (): number => {
      const value = read()
      return value === null ? Number.NaN : [...value].length
    }
    return this.#numberOf(node, [{ ...text, read }], length)
  }

  #method(node: ASTNode, [name, on, args]: [string, ASTNode, readonly ASTNode[]]): Built {
    const known = METHODS.get(name)
    if (known === undefined) {
      const names = [...METHODS.keys()].join(', ')
      return this.refuse(`texts have no ${name}; they have ${names}`, node)
    }
    const [arg, ...more] = args
    if (arg === undefined || more.length > 0) return this.refuse(`${name} takes one text`, node)
    const text = this.#text(on)
    const part = this.#text(arg)
    return this.#flagOf(node, [text, part], () => {
      const value = text.read()
      const sought = part.read()
      if (value === null || sought === null) return FAILS
      return known(value, sought) ? YES : NO
    })
  }

  #flag(node: ASTNode): Flag {
    const built = this.build(node)
    if (built.kind === 'flag') return built
    return this.refuse(`expected true or false, found a ${built.kind}`, node)
  }

  #number(node: ASTNode): Numeric {
    const built = this.build(node)
    if (built.kind === 'number') return built
    return this.refuse(`expected a number, found a ${built.kind}`, node)
  }

  #text(node: ASTNode): Textual {
    const built = this.build(node)
    if (built.kind === 'text') return built
    return this.refuse(`expected a text, found a ${built.kind}`, node)
  }

  #flagOf(node: ASTNode, parts: readonly Built[], test: () => Verdict): Flag {
    return { ...this.#place(node, parts), kind: 'flag', test, isField: false }
  }

  #numberOf(
    node: ASTNode,
    parts: readonly Built[],
    value: () => number,
    constant: number | null = null,
  ): Numeric {
    return { ...this.#place(node, parts), kind: 'number', value, isField: false, constant }
  }

  #place(node: ASTNode, parts: readonly Built[]): Place {
    return { node, text: this.#source.slice(node.start, node.end), parts }
  }
}

function traceOf(built: Built): TracedPart {
  return {
    text: built.text,
    value: shownValue(built),
    parts: built.parts.filter(isWorthShowing).map(traceOf),
  }
}

function isWorthShowing(built: Built): boolean {
  return built.kind !== 'null' && !('constant' in built && built.constant !== null)
}

function shownValue(built: Built): FieldValue {
  switch (built.kind) {
    case 'flag': {
      const verdict = built.test()
      return verdict === FAILS ? null : verdict === YES
    }
    case 'number': {
      const value = built.value()
      return Number.isFinite(value) ? value : null
    }
    case 'text':
      return built.read()
    case 'null':
      return null
  }
}
