// All stock lines of a warehouse as a value that is never changed in place: lines lie in buckets, and a changed
// line copies its bucket alone, so that the engine's copies of the state share all others.

import type { StockLine } from './stock.ts'

const BUCKETS = 256
/** Lines of one warehouse; movements of further ones are kept in the archive, and change no stock. */
export const MAX_LINES = 200_000

type Bucket = Readonly<Record<string, StockLine>>

export interface StockLines {
  readonly count: number
  readonly buckets: readonly (Bucket | null)[]
}

export const NO_LINES: StockLines = { count: 0, buckets: [] }

export interface LineName {
  readonly merchantId: string
  readonly sku: string
}

export function lineOf(lines: StockLines, name: LineName): StockLine | undefined {
  const key = keyOf(name)
  const bucket = lines.buckets[bucketOf(key)]
  return bucket !== null && bucket !== undefined && Object.hasOwn(bucket, key)
    ? bucket[key]
    : undefined
}

export function withLine(lines: StockLines, line: StockLine): StockLines {
  const key = keyOf(line)
  const at = bucketOf(key)
  const bucket = lines.buckets[at] ?? {}
  const isNew = !Object.hasOwn(bucket, key)
  const buckets =
    lines.buckets.length === 0 ? new Array<Bucket | null>(BUCKETS).fill(null) : [...lines.buckets]
  buckets[at] = { ...bucket, [key]: line }
  return { count: lines.count + (isNew ? 1 : 0), buckets }
}

export function* allLines({ buckets }: StockLines): Iterable<StockLine> {
  for (const bucket of buckets) {
    if (bucket !== null) yield* Object.values(bucket)
  }
}

/** Begins with a bracket, so that no name is a property that objects have by themselves. */
function keyOf({ merchantId, sku }: LineName): string {
  return JSON.stringify([merchantId, sku])
}

function bucketOf(key: string): number {
  let hash = 0
  for (let at = 0; at < key.length; at++) hash = (Math.imul(hash, 31) + key.charCodeAt(at)) | 0
  return (hash >>> 0) % BUCKETS
}
