// Where reference tables come from: the operator's folder or bucket, and, for what is not there, the
// examples that fit the simulated fleets.

import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { folderReferenceSource } from '../adapters/reference/folder-source.ts'
import { s3ReferenceSource } from '../adapters/s3/s3-reference-source.ts'
import type { ReferenceSource } from '../ports/reference-source.ts'
import type { Settings } from './settings.ts'

const EXAMPLES = fileURLToPath(new URL('../../examples/reference', import.meta.url))

export interface ReferenceOptions {
  readonly settings: Settings
  /** Simulated fleets run: their tables stand in for those that the operator does not give. */
  readonly simulated: boolean
}

export function openReferenceSource({ settings, simulated }: ReferenceOptions): ReferenceSource {
  const own = ownSource(settings)
  const patient = afterFirst(own)
  return simulated ? layered(patient, folderReferenceSource(EXAMPLES)) : patient
}

function ownSource(settings: Settings): ReferenceSource {
  const place = /^s3:\/\/([^/]+)\/?(.*?)\/?$/.exec(settings.reference ?? '')
  if (place === null) {
    return folderReferenceSource(settings.reference ?? join(settings.dataDir, 'reference'))
  }
  const [, bucket = '', prefix = ''] = place
  const { s3Endpoint: endpoint, awsRegion: region } = settings
  return s3ReferenceSource({ bucket, prefix, endpoint, region })
}

/** A table of the first counts, also where it is malformed: the second holds what the first does not name. */
function layered(first: ReferenceSource, second: ReferenceSource): ReferenceSource {
  /** What the first ever named: where it is away for a while, the second does not step in. */
  const named = new Set<string>()
  return {
    async load() {
      const [own, other] = await Promise.all([first.load(), second.load()])
      for (const { name } of [...own.documents, ...own.problems]) named.add(name)
      const rest = other.documents.filter(({ name }) => !named.has(name))
      return { documents: [...own.documents, ...rest], problems: own.problems }
    },
  }
}

/**
 * Fails only until it answered once: from then on a source that is away is a problem that is told, and keeps
 * nobody from reading the others.
 */
function afterFirst(source: ReferenceSource): ReferenceSource {
  let answered = false
  return {
    async load() {
      try {
        const found = await source.load()
        answered = true
        return found
      } catch (error) {
        if (!answered) throw error
        const message = error instanceof Error ? error.message : String(error)
        return { documents: [], problems: [{ name: 'all tables', message }] }
      }
    },
  }
}
