// The operator's rule files: `rules/` in the data directory, every `.yaml`, `.yml` and `.json` in it.

import { readdir, readFile, stat } from 'node:fs/promises'
import { join } from 'node:path'
import { MAX_RULE_FILE_CHARACTERS } from '../rules/rule-file.ts'
import type { RuleFileProblem } from './rule-book.ts'

export const MAX_RULE_FILES = 200

export interface RuleFiles {
  /** What is there now; a file that can't be read is a problem. */
  read(): Promise<{
    readonly found: readonly { readonly name: string; readonly text: string }[]
    readonly problems: readonly RuleFileProblem[]
  }>
}

export function ruleFilesIn(folder: string): RuleFiles {
  return {
    async read() {
      const found: { name: string; text: string }[] = []
      const problems: RuleFileProblem[] = []
      for (const name of await namesIn(folder)) {
        try {
          const path = join(folder, name)
          const { size } = await stat(path)
          if (size > MAX_RULE_FILE_CHARACTERS) {
            throw new Error(`it has ${size} bytes; ${MAX_RULE_FILE_CHARACTERS} are allowed`)
          }
          found.push({ name, text: await readFile(path, 'utf8') })
        } catch (error) {
          const message = `it cannot be read: ${error instanceof Error ? error.message : error}`
          const place = { line: 1, column: 1, endColumn: 1, rule: null, path: '' }
          problems.push({ ...place, file: name, message })
        }
      }
      return { found, problems }
    },
  }
}

/** A folder that is not there holds no rules. */
async function namesIn(folder: string): Promise<readonly string[]> {
  try {
    const names = await readdir(folder)
    return names
      .filter((name) => /\.(ya?ml|json)$/.test(name) && !name.startsWith('.'))
      .sort()
      .slice(0, MAX_RULE_FILES)
  } catch (error) {
    if (error instanceof Error && 'code' in error && error.code === 'ENOENT') return []
    throw error
  }
}
