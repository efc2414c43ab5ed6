import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after } from 'node:test'
import { logContract } from '../../ports/log.contract.ts'
import { systemClock } from '../clock/system-clock.ts'
import { openLmdbLog } from './lmdb-log.ts'

const directory = mkdtempSync(join(tmpdir(), 'outrider-log-'))
after(() => rmSync(directory, { recursive: true }))

logContract('LMDB log', () =>
  openLmdbLog({ directory: join(directory, 'shared'), clock: systemClock(), mode: 'write' }),
)
