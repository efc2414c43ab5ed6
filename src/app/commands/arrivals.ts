// `outrider arrivals accuracy`: past estimates against the arrivals that came.

import type { Command } from 'commander'
import {
  type Accuracy,
  accuracyOf,
  type CalibrationClass,
  type HorizonScore,
} from '../../domains/arrivals/accuracy.ts'
import { DEFAULT_TENANT } from '../../kernel/tenants.ts'
import { parseInstant } from '../../kernel/time.ts'
import {
  carryOut,
  commandLogger,
  commandSettings,
  DONE,
  table,
  UsageError,
} from '../command-line.ts'
import { openInspection } from '../inspection.ts'

interface AccuracyFlags {
  readonly from?: string
  readonly to?: string
  readonly tenant: string
  readonly dataDir?: string
  readonly json?: true
}

export function registerArrivals(program: Command): void {
  program
    .command('arrivals')
    .description('estimates of arrival')
    .command('accuracy')
    .description(
      'score past estimates: error by how far ahead they looked, and whether P is what it says',
    )
    .option('--from <instant>', 'estimates made from then on, as ISO 8601 with offset')
    .option('--to <instant>', 'estimates made before')
    .option('--tenant <tenant>', 'whose', DEFAULT_TENANT)
    .option('--data-dir <folder>', 'where log and database are kept (default: .outrider)')
    .option('--json', 'one JSON document on standard output')
    .action((flags: AccuracyFlags, command: Command) => carryOut(command, () => accuracy(flags)))
}

async function accuracy(flags: AccuracyFlags): Promise<number> {
  const fromMs = instantOf('--from', flags.from)
  const toMs = instantOf('--to', flags.to)
  const settings = await commandSettings({ DATA_DIR: flags.dataDir })
  const inspection = await openInspection(settings, commandLogger())
  try {
    const found = await accuracyOf(inspection.database, { tenantId: flags.tenant, fromMs, toMs })
    process.stdout.write(flags.json === true ? `${JSON.stringify(found)}\n` : report(found))
    return DONE
  } finally {
    await inspection.close()
  }
}

function instantOf(flag: string, text: string | undefined): number | undefined {
  if (text === undefined) return undefined
  const ms = parseInstant(text)
  if (ms !== undefined) return ms
  throw new UsageError(`${flag} must be ISO 8601 with an offset; found "${text}".`)
}

function report({ estimates, journeys, horizons, calibration, brierScore }: Accuracy): string {
  if (estimates === 0) return 'No estimate yet of a journey that has arrived.\n'
  const told = `${amount(estimates)} estimates of ${amount(journeys)} journeys that have arrived.\n`
  const byHorizon = table(
    [
      'before arrival',
      'estimates',
      'journeys',
      'mean error',
      'mean absolute',
      'within P50',
      'within P90',
    ],
    horizons.map(horizonLine),
  )
  const byClass = table(
    ['said to be late', 'estimates', 'mean', 'were late'],
    calibration.map(classLine),
  )
  return `${told}\n${byHorizon}\n\n${byClass}\n\nBrier score ${(brierScore ?? 0).toFixed(3)} (0 is perfect, 0.25 is a coin).\n`
}

function horizonLine(score: HorizonScore): readonly string[] {
  const { fromMin, toMin } = score
  return [
    toMin === null ? `${fromMin} min and more` : `${fromMin}–${toMin} min`,
    amount(score.estimates),
    amount(score.journeys),
    `${Math.round(score.meanErrorS)} s`,
    `${Math.round(score.meanAbsoluteErrorS)} s`,
    percent(score.withinP50),
    percent(score.withinP90),
  ]
}

function classLine({ from, to, estimates, meanProbability, lateShare }: CalibrationClass) {
  const range = `${Math.round(from * 100)}–${Math.round(to * 100)} %`
  return [range, amount(estimates), percent(meanProbability), percent(lateShare)]
}

function amount(value: number): string {
  return value.toLocaleString('en')
}

function percent(share: number): string {
  return `${Math.round(share * 100)} %`
}
