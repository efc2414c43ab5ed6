// How far an import got, so that the same command goes on there. Losing it costs nothing but time: rows
// that are sent again are recognised as repeats.

import { createHash } from 'node:crypto'
import { mkdir, open, readFile, rename, rm, stat, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { Type } from '@sinclair/typebox'
import { TypeCompiler } from '@sinclair/typebox/compiler'

/** Beginning of a file by which it is told from others of the same size and time. */
const HEAD_BYTES = 64 * 1024

export interface ImportPosition {
  /** Rows done: all up to this number were accepted, refused or skipped. */
  readonly rows: number
  readonly accepted: number
  readonly rejected: number
  readonly skipped: number
  /** Rows, by field, that hold words where a number or a time was asked for; they are accepted. */
  readonly words: Readonly<Record<string, number>>
}

export interface ImportIdentity {
  readonly file: string
  /** Content of the mapping. */
  readonly mapping: string
  /** Where the events go. */
  readonly target: string
  /** Folder of the progress files. */
  readonly folder: string
}

export interface ImportProgress {
  /** Null where there is none, or none that can be read. */
  load(): Promise<ImportPosition | null>
  save(position: ImportPosition): Promise<void>
  remove(): Promise<void>
}

/** One file for each pair of input, as it is now, and mapping and target. */
export async function openProgress(identity: ImportIdentity): Promise<ImportProgress> {
  const { size, mtimeMs } = await stat(identity.file)
  const key = createHash('sha256')
    .update(JSON.stringify([size, mtimeMs, identity.mapping, identity.target]))
    .update(await headOf(identity.file))
    .digest('hex')
    .slice(0, 32)
  const path = join(identity.folder, `${key}.json`)
  let made = false
  return {
    async load() {
      try {
        const position: unknown = JSON.parse(await readFile(path, 'utf8'))
        return positionCheck.Check(position) ? position : null
      } catch {
        return null
      }
    },
    async save(position) {
      if (!made) await mkdir(identity.folder, { recursive: true })
      made = true
      await writeFile(`${path}.new`, JSON.stringify({ file: identity.file, ...position }))
      await rename(`${path}.new`, path)
    },
    async remove() {
      await rm(path, { force: true })
    },
  }
}

async function headOf(file: string): Promise<Buffer> {
  const handle = await open(file)
  try {
    const { buffer, bytesRead } = await handle.read(Buffer.alloc(HEAD_BYTES), 0, HEAD_BYTES, 0)
    return buffer.subarray(0, bytesRead)
  } finally {
    await handle.close()
  }
}

const positionCheck = TypeCompiler.Compile(
  Type.Object({
    rows: Type.Integer({ minimum: 0 }),
    accepted: Type.Integer({ minimum: 0 }),
    rejected: Type.Integer({ minimum: 0 }),
    skipped: Type.Integer({ minimum: 0 }),
    words: Type.Record(Type.String(), Type.Integer({ minimum: 0 })),
  }),
)
