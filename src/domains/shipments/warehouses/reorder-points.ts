// When stock is low: reorder points by sku, merchant and warehouse, from the operator's table.

import { Type } from '@sinclair/typebox'
import { TypeCompiler } from '@sinclair/typebox/compiler'

export const REORDER_TABLE = 'reorder-points'
/** Where the table says nothing. */
export const DEFAULT_REORDER_POINT = 10
export const MAX_REORDER_POINTS = 100_000

const quantity = Type.Number({ minimum: 0 })
const tableSchema = Type.Object(
  {
    /** Null: skus that are not listed are never low. */
    default: Type.Optional(Type.Union([quantity, Type.Null()])),
    items: Type.Optional(
      Type.Array(
        Type.Object(
          {
            sku: Type.String({ minLength: 1, maxLength: 200 }),
            merchantId: Type.Optional(Type.String({ minLength: 1, maxLength: 200 })),
            warehouseId: Type.Optional(Type.String({ minLength: 1, maxLength: 200 })),
            reorderPoint: quantity,
          },
          { additionalProperties: false },
        ),
        { maxItems: MAX_REORDER_POINTS },
      ),
    ),
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

interface Points {
  readonly fallback: number | null
  readonly byName: ReadonlyMap<string, number>
}

const BUILT_IN: Points = { fallback: DEFAULT_REORDER_POINT, byName: new Map() }
const pointsByContent = new WeakMap<object, Points>()

/** What is said most closely counts: of this sku of this merchant in this warehouse, down to the default. */
export function reorderPointOf(content: unknown, name: StockName): number | null {
  const { fallback, byName } = pointsOf(content)
  if (byName.size === 0) return fallback
  const { warehouseId, merchantId, sku } = name
  for (const place of [
    [sku, merchantId, warehouseId],
    [sku, merchantId, null],
    [sku, null, warehouseId],
    [sku, null, null],
  ]) {
    const found = byName.get(JSON.stringify(place))
    if (found !== undefined) return found
  }
  return fallback
}

function pointsOf(content: unknown): Points {
  if (typeof content !== 'object' || content === null || !check.Check(content)) return BUILT_IN
  let points = pointsByContent.get(content)
  if (points === undefined) {
    const items = content.items ?? []
    points = {
      fallback: content.default === undefined ? DEFAULT_REORDER_POINT : content.default,
      byName: new Map(
        items.map(({ sku, merchantId, warehouseId, reorderPoint }) => [
          JSON.stringify([sku, merchantId ?? null, warehouseId ?? null]),
          reorderPoint,
        ]),
      ),
    }
    pointsByContent.set(content, points)
  }
  return points
}
