// `outrider doctor`: checks settings and everything they point at, says what is wrong and how to mend it.

import { accessSync, constants, existsSync, statfsSync, statSync } from 'node:fs'
import { createServer } from 'node:net'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import type { Command } from 'commander'
import { systemClock } from '../../adapters/clock/system-clock.ts'
import { lockDataDir } from '../../adapters/data-dir/data-dir-lock.ts'
import { PlatformError } from '../../kernel/errors.ts'
import {
  carryOut,
  commandLogger,
  commandSettings,
  DONE,
  FAILED,
  problemText,
} from '../command-line.ts'
import { openInspection } from '../inspection.ts'
import { dynamoDbAddress } from '../open-views.ts'
import { openReferenceSource } from '../reference-source.ts'
import { missingForRoles } from '../role-needs.ts'
import type { Settings } from '../settings.ts'
import { checkReference } from '../topics.ts'
import { checkDocuments } from './doctor-documents.ts'
import { checkDynamoDb, mendDynamoDb } from './doctor-dynamodb.ts'
import { checkKafka } from './doctor-kafka.ts'
import { checkMail, checkPostgres, checkRedis, type Finding } from './doctor-servers.ts'

const MINIMUM_NODE = 24
/** Below it the log soon refuses events. */
const LITTLE_SPACE_BYTES = 1024 * 1024 * 1024

export function registerDoctor(program: Command): void {
  program
    .command('doctor')
    .description('check settings, data directory and servers; say what is wrong and how to mend it')
    .option('--json', 'one JSON document on standard output')
    .option('--data-dir <folder>', 'where log and database are kept (default: .outrider)')
    .option('--fix', 'make what is missing: the table of live views in DynamoDB')
    .action((flags: DoctorFlags, command: Command) =>
      carryOut(command, async () => {
        const findings = await examine(flags)
        const healthy = findings.every(({ state }) => state !== 'failed')
        process.stdout.write(
          flags.json === true ? `${JSON.stringify({ healthy, findings })}\n` : text(findings),
        )
        return healthy ? DONE : FAILED
      }),
    )
}

interface DoctorFlags {
  readonly json?: true
  readonly dataDir?: string
  readonly fix?: true
}

async function examine({ dataDir, fix }: DoctorFlags): Promise<readonly Finding[]> {
  const findings = [runtime(), dashboard()]
  let settings: Settings
  try {
    settings = await commandSettings({ DATA_DIR: dataDir })
  } catch (error) {
    return [...findings, { part: 'settings', state: 'failed', message: problemText(error) }]
  }
  findings.push({ part: 'settings', state: 'ok', message: describe(settings) })
  const folder = dataFolder(settings)
  findings.push(folder)
  const running =
    folder.state !== 'failed' && existsSync(logFolder(settings)) && (await isRunning(settings))
  findings.push(await port(settings, running))
  findings.push(...(await references(settings)))
  if (folder.state !== 'failed') findings.push(...(await checkDocuments(settings)))
  const clock = systemClock()
  findings.push(...(await checkKafka(settings, clock)))
  if (settings.views === 'redis' && settings.redisUrl !== null) {
    findings.push(...(await checkRedis(settings.redisUrl, clock)))
  }
  if (settings.views === 'dynamodb') {
    const address = dynamoDbAddress(settings)
    findings.push(...(await (fix === true ? mendDynamoDb(address) : checkDynamoDb(address))))
  }
  if (settings.smtpUrl !== null) findings.push(...(await checkMail(settings.smtpUrl)))
  findings.push(...roleFindings(settings))
  if (settings.databaseUrl !== null)
    findings.push(...(await checkPostgres(settings.databaseUrl, clock)))
  else if (folder.state !== 'failed') findings.push(await embedded(settings))
  return findings
}

function runtime(): Finding {
  const major = Number(process.versions.node.split('.')[0])
  return major >= MINIMUM_NODE
    ? { part: 'node', state: 'ok', message: process.version }
    : {
        part: 'node',
        state: 'failed',
        message: `${process.version} is too old: ${MINIMUM_NODE} is needed. Run npm ci, and start with npm or npx outrider.`,
      }
}

function dashboard(): Finding {
  const built = existsSync(fileURLToPath(new URL('../../../web/build/index.html', import.meta.url)))
  return built
    ? { part: 'dashboard', state: 'ok', message: 'built' }
    : { part: 'dashboard', state: 'warning', message: 'not built: run npm run build' }
}

function describe(settings: Settings): string {
  const database = settings.databaseUrl === null ? 'embedded PostgreSQL' : 'PostgreSQL of your own'
  const access = settings.adminToken === null ? 'this machine only' : 'token required'
  return `port ${settings.port}, ${settings.partitions} partitions, ${database}, ${access}`
}

function roleFindings(settings: Settings): readonly Finding[] {
  return missingForRoles(settings).map((message) => ({ part: 'roles', state: 'failed', message }))
}

