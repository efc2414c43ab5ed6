// `outrider start`: everything in one process, with simulated fleets unless told otherwise.

import type { Command } from 'commander'
import { createPinoLogger } from '../../adapters/logger/pino-logger.ts'
import { ORDERS } from '../../domains/arrivals/simulate.ts'
import { DEFAULT_TENANT } from '../../kernel/tenants.ts'
import { type DurationMs, SECOND_MS } from '../../kernel/time.ts'
import type { Logger } from '../../ports/logger.ts'
import { carryOut, commandSettings, DONE, UsageError } from '../command-line.ts'
import { openPlatform, type Platform } from '../platform.ts'
import { openReferenceSource } from '../reference-source.ts'
import { serve } from '../serve.ts'
import { PROCESS_ROLES, type Settings } from '../settings.ts'
import { ordersToDesk, withOrders } from '../simulation/order-sender.ts'
import { runPeople } from '../simulation/people.ts'
import { runSimulation } from '../simulation/run-simulation.ts'
import { allDomains, checkReference } from '../topics.ts'

/** Draining takes at most this long; then the process ends as it is, and loses nothing by it. */
const STOP_TIMEOUT_MS: DurationMs = 10 * SECOND_MS
/** A process of several answers so long that it is about to end, before it stops to listen. */
const DRAIN_GRACE_MS: DurationMs = SECOND_MS
/** Ctrl-C reaches a process twice where a wrapper passes it on; a second one later means it. */
const SAME_SIGNAL_MS: DurationMs = SECOND_MS

interface StartFlags {
  readonly port?: string
  readonly dataDir?: string
  readonly simulate: boolean
  readonly vehicles?: string
  readonly seed?: string
  readonly roles?: string
}

export function registerStart(program: Command): void {
  program
    .command('start')
    .description('run everything: doors, tasks, workflows, API and dashboard')
    .option('--port <port>', 'port to listen on; 0 takes a free one (default: 8080)')
    .option('--data-dir <folder>', 'where log and database are kept (default: .outrider)')
    .option('--no-simulate', 'without the simulated fleets')
    .option('--vehicles <n>', 'trucks, cars … of each simulated fleet (default: 60)')
    .option('--seed <s>', 'seed of the simulated fleets (default: 1)')
    .option('--roles <list>', 'of doors,tasks,work,serve (default: all of them in this process)')
    .action((flags: StartFlags, command: Command) => carryOut(command, () => start(flags)))
}

async function start(flags: StartFlags): Promise<number> {
  const settings = await commandSettings({
    PORT: flags.port,
    DATA_DIR: flags.dataDir,
    ROLES: flags.roles,
  })
  const isWhole = PROCESS_ROLES.every((role) => settings.roles.has(role))
  const simulated = flags.simulate && settings.roles.has('doors')
  const vehicles =
    flags.vehicles === undefined ? undefined : wholeNumber('--vehicles', flags.vehicles)
  const seed = wholeNumber('--seed', flags.seed ?? '1')
  const logger = createPinoLogger({ level: settings.logLevel })
  const stop = stopSignal()
  const platform = await openPlatform({ settings, logger, simulated: flags.simulate })
  const closers = [() => platform.close()]
  try {
    const serving = await serve(platform)
    closers.push(() => serving.close())
    process.stdout.write(welcome(serving.address, settings, simulated))
    const simulation = simulated
      ? simulate(platform, serving.address, { vehicles, seed, signal: stop })
      : Promise.resolve()
    await Promise.race([aborted(stop), simulation.then(() => aborted(stop))])
    process.stdout.write('Stopping: finishing what is under way …\n')
    serving.drain()
    // Whoever balances over several processes has a moment to notice.
    if (!isWhole) await platform.clock.sleep(DRAIN_GRACE_MS)
    await simulation
  } finally {
    await closeWithin(STOP_TIMEOUT_MS, platform, async () => {
      for (const close of closers.reverse()) await close()
    })
  }
  process.stdout.write('Stopped.\n')
  return DONE
}

function wholeNumber(flag: string, text: string): number {
  const number = Number(text)
  if (Number.isInteger(number) && number >= 0) return number
  throw new UsageError(`${flag} must be a whole number; found "${text}".`)
}

