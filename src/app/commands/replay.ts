// `outrider replay`: what would these rules have said of that history?

import { readFile } from 'node:fs/promises'
import type { Command } from 'commander'
import { type EpochMs, parseInstant } from '../../kernel/time.ts'
import type { RuleDocument } from '../../rules/rule-document.ts'
import { problemText, readRuleFile } from '../../rules/rule-file.ts'
import type { ReplayedAlert } from '../alert-difference.ts'
import {
  carryOut,
  commandLogger,
  commandSettings,
  DONE,
  table,
  UsageError,
} from '../command-line.ts'
import { type HistoryThread, topicInThreads, withHistoryThreads } from '../history-threads.ts'
import { openInspection } from '../inspection.ts'
import { type ReplayReport, replay } from '../replay.ts'
import { trialPipeline } from '../rule-trial.ts'
import { allPipelines, eventTopics, ruleTopics, topicName } from '../topics.ts'

interface ReplayFlags {
  readonly topic: string
  readonly from?: string
  readonly to?: string
  readonly rules?: string
  readonly json?: true
  readonly dataDir?: string
}

const SHOWN_ROWS = 200

export function registerReplay(program: Command): void {
  program
    .command('replay')
    .description('run history through the same code, with no side effects, and show the difference')
    .requiredOption('--topic <topic>', `one of ${[...eventTopics.keys()].join(', ')}`)
    .option('--from <time>', 'alerts that start at or after this instant (default: all)')
    .option('--to <time>', 'alerts that start before this instant (default: all)')
    .option('--rules <file>', 'YAML or JSON with rules to try in place of those of the same name')
    .option('--json', 'one JSON document on standard output')
    .option('--data-dir <folder>', 'where log and database are kept (default: .outrider)')
    .action((flags: ReplayFlags, command: Command) =>
      carryOut(command, () => withHistoryThreads((threads) => run(flags, threads))),
    )
}

async function run(flags: ReplayFlags, threads: readonly HistoryThread[]): Promise<number> {
  const trial = await trialOf(flags)
  const fromMs = instant('--from', flags.from, 0)
  const toMs = instant('--to', flags.to, Date.UTC(9999, 0))
  const settings = await commandSettings({ DATA_DIR: flags.dataDir })
  const topic = topicName(settings, flags.topic)
  const inspection = await openInspection(settings, commandLogger())
  try {
    const startedMs = inspection.clock.monotonicMs()
    let beganMs: number | null = null
    const report = await replay({
      ...inspection,
      run: topicInThreads({
        ...inspection,
        ...trial,
        settings,
        declared: flags.topic,
        topic,
        threads,
      }),
      rules: trial.rules,
      tenantId: null,
      topic,
      fromMs,
      toMs,
      progress: (events, of) => {
        beganMs ??= inspection.clock.monotonicMs()
        if (process.stderr.isTTY) {
          const percent = Math.floor((100 * events) / Math.max(1, of))
          process.stderr.write(`\r${percent} % of ${of.toLocaleString('en')} events `)
        }
      },
    })
    if (process.stderr.isTTY) process.stderr.write('\r\u001b[K')
    const seconds = (inspection.clock.monotonicMs() - startedMs) / 1_000
    const startSeconds = ((beganMs ?? startedMs) - startedMs) / 1_000
    process.stdout.write(
      flags.json === true
        ? `${JSON.stringify({ ...report, seconds, startSeconds })}\n`
        : text(report, seconds, startSeconds),
    )
    return DONE
  } finally {
    await inspection.close()
  }
}

interface Trial {
  /** Its name. */
  readonly pipeline: string
  /** Rules to run; null for those in force. */
  readonly documents: readonly RuleDocument[] | null
  /** Names of the rules that are tried; null where those in force are run again. */
  readonly rules: readonly string[] | null
}

async function trialOf(flags: ReplayFlags): Promise<Trial> {
  const { topic } = flags
  const present = allPipelines.find((each) => each.topic.name === topic)
  if (!eventTopics.has(topic) || present === undefined) {
    throw new UsageError(
      `there is no topic "${topic}"; there are ${[...eventTopics.keys()].join(', ')}.`,
    )
  }
  const pipeline = present.name
  if (flags.rules === undefined) return { pipeline, documents: null, rules: null }
  const { documents, names } = await rulesFrom(flags.rules, topic)
  if (trialPipeline(topic, documents) === undefined) {
    throw new UsageError(`no rules look at "${topic}".`)
  }
  return { pipeline, documents, rules: names }
}

