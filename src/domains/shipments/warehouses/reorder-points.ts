// When stock is low: reorder points by sku, merchant and warehouse, from the operator's table.

import { type Static, Type } from '@sinclair/typebox'
import { TypeCompiler } from '@sinclair/typebox/compiler'

export const REORDER_TABLE = 'reorder-points'
/** Where the table says nothing. */
export const DEFAULT_REORDER_POINT = 10
export const MAX_REORDER_POINTS = 100_000

const quantity = Type.Number({ minimum: 0 })
const itemSchema = Type.Object(
  {
    sku: Type.String({ minLength: 1, maxLength: 200 }),
    merchantId: Type.Optional(Type.String({ minLength: 1, maxLength: 200 })),
    warehouseId: Type.Optional(Type.String({ minLength: 1, maxLength: 200 })),
    reorderPoint: quantity,
  },
  { additionalProperties: false },
)
const tableSchema = Type.Object(
  {
    /** Null: skus that are not listed are never low. */
    default: Type.Optional(Type.Union([quantity, Type.Null()])),
    items: Type.Optional(Type.Array(itemSchema, { maxItems: MAX_REORDER_POINTS })),
  },
  { additionalProperties: false },
)
const check = TypeCompiler.Compile(tableSchema)

/** Says what is wrong with the operator's table, or nothing. */
export function checkReorderPoints(content: unknown): string | undefined {
  const problem = check.Errors(content).First()
  return problem === undefined ? undefined : `${problem.path || '/'}: ${problem.message}`
}

export interface StockName {
  readonly warehouseId: string
  readonly merchantId: string
  readonly sku: string
}

type ReorderItem = Static<typeof itemSchema>

interface Points {
  readonly fallback: number | null
  readonly byName: ReadonlyMap<string, ReorderItem>
}

const BUILT_IN: Points = { fallback: DEFAULT_REORDER_POINT, byName: new Map() }
const pointsByContent = new WeakMap<object, Points>()

/** What is said most closely counts: of this sku of this merchant in this warehouse, down to the default. */
export function reorderPointOf(content: unknown, name: StockName): number | null {
  const { fallback, byName } = pointsOf(content)
  return byName.size === 0 ? fallback : (closest(byName, name)?.reorderPoint ?? fallback)
}

/** What the stock of a movement is judged by: the line of the table that counts, or its default. */
export function reorderRow(
  movement: Readonly<Record<string, unknown>>,
  content: unknown,
): readonly { readonly table: string; readonly row: Readonly<Record<string, unknown>> }[] {
  const { fallback, byName } = pointsOf(content)
  const name = {
    warehouseId: String(movement.warehouseId),
    merchantId: String(movement.merchantId),
    sku: String(movement.sku),
  }
  const row = closest(byName, name) ?? { default: true, reorderPoint: fallback }
  return [{ table: REORDER_TABLE, row: { ...row } }]
}

function closest(
  byName: Points['byName'],
  { warehouseId, merchantId, sku }: StockName,
): ReorderItem | undefined {
  for (const place of [
    [sku, merchantId, warehouseId],
    [sku, merchantId, null],
    [sku, null, warehouseId],
    [sku, null, null],
  ]) {
    const found = byName.get(JSON.stringify(place))
    if (found !== undefined) return found
  }
  return undefined
}

function pointsOf(content: unknown): Points {
  if (typeof content !== 'object' || content === null || !check.Check(content)) return BUILT_IN
  let points = pointsByContent.get(content)
  if (points === undefined) {
    const items = content.items ?? []
    points = {
      fallback: content.default === undefined ? DEFAULT_REORDER_POINT : content.default,
      byName: new Map(
        items.map((item) => [
          JSON.stringify([item.sku, item.merchantId ?? null, item.warehouseId ?? null]),
          item,
        ]),
      ),
    }
    pointsByContent.set(content, points)
  }
  return points
}
