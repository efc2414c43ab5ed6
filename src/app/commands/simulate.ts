// `outrider simulate`: synthetic events through the HTTP door, into Kafka, or as NDJSON on standard output.

import { readFile } from 'node:fs/promises'
import type { Command } from 'commander'
import { systemClock } from '../../adapters/clock/system-clock.ts'
import { ROAD_TABLE } from '../../domains/arrivals/roads/road-document.ts'
import { ORDERS } from '../../domains/arrivals/simulate.ts'
import { FAULTS } from '../../domains/faults.ts'
import { isRetryable, PlatformError } from '../../kernel/errors.ts'
import { failed, ok, type Result } from '../../kernel/result.ts'
import { toIso } from '../../kernel/time.ts'
import type { Clock } from '../../ports/clock.ts'
import { commandSettings } from '../command-line.ts'
import { openLog } from '../open-log.ts'
import { httpSender } from '../simulation/http-sender.ts'
import { logSender } from '../simulation/log-sender.ts'
import { ordersOverHttp, withOrders } from '../simulation/order-sender.ts'
import {
  runSimulation,
  type SimulationRun,
  type SimulationTotals,
} from '../simulation/run-simulation.ts'
import {
  DEFAULT_START_MS,
  readOrder,
  SIMULATED_DOMAINS,
  type SimulateOptions,
  type SimulateOrder,
} from '../simulation/simulate-order.ts'
import { streamSender } from '../simulation/stream-sender.ts'
import { checkReference, partitionsOf, topicName } from '../topics.ts'

const DEFAULT_URL = 'http://127.0.0.1:8080'
const PROGRESS_EVERY_MS = 1_000
const WRONG_USAGE = 2

export function registerSimulate(program: Command): void {
  program
    .command('simulate')
    .description(
      'send realistic synthetic events through the HTTP door or Kafka, or write them as NDJSON',
    )
    .argument('<domain>', `what to simulate: ${SIMULATED_DOMAINS.join(', ')}`)
    .option(
      '--rate <n/s>',
      'events a second over all that is simulated (default: as each fleet does by itself)',
    )
    .option(
      '--vehicles <n>',
      'trucks, cars … of each fleet (default: as many as it has, or the rate needs)',
    )
    .option('--trips <n/s>', 'trips begun a second, for domains with trips (instead of --vehicles)')
    .option('--variability <v>', 'how much trips differ, from 0 to 1 (default: 0.5)')
    .option('--seed <n>', 'the same seed gives the same events', '1')
    .option(
      '--speedup <k>',
      'simulated time passes K times as fast, from a day ago up to now and from there on with the clock',
      '1',
    )
    .option('--faults <list>', `spoil some of the events: any of ${FAULTS.join(',')}`)
    .option(
      '--to <target>',
      'URL of a running Outrider, kafka for the brokers of OUTRIDER_KAFKA_BROKERS, or - for standard output',
      DEFAULT_URL,
    )
    .option('--count <n>', 'stop after so many events (default: go on until Ctrl-C)')
    .option(
      '--roads <file>',
      'travellers drive on these roads, made by `outrider roads build` (default: a sketched city)',
    )
    .option('--start <instant>', 'where simulated time begins, as ISO 8601 with offset')
    .option('--event-ids', 'give every event an eventId (always so with --faults duplicate)')
    .addHelpText(
      'after',
      `
To - nothing is paced unless --rate or --speedup is given, and time begins at ${toIso(DEFAULT_START_MS)}.
OUTRIDER_ADMIN_TOKEN is sent as bearer credential where it is set.
More in docs/simulator.md.`,
    )
    .action(async (domain: string, options: SimulateOptions, command: Command) => {
      const clock = systemClock()
      const order = readOrder(domain, options, clock.nowMs())
      const tables = await readTables(options)
      const problems = [order, tables].flatMap((each) => (each.ok ? [] : [each.error]))
      if (!order.ok || !tables.ok) {
        command.error(`error: ${problems.join('; ')}`, { exitCode: WRONG_USAGE })
      } else {
        const run = { ...order.value.run, tables: tables.value }
        process.exitCode = await carryOut({ ...order.value, run }, clock)
      }
    })
}

/** Reference tables of the operator, by name, that worlds are made of. */
async function readTables({
  roads,
}: SimulateOptions): Promise<Result<ReadonlyMap<string, unknown>, string>> {
  if (roads === undefined) return ok(new Map())
  try {
    const content: unknown = JSON.parse(await readFile(roads, 'utf8'))
    const problem = checkReference(ROAD_TABLE, content)
    if (problem === undefined) return ok(new Map([[ROAD_TABLE, content]]))
    return failed(
      `--roads ${roads} is no table of roads (${problem}); make one with outrider roads build`,
    )
  } catch (error) {
    return failed(`--roads ${roads} cannot be read: ${describe(error)}`)
  }
}

