// `outrider replay`: what would these rules have said of that history?

import { readFile } from 'node:fs/promises'
import type { Command } from 'commander'
import type { Domain } from '../../domains/domain.ts'
import { PlatformError } from '../../kernel/errors.ts'
import { type EpochMs, parseInstant } from '../../kernel/time.ts'
import { parseRuleFile, withRules } from '../../rules/rule-file.ts'
import type { AnyPipeline } from '../../streams/pipeline.ts'
import {
  carryOut,
  commandLogger,
  commandSettings,
  DONE,
  table,
  UsageError,
} from '../command-line.ts'
import { openInspection } from '../inspection.ts'
import { type ReplayedAlert, type ReplayReport, replay } from '../replay.ts'
import { allDomains, eventTopics, topicName } from '../topics.ts'

interface ReplayFlags {
  readonly topic: string
  readonly from?: string
  readonly to?: string
  readonly rules?: string
  readonly json?: true
  readonly dataDir?: string
}

const SHOWN_ROWS = 20

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
    .action((flags: ReplayFlags, command: Command) => carryOut(command, () => run(flags)))
}

async function run(flags: ReplayFlags): Promise<number> {
  const pipeline = await pipelineFor(flags)
  const fromMs = instant('--from', flags.from, 0)
  const toMs = instant('--to', flags.to, Date.UTC(9999, 0))
  const settings = await commandSettings({ DATA_DIR: flags.dataDir })
  const inspection = await openInspection(settings, commandLogger())
  try {
    const startedMs = inspection.clock.monotonicMs()
    const report = await replay({
      ...inspection,
      pipeline,
      topic: topicName(settings, flags.topic),
      fromMs,
      toMs,
      progress: (events, of) => {
        if (process.stderr.isTTY) {
          const percent = Math.floor((100 * events) / Math.max(1, of))
          process.stderr.write(`\r${percent} % of ${of.toLocaleString('en')} events `)
        }
      },
    })
    if (process.stderr.isTTY) process.stderr.write('\r\u001b[K')
    const seconds = (inspection.clock.monotonicMs() - startedMs) / 1_000
    process.stdout.write(
      flags.json === true ? `${JSON.stringify({ ...report, seconds })}\n` : text(report, seconds),
    )
    return DONE
  } finally {
    await inspection.close()
  }
}

async function pipelineFor(flags: ReplayFlags): Promise<AnyPipeline> {
  const domain = allDomains.find(({ pipelines }) =>
    pipelines.some(({ topic }) => topic.name === flags.topic),
  )
  if (domain === undefined) {
    throw new UsageError(
      `there is no topic "${flags.topic}"; there are ${[...eventTopics.keys()].join(', ')}.`,
    )
  }
  const rules =
    flags.rules === undefined ? domain.rules : await rulesFrom(flags.rules, domain, flags)
  const found = domain.pipelinesWith(rules).find(({ topic }) => topic.name === flags.topic)
  if (found === undefined) throw new UsageError(`no pipeline reads "${flags.topic}".`)
  return found
}

/** Each rule of the file is tried by itself, so that what is wrong is said of the right line. */
async function rulesFrom(
  file: string,
  domain: Domain,
  { topic }: ReplayFlags,
): Promise<ReturnType<typeof withRules>> {
  const text = await readFile(file, 'utf8').catch((error: unknown) => {
    throw new UsageError(`cannot read ${file}: ${error instanceof Error ? error.message : error}`)
  })
  const parsed = parseRuleFile(text)
  if (!parsed.ok) throw new UsageError(`${file}: ${parsed.error}`)
  const { rules, disabled, lines } = parsed.value
  const refuse = (name: string, why: string): UsageError =>
    new UsageError(`${file}: line ${lines.get(name)}: ${why}`)
  for (const rule of rules) {
    if (rule.topic !== topic) {
      throw refuse(rule.name, `rule "${rule.name}" is about ${rule.topic}, not about ${topic}.`)
    }
    try {
      domain.pipelinesWith([rule])
    } catch (error) {
      throw error instanceof PlatformError ? refuse(rule.name, error.message) : error
    }
  }
  const absent = disabled.find((name) => !domain.rules.some((rule) => rule.name === name))
  if (absent !== undefined) throw refuse(absent, `there is no rule "${absent}" to switch off.`)
  return withRules(domain.rules, parsed.value)
}

function instant(flag: string, text: string | undefined, fallback: EpochMs): EpochMs {
  if (text === undefined) return fallback
  const atMs = parseInstant(text)
  if (atMs !== undefined) return atMs
  throw new UsageError(
    `${flag} must be ISO 8601 with an offset, such as 2026-01-31T08:00:00Z; found "${text}".`,
  )
}

function text(report: ReplayReport, seconds: number): string {
  const { events, alerts, same, counts } = report
  const speed = Math.round(events / Math.max(seconds, 0.001)).toLocaleString('en')
  const lines = [
    `${events.toLocaleString('en')} events in ${seconds.toFixed(1)} s (${speed} events/s)`,
    `${alerts} alerts: ${same} as recorded, ${counts.added} added, ${counts.gone} gone, ${counts.changed} changed`,
    ...section('added', report.added),
    ...section('gone', report.gone),
    ...section(
      'changed, as replayed',
      report.changed.map(({ replayed }) => replayed),
    ),
  ]
  return `${lines.join('\n')}\n`
}

function section(title: string, alerts: readonly ReplayedAlert[]): readonly string[] {
  if (alerts.length === 0) return []
  const rows = alerts
    .slice(0, SHOWN_ROWS)
    .map((each) => [
      each.rule,
      each.entityId,
      each.severity,
      each.startsAt,
      each.endsAt ?? 'open',
      each.summary,
    ])
  const more = alerts.length > SHOWN_ROWS ? [`… and ${alerts.length - SHOWN_ROWS} more`] : []
  return [
    '',
    title,
    table(['rule', 'entity', 'severity', 'starts', 'ends', 'summary'], rows),
    ...more,
  ]
}