function dataFolder({ dataDir }: Settings): Finding {
  let existing = dataDir
  while (!existsSync(existing)) existing = dirname(existing)
  if (!statSync(existing).isDirectory()) {
    return {
      part: 'data directory',
      state: 'failed',
      message: `${existing} is a file; a folder must be there. Move it, or set OUTRIDER_DATA_DIR.`,
    }
  }
  try {
    accessSync(existing, constants.W_OK)
  } catch {
    return {
      part: 'data directory',
      state: 'failed',
      message: `${existing} can't be written by this user. Give it to the user, or set OUTRIDER_DATA_DIR.`,
    }
  }
  const { bavail, bsize } = statfsSync(existing)
  const freeBytes = bavail * bsize
  const free = `${(freeBytes / 1024 ** 3).toFixed(1)} GiB free`
  return freeBytes < LITTLE_SPACE_BYTES
    ? { part: 'data directory', state: 'warning', message: `${dataDir}: only ${free}; make room` }
    : { part: 'data directory', state: 'ok', message: `${dataDir}, ${free}` }
}

/** Only where it is there was anything ever started; elsewhere nothing is touched. */
function logFolder({ dataDir }: Settings): string {
  return join(dataDir, 'log')
}

async function isRunning(settings: Settings): Promise<boolean> {
  try {
    const lock = await lockDataDir(settings.dataDir)
    await lock.release()
    return false
  } catch (error) {
    return error instanceof PlatformError && error.code === 'data-dir-locked'
  }
}

function port({ port: number, adminToken }: Settings, running: boolean): Promise<Finding> {
  const part = 'port'
  if (number === 0) return Promise.resolve({ part, state: 'ok', message: 'any that is free' })
  return new Promise((resolve) => {
    const probe = createServer()
    probe.once('error', (error) => resolve(portProblem(number, running, error)))
    probe.listen(number, adminToken === null ? '127.0.0.1' : '0.0.0.0', () =>
      probe.close(() => resolve({ part, state: 'ok', message: `${number} is free` })),
    )
  })
}

function portProblem(number: number, running: boolean, error: NodeJS.ErrnoException): Finding {
  const part = 'port'
  if (error.code !== 'EADDRINUSE') {
    const message = `${number} can't be listened on (${error.code}). Set OUTRIDER_PORT to one from 1024 on.`
    return { part, state: 'failed', message }
  }
  if (running) return { part, state: 'ok', message: `${number} is taken, and Outrider is running` }
  const message = `${number} is taken by another program. Stop it, or set OUTRIDER_PORT.`
  return { part, state: 'failed', message }
}

async function references(settings: Settings): Promise<readonly Finding[]> {
  const place = settings.reference ?? join(settings.dataDir, 'reference')
  if (!place.startsWith('s3://') && !existsSync(place)) {
    if (settings.reference === null) return []
    const message = `${place} does not exist; the built-in tables are in force.`
    return [{ part: 'reference data', state: 'warning', message }]
  }
  const read = await openReferenceSource({ settings, simulated: false })
    .load()
    .catch((error: unknown) => (error instanceof Error ? error.message : String(error)))
  if (typeof read === 'string') return [{ part: 'reference data', state: 'failed', message: read }]
  const { documents, problems } = read
  const wrong = documents.flatMap(({ name, content }) => {
    const problem = checkReference(name, content)
    return problem === undefined ? [] : [{ name, message: problem }]
  })
  const faults = [...problems, ...wrong]
  if (faults.length > 0) {
    return faults.map(({ name, message }) => ({
      part: 'reference data',
      state: 'failed' as const,
      message: `${name}: ${message}`,
    }))
  }
  return [{ part: 'reference data', state: 'ok', message: `${documents.length} tables` }]
}

async function embedded(settings: Settings): Promise<Finding> {
  const part = 'database'
  try {
    const inspection = await openInspection(settings, commandLogger())
    try {
      const topics = await inspection.log.topics()
      const tasks = await inspection.database.query('SELECT count(*) AS tasks FROM task')
      const where = inspection.beside ? 'beside the running program' : 'started for this check'
      const message = `embedded PostgreSQL answers (${where}); ${topics.length} topics, ${tasks[0]?.tasks} tasks`
      return { part, state: 'ok', message }
    } finally {
      await inspection.close()
    }
  } catch (error) {
    if (error instanceof PlatformError && error.code === 'not-found') {
      return {
        part,
        state: 'ok',
        message: 'embedded PostgreSQL will be created at the first start',
      }
    }
    return { part, state: 'failed', message: problemText(error) }
  }
}

const MARKS = { ok: 'ok     ', warning: 'warning', failed: 'FAILED ' } as const

function text(findings: readonly Finding[]): string {
  return findings
    .map(({ part, state, message }) => `${MARKS[state]}  ${part}: ${message}\n`)
    .join('')
}
