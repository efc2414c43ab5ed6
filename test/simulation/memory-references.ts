// Reference tables and their versions in memory.

import { PlatformError } from '../../src/kernel/errors.ts'
import type { ReferenceDocument, ReferenceStore } from '../../src/ports/reference-source.ts'

/** Numbers versions of each table from 1 on, and keeps them all. */
export function memoryReferences(): ReferenceStore {
  const versions = new Map<string, ReferenceDocument[]>()
  return {
    async register(document) {
      const known = versions.get(document.name) ?? []
      versions.set(document.name, known)
      return known.at(-1)?.tag === document.tag ? known.length : known.push(document)
    },
    async newest() {
      return [...versions].map(([name, known]) => ({
        name,
        version: known.length,
        content: known.at(-1)?.content,
      }))
    },
    async load(name, version) {
      const found = versions.get(name)?.[version - 1]
      if (found !== undefined) return found.content
      throw new PlatformError('not-found', `There is no version ${version} of ${name}.`, {
        retry: 'never',
      })
    },
  }
}
