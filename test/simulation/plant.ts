// Plants a bug: edits the source of the modules that are loaded from now on.

import { registerHooks } from 'node:module'
import { relative } from 'node:path'
import { fileURLToPath } from 'node:url'
import type { Plant } from './plants.ts'

const root = fileURLToPath(new URL('../..', import.meta.url))

/** Ends the process with this where a text to edit is not there exactly once. */
export const PLANT_FAILED = 3

export function plant({ name, edits }: Plant): void {
  registerHooks({
    load(url, context, nextLoad) {
      const loaded = nextLoad(url, context)
      if (!url.startsWith('file:')) return loaded
      const file = relative(root, fileURLToPath(url))
      const own = edits.filter((edit) => edit.file === file)
      if (own.length === 0) return loaded
      let source = String(loaded.source)
      for (const { find, replace } of own) {
        const parts = source.split(find)
        if (parts.length !== 2) {
          process.stderr.write(
            `Plant ${name}: "${find}" is ${parts.length - 1} times in ${file}.\n`,
          )
          process.exit(PLANT_FAILED)
        }
        source = parts.join(replace)
      }
      return { ...loaded, source }
    },
  })
}
