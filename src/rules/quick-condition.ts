// Conditions as plain functions, for the part of CEL that nearly all rules are made of: fields, literals,
// comparisons, and, or, not. Where a value is not of a kind for which this is sure to agree with CEL, the
// function says so, and CEL itself is asked.

import type { RuleInput } from './compile.ts'

export type Quick = (input: RuleInput) => Plain | undefined

type Plain = string | number | boolean | null

/** A node of the tree that the CEL parser gives. */
interface Node {
  readonly op: string
  readonly args: unknown
}

/** Undefined where the expression holds anything else. */
export function quickCondition(ast: unknown): Quick | undefined {
  if (!isNode(ast)) return undefined
  switch (ast.op) {
    case 'value':
      return literal(ast.args)
    case '.':
      return field(ast.args)
    case '!_':
      return not(quickCondition(ast.args))
    case '&&':
    case '||':
      return both(ast.args, (a, b) => logical(a, b, ast.op === '||'))
    case '==':
    case '!=':
      return both(ast.args, (a, b) => equality(a, b, ast.op === '=='))
    case '<':
    case '<=':
    case '>':
    case '>=':
      return both(ast.args, (a, b) => order(a, b, ORDERS[ast.op as keyof typeof ORDERS]))
    default:
      return undefined
  }
}

function isNode(value: unknown): value is Node {
  return typeof value === 'object' && value !== null && 'op' in value && 'args' in value
}

function literal(value: unknown): Quick | undefined {
  // CEL's integers come as bigint; a number beside them is compared by its value.
  const plain = typeof value === 'bigint' ? Number(value) : value
  if (typeof value === 'bigint' && !Number.isSafeInteger(plain)) return undefined
  return isPlain(plain) ? () => plain : undefined
}

/** Only of `event` and `derived` themselves; a value that is no plain one is not for us. */
function field(args: unknown): Quick | undefined {
  const [root, name] = pair(args)
  if (!isNode(root) || root.op !== 'id' || typeof name !== 'string') return undefined
  const read = (from: object): Plain | undefined => {
    const value: unknown = Reflect.get(from, name)
    return isPlain(value) ? value : undefined
  }
  switch (root.args) {
    case 'event':
      return ({ event }) => read(event)
    case 'derived':
      return ({ derived }) => read(derived)
    default:
      return undefined
  }
}

function isPlain(value: unknown): value is Plain {
  return (
    typeof value === 'number' ||
    typeof value === 'boolean' ||
    typeof value === 'string' ||
    value === null
  )
}

function not(inner: Quick | undefined): Quick | undefined {
  return (
    inner &&
    ((input) => {
      const value = inner(input)
      return typeof value === 'boolean' ? !value : undefined
    })
  )
}

function both(args: unknown, join: (a: Quick, b: Quick) => Quick): Quick | undefined {
  const [left, right] = pair(args)
  const a = quickCondition(left)
  const b = quickCondition(right)
  return a && b && join(a, b)
}

function pair(args: unknown): readonly [unknown, unknown] {
  return Array.isArray(args) && args.length === 2 ? [args[0], args[1]] : [undefined, undefined]
}

/** `deciding` is what settles it: true for or, false for and. */
function logical(a: Quick, b: Quick, deciding: boolean): Quick {
  return (input) => {
    const left = a(input)
    if (left === deciding) return deciding
    if (left !== !deciding) return undefined
    const right = b(input)
    return typeof right === 'boolean' ? right : undefined
  }
}

/** Values of two kinds differ in CEL's way of it, so only null is compared with other kinds here. */
function equality(a: Quick, b: Quick, equal: boolean): Quick {
  return (input) => {
    const left = a(input)
    const right = b(input)
    if (left === undefined || right === undefined) return undefined
    if (typeof left !== typeof right && left !== null && right !== null) return undefined
    return (left === right) === equal
  }
}

const ORDERS = {
  '<': (a: number, b: number) => a < b,
  '<=': (a: number, b: number) => a <= b,
  '>': (a: number, b: number) => a > b,
  '>=': (a: number, b: number) => a >= b,
} as const

function order(a: Quick, b: Quick, holds: (a: number, b: number) => boolean): Quick {
  return (input) => {
    const left = a(input)
    const right = b(input)
    return typeof left === 'number' && typeof right === 'number' ? holds(left, right) : undefined
  }
}