/** Exit code: 0 where all was sent, or as much as Ctrl-C or the reader let us. */
async function carryOut(order: SimulateOrder, clock: Clock): Promise<number> {
  const stop = new AbortController()
  // May come twice: from the terminal, and passed on by the program that started us.
  const onSignal = (): void => stop.abort()
  process.on('SIGINT', onSignal).on('SIGTERM', onSignal)
  try {
    switch (order.target.kind) {
      case 'stdout':
        await writeOut(order, clock, stop.signal)
        break
      case 'kafka':
        await produce(order, clock, stop.signal)
        break
      case 'http':
        await post(order, order.target.url, clock, stop.signal)
    }
    return 0
  } catch (error) {
    process.stderr.write(`${describe(error)}\n`)
    return 1
  } finally {
    process.off('SIGINT', onSignal).off('SIGTERM', onSignal)
  }
}

async function writeOut(order: SimulateOrder, clock: Clock, stop: AbortSignal): Promise<void> {
  const out = streamSender(process.stdout)
  const signal = AbortSignal.any([stop, out.closed])
  const send = (_topic: string, batch: string, count: number) => out.send(batch, count)
  await runSimulation({ ...order.run, clock, send, signal })
}

async function post(
  order: SimulateOrder,
  url: URL,
  clock: Clock,
  signal: AbortSignal,
): Promise<void> {
  const screen = progressLine(clock)
  const to = {
    url,
    token: process.env.OUTRIDER_ADMIN_TOKEN,
    clock,
    signal,
    onDelay: screen.note,
  }
  const send = withOrders(ORDERS, ordersOverHttp(to), httpSender(to))
  await runOn(screen, { ...order.run, clock, send, signal })
}

/** To the brokers and topics that the settings name, as a producer that is no part of us. */
async function produce(order: SimulateOrder, clock: Clock, signal: AbortSignal): Promise<void> {
  const settings = await commandSettings()
  if (settings.kafka === null) {
    throw new PlatformError('bad-setting', '--to kafka needs OUTRIDER_KAFKA_BROKERS.', {
      retry: 'never',
    })
  }
  const screen = progressLine(clock)
  const log = await openLog(settings, { clock, mode: 'write' })
  try {
    const topicOf = (topic: string) => ({
      name: topicName(settings, topic),
      partitions: partitionsOf(settings, topic),
    })
    const send = logSender({ log, topicOf, clock, signal, onDelay: screen.note })
    await runOn(screen, { ...order.run, clock, send, signal })
  } finally {
    await log.close()
  }
}

async function runOn(screen: Screen, run: SimulationRun): Promise<void> {
  const totals = await runSimulation({ ...run, onProgress: screen.update }).finally(screen.clear)
  screen.summary(totals)
}

// What the screen shows.

interface Screen {
  update(totals: SimulationTotals): void
  /** Says it once, however often it is repeated. */
  note(message: string): void
  clear(): void
  summary(totals: SimulationTotals): void
}

function progressLine(clock: Clock): Screen {
  const { stderr } = process
  const begunMs = clock.monotonicMs()
  let shownMs = begunMs
  let shownSent = 0
  let noted = ''
  const clear = (): void => {
    if (stderr.isTTY) stderr.write('\r\x1b[K')
  }
  return {
    clear,
    update(totals) {
      const nowMs = clock.monotonicMs()
      if (!stderr.isTTY || nowMs - shownMs < PROGRESS_EVERY_MS) return
      const rate = ((totals.sent - shownSent) * 1_000) / (nowMs - shownMs)
      shownMs = nowMs
      shownSent = totals.sent
      stderr.write(
        `\r\x1b[K${amount(totals.sent)} events sent, ${amount(totals.accepted)} accepted, ` +
          `${amount(totals.rejected)} rejected, ${amount(rate)}/s, at ${toIso(totals.simulatedMs)}`,
      )
    },
    note(message) {
      if (message === noted) return
      noted = message
      clear()
      stderr.write(`${message}\n`)
    },
    summary(totals) {
      const seconds = (clock.monotonicMs() - begunMs) / 1_000
      const unsent =
        totals.unsent === 0 ? '' : ` ${amount(totals.unsent)} more were not known to have arrived.`
      stderr.write(
        `Sent ${amount(totals.sent)} events in ${seconds.toFixed(1)} s ` +
          `(${amount(totals.sent / Math.max(0.001, seconds))}/s): ` +
          `${amount(totals.accepted)} accepted, ${amount(totals.rejected)} rejected.${unsent}\n`,
      )
    },
  }
}

function amount(value: number): string {
  return Math.round(value).toLocaleString('en-US')
}

function describe(error: unknown): string {
  if (error instanceof PlatformError) {
    return `error: ${error.message}${isRetryable(error) ? ' Try again later.' : ''}`
  }
  return error instanceof Error ? `error: ${error.message}` : `error: ${String(error)}`
}
