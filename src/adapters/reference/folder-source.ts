// Reference tables as JSON files in a folder: `goods-profiles.json` is the table `goods-profiles`.

import { createHash } from 'node:crypto'
import { readdir, readFile, stat } from 'node:fs/promises'
import { join } from 'node:path'
import type {
  ReferenceDocument,
  ReferenceProblem,
  ReferenceSource,
} from '../../ports/reference-source.ts'

/** A larger file is refused: every task holds its content. */
export const MAX_REFERENCE_BYTES = 64 * 1024 * 1024
export const MAX_REFERENCE_FILES = 100

export function folderReferenceSource(folder: string): ReferenceSource {
  return {
    async load() {
      const documents: ReferenceDocument[] = []
      const problems: ReferenceProblem[] = []
      for (const file of (await jsonFiles(folder)).slice(0, MAX_REFERENCE_FILES)) {
        const name = file.slice(0, -'.json'.length)
        const read = await readDocument(name, join(folder, file))
        if ('message' in read) problems.push(read)
        else documents.push(read)
      }
      return { documents, problems }
    },
  }
}

/** A folder that is not there holds no tables: the built-in ones are in force. */
async function jsonFiles(folder: string): Promise<readonly string[]> {
  try {
    return (await readdir(folder)).filter((file) => file.endsWith('.json')).sort()
  } catch (error) {
    if (error instanceof Error && 'code' in error && error.code === 'ENOENT') return []
    throw error
  }
}

async function readDocument(
  name: string,
  path: string,
): Promise<ReferenceDocument | ReferenceProblem> {
  try {
    const { size } = await stat(path)
    if (size > MAX_REFERENCE_BYTES) {
      return { name, message: `${path} has ${size} bytes; ${MAX_REFERENCE_BYTES} are allowed` }
    }
    const bytes = await readFile(path)
    const tag = createHash('sha256').update(bytes).digest('hex')
    return { name, content: JSON.parse(bytes.toString('utf8')) as unknown, tag }
  } catch (error) {
    return {
      name,
      message: `cannot read ${path}: ${error instanceof Error ? error.message : error}`,
    }
  }
}
