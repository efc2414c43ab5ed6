// Finds mappings: those that come with the program, one YAML file each and named as it is called, and files.

import { readdir, readFile } from 'node:fs/promises'
import { fileURLToPath } from 'node:url'
import { failed, ok, type Result } from '../kernel/result.ts'
import type { MappingSource } from './mapping.ts'

const folder = fileURLToPath(new URL('./mappings/', import.meta.url))
const ENDING = '.yaml'

export async function builtInMappingNames(): Promise<readonly string[]> {
  const files = await readdir(folder)
  return files
    .filter((file) => file.endsWith(ENDING))
    .map((file) => file.slice(0, -ENDING.length))
    .sort()
}

/** By the name of a built-in, or the path of a file. Fails with what to do. */
export async function findMapping(nameOrFile: string): Promise<Result<MappingSource, string>> {
  const names = await builtInMappingNames()
  const file = names.includes(nameOrFile) ? `${folder}${nameOrFile}${ENDING}` : nameOrFile
  try {
    return ok({ file: nameOrFile, text: await readFile(file, 'utf8') })
  } catch (error) {
    const code: unknown = error instanceof Error ? Reflect.get(error, 'code') : undefined
    const why =
      code === 'ENOENT' ? 'no file of that name either' : `the file cannot be read (${code})`
    return failed(
      `There is no mapping "${nameOrFile}", and ${why}. Built in are: ${names.join(', ')}.`,
    )
  }
}
