// Room for a transaction, made before the store writes: a write of the store that fails for want of
// space may bring the process down, so the file is extended here first, where failing is harmless.

import { fstatSync, ftruncateSync, statfsSync, writeSync } from 'node:fs'
import type { Store } from './store.ts'

/** Kept free on the disk, so that what drops old records can still write. */
export const RESERVED_FREE_BYTES = 1024 * 1024
/** Pages of the tree and of the list of free pages that a transaction writes besides the chunks. */
export const TREE_BYTES = 256 * 1024
/** How far the file is extended at a time, and which part of a small disk at most. */
const EXTENSION_BYTES = 4 * 1024 * 1024
const EXTENSION_PART = 16
/**
 * Free pages inside the file count as room only from so many times the need on: they lie scattered,
 * and a chunk needs a run of them.
 */
const SCATTER_FACTOR = 4
const ZEROS = new Uint8Array(256 * 1024)

export interface SpaceNeed {
  readonly directory: string
  /** Of the store's file, open for writing. */
  readonly descriptor: number
  readonly neededBytes: number
  /** What must be left on the disk afterwards. */
  readonly reservedBytes: number
  readonly maxBytes: number | undefined
}

/**
 * Within a write transaction, before its first write: nobody else extends the file then.
 * Returns what is in the way where there is no room, undefined where there is.
 */
export function makeRoom(store: Store, need: SpaceNeed): string | undefined {
  const { directory, descriptor, neededBytes, reservedBytes, maxBytes } = need
  const space = spaceOf(store)
  if (maxBytes !== undefined && space.usedBytes + neededBytes > maxBytes) {
    return `it may take ${maxBytes} bytes and takes ${space.usedBytes}`
  }
  const { size } = fstatSync(descriptor)
  const missingBytes = Math.max(size, space.endBytes + neededBytes) - size
  if (missingBytes === 0) return undefined
  const diskFreeBytes = freeOnDisk(directory)
  const spareBytes = diskFreeBytes - reservedBytes - missingBytes
  const aheadBytes = Math.min(EXTENSION_BYTES, Math.floor(spareBytes / EXTENSION_PART))
  const range = { from: size, to: size + missingBytes + aheadBytes }
  if (spareBytes >= 0 && extend(descriptor, range)) return undefined
  if (space.freeBytes >= neededBytes * SCATTER_FACTOR) return undefined
  return `the disk has ${diskFreeBytes} bytes free`
}

/** False where the disk or a quota refuses; the file is then as it was. */
function extend(
  descriptor: number,
  range: { readonly from: number; readonly to: number },
): boolean {
  try {
    for (let at = range.from; at < range.to; ) {
      at += writeSync(descriptor, ZEROS, 0, Math.min(ZEROS.length, range.to - at), at)
    }
    return true
  } catch (error) {
    ftruncateSync(descriptor, range.from)
    if (isNoSpace(error)) return false
    throw error
  }
}

/** No space, no quota, or the end of the memory map: it passes, and nothing was written. */
export function isNoSpace(error: unknown): boolean {
  if (!(error instanceof Error)) return false
  // The store has its number in `code`; the runtime has it in `errno`, negative.
  const code: unknown = 'code' in error ? error.code : undefined
  const errno: unknown = 'errno' in error ? error.errno : undefined
  return NO_SPACE_CODES.has(code) || NO_SPACE_CODES.has(errno)
}

const ENOSPC = 28
const EDQUOT = 122
const MDB_MAP_FULL = -30_792
const NO_SPACE_CODES: ReadonlySet<unknown> = new Set([
  ENOSPC,
  -ENOSPC,
  EDQUOT,
  -EDQUOT,
  MDB_MAP_FULL,
])

function freeOnDisk(directory: string): number {
  const disk = statfsSync(directory)
  // A file system without a limit of its own does not say how large it is.
  return disk.blocks === 0 ? Number.POSITIVE_INFINITY : disk.bavail * disk.bsize
}

interface StoreSpace {
  /** Where the store's last page ends; the file may be longer. */
  readonly endBytes: number
  readonly usedBytes: number
  /** Pages of dropped records, used again for new ones: the store never shrinks. */
  readonly freeBytes: number
}

function spaceOf(store: Store): StoreSpace {
  const stats: Readonly<Record<string, unknown>> = store.getStats()
  const pageBytes = numberOf(stats, 'pageSize')
  const usedPages = 2 + pagesOf(stats) + pagesOf(stats.free)
  const pages = numberOf(stats, 'lastPageNumber') + 1
  return {
    endBytes: pages * pageBytes,
    usedBytes: usedPages * pageBytes,
    freeBytes: Math.max(0, pages - usedPages) * pageBytes,
  }
}

function pagesOf(stats: unknown): number {
  return (
    numberOf(stats, 'treeBranchPageCount') +
    numberOf(stats, 'treeLeafPageCount') +
    numberOf(stats, 'overflowPages')
  )
}

function numberOf(stats: unknown, name: string): number {
  const value: unknown = typeof stats === 'object' && stats !== null ? Reflect.get(stats, name) : 0
  return typeof value === 'number' ? value : 0
}