interface SimulatedLoad {
  /** Of each fleet; undefined: as many as it has by itself. */
  readonly vehicles: number | undefined
  readonly seed: number
  readonly signal: AbortSignal
}

/** The fleets go through the same judgement and log as any sender; their people answer where answers are taken. */
async function simulate(
  { clock, ingest, logger, arrivalDesk, database, settings }: Platform,
  address: string,
  { vehicles, seed, signal }: SimulatedLoad,
): Promise<void> {
  const orders = arrivalDesk === null ? null : ordersToDesk(arrivalDesk, clock)
  const people =
    arrivalDesk !== null && settings.roles.has('serve')
      ? runPeople({ database, address, clock, logger, signal })
      : Promise.resolve()
  try {
    await runSimulation({
      clock,
      tables: await operatorTables(settings, logger),
      fleets: allDomains.flatMap(({ fleets }) => fleets),
      seed,
      signal,
      finishes: true,
      ...(vehicles === undefined ? {} : { vehicles }),
      send: withOrders(ORDERS, orders, async (topic, batch) => {
        const events = batch.trimEnd().split('\n')
        const outcome = await ingest.accept({
          topic,
          tenantId: DEFAULT_TENANT,
          door: 'simulator',
          events: events.map((event) => Buffer.from(event)),
        })
        return { accepted: outcome.accepted, rejected: outcome.rejected.length }
      }),
    })
  } catch (error) {
    logger.error('simulation-ended', error)
  }
  await people
}

/** What the operator's own folder or bucket holds: simulated travellers drive on its roads. */
async function operatorTables(
  settings: Settings,
  logger: Logger,
): Promise<ReadonlyMap<string, unknown>> {
  try {
    const { documents } = await openReferenceSource({ settings, simulated: false }).load()
    const sound = documents.filter(
      ({ name, content }) => checkReference(name, content) === undefined,
    )
    return new Map(sound.map(({ name, content }) => [name, content]))
  } catch (error) {
    logger.error('references-not-read', error)
    return new Map()
  }
}

function welcome(address: string, settings: Settings, simulated: boolean): string {
  const access =
    settings.adminToken === null
      ? 'Only this machine is let in, without signing in. Set OUTRIDER_ADMIN_TOKEN to let others in.'
      : 'Sign in with the token in OUTRIDER_ADMIN_TOKEN.'
  const isWhole = PROCESS_ROLES.every((role) => settings.roles.has(role))
  const roles = isWhole ? '' : `Roles of this process: ${[...settings.roles].join(', ')}.\n`
  const fleet = simulated ? 'Simulated fleets are driving; --no-simulate runs without them.\n' : ''
  return `\nOutrider is running at ${address}\n${roles}${access}\n${fleet}Data: ${settings.dataDir}. Ctrl-C stops.\n\n`
}

/** Aborts on the first Ctrl-C or SIGTERM; a later one ends the process at once. */
function stopSignal(): AbortSignal {
  const stop = new AbortController()
  let firstMs = 0
  const onSignal = (): void => {
    const nowMs = process.uptime() * SECOND_MS
    if (!stop.signal.aborted) firstMs = nowMs
    else if (nowMs - firstMs > SAME_SIGNAL_MS) process.exit(1)
    stop.abort()
  }
  process.on('SIGINT', onSignal).on('SIGTERM', onSignal).on('SIGHUP', onSignal)
  return stop.signal
}

function aborted(signal: AbortSignal): Promise<void> {
  if (signal.aborted) return Promise.resolve()
  return new Promise((resolve) => signal.addEventListener('abort', () => resolve(), { once: true }))
}

async function closeWithin(
  limitMs: DurationMs,
  { clock, logger }: Platform,
  close: () => Promise<void>,
): Promise<void> {
  const done = new AbortController()
  const late = clock.sleep(limitMs, done.signal).then(() => {
    if (done.signal.aborted) return
    logger.warn('stop-timed-out', { limitMs })
    process.exit(1)
  })
  await close()
  done.abort()
  await late
}