async function rulesFrom(
  file: string,
  topic: string,
): Promise<{ readonly documents: readonly RuleDocument[]; readonly names: readonly string[] }> {
  const text = await readFile(file, 'utf8').catch((error: unknown) => {
    throw new UsageError(`cannot read ${file}: ${error instanceof Error ? error.message : error}`)
  })
  const read = readRuleFile(text, ruleTopics)
  if (!read.ok) {
    throw new UsageError(read.error.map((problem) => problemText(file, problem)).join('\n'))
  }
  const { rules, disabled } = read.value
  const foreign = rules.find((rule) => rule.topic !== topic)
  if (foreign !== undefined) {
    throw new UsageError(
      `${file}: rule "${foreign.name}" is about ${foreign.topic}, not about ${topic}.`,
    )
  }
  return { documents: rules, names: [...rules.map(({ name }) => name), ...disabled] }
}

function instant(flag: string, text: string | undefined, fallback: EpochMs): EpochMs {
  if (text === undefined) return fallback
  const atMs = parseInstant(text)
  if (atMs !== undefined) return atMs
  throw new UsageError(
    `${flag} must be ISO 8601 with an offset, such as 2026-01-31T08:00:00Z; found "${text}".`,
  )
}

function text(report: ReplayReport, seconds: number, startSeconds: number): string {
  const { events, alerts, recorded, same, counts } = report
  const speed = Math.round(events / Math.max(seconds, 0.001)).toLocaleString('en')
  const merged = counts.merged === 0 ? '' : ` (of ${counts.mergedFrom})`
  const lines = [
    `${events.toLocaleString('en')} events in ${seconds.toFixed(1)} s (${speed} events/s), ` +
      `${startSeconds.toFixed(1)} s of it until the first were run`,
    `${alerts} alerts, ${recorded} recorded: ${same} the same, ${counts.added} added, ${counts.gone} gone, ` +
      `${counts.shifted} shifted, ${counts.merged} merged${merged}, ${counts.split} split`,
    ...marks(report),
    ...section(
      'added',
      report.added.map((alert) => row('+', alert)),
    ),
    ...section(
      'gone',
      report.gone.map((alert) => row('-', alert)),
    ),
    ...section(
      'shifted',
      report.shifted.flatMap((each) => [row('-', each.recorded), row('+', each.replayed)]),
    ),
    ...section(
      'merged',
      report.merged.flatMap((each) => [
        ...each.recorded.map((alert) => row('-', alert)),
        row('+', each.replayed),
      ]),
    ),
    ...section(
      'split',
      report.split.flatMap((each) => [
        row('-', each.recorded),
        ...each.replayed.map((alert) => row('+', alert)),
      ]),
    ),
  ]
  return `${lines.join('\n')}\n`
}

/** Whether what is gone was taken seriously says whether the new rule is better. */
function marks({ marks: { recorded, gone } }: ReplayReport): readonly string[] {
  if (recorded.acknowledged + recorded.falseAlarm === 0) return []
  return [
    `gone: ${gone.acknowledged} of ${recorded.acknowledged} acknowledged, ` +
      `${gone.falseAlarm} of ${recorded.falseAlarm} marked as false alarms`,
  ]
}

type Row = readonly string[]

function row(sign: string, alert: ReplayedAlert): Row {
  const { rule, entityId, severity, startsAt, endsAt, summary } = alert
  return [sign, rule, entityId, severity, startsAt, endsAt ?? 'open', summary]
}

function section(title: string, rows: readonly Row[]): readonly string[] {
  if (rows.length === 0) return []
  const more = rows.length > SHOWN_ROWS ? [`… and ${rows.length - SHOWN_ROWS} more lines`] : []
  const columns = ['', 'rule', 'entity', 'severity', 'starts', 'ends', 'summary']
  return ['', title, table(columns, rows.slice(0, SHOWN_ROWS)), ...more]
}
