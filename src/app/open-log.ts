// The log that the settings name; nobody else picks one.

import { join } from 'node:path'
import { openLmdbLog } from '../adapters/log/lmdb-log.ts'
import type { Clock } from '../ports/clock.ts'
import type { Log } from '../ports/log.ts'
import type { Settings } from './settings.ts'

/** `read` goes beside a process that writes. */
export function openLog(
  { dataDir }: Settings,
  { clock, mode }: { readonly clock: Clock; readonly mode: 'read' | 'write' },
): Promise<Log> {
  return openLmdbLog({ directory: join(dataDir, 'log'), clock, mode })
}
