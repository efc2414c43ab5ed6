// `outrider verify`: is every event of the log in the archive, once?

import type { Command } from 'commander'
import { carryOut, commandLogger, commandSettings, DONE, FAILED, table } from '../command-line.ts'
import { type HistoryThread, topicInThreads, withHistoryThreads } from '../history-threads.ts'
import { type Inspection, openInspection } from '../inspection.ts'
import type { Settings } from '../settings.ts'
import { allPipelines, topicName } from '../topics.ts'
import { isClean, type PartitionAudit, verifyArchive } from '../verify.ts'
import { type AlertAudit, alertsAreClean, verifyAlerts } from '../verify-alerts.ts'

interface VerifyFlags {
  readonly alerts?: true
  readonly json?: true
  readonly dataDir?: string
}

export function registerVerify(program: Command): void {
  program
    .command('verify')
    .description('audit the archive against the log; exit 1 where an event is missing or repeated')
    .option(
      '--alerts',
      'hold the recorded alerts against history instead; exit 1 where they differ',
    )
    .option('--json', 'one JSON document on standard output')
    .option('--data-dir <folder>', 'where log and database are kept (default: .outrider)')
    .action((flags: VerifyFlags, command: Command) => carryOut(command, () => verify(flags)))
}

async function verify(flags: VerifyFlags): Promise<number> {
  const settings = await commandSettings({ DATA_DIR: flags.dataDir })
  const inspection = await openInspection(settings, commandLogger())
  try {
    if (flags.alerts === true) {
      return await withHistoryThreads((threads) =>
        verifyRecordedAlerts(inspection, settings, flags, threads),
      )
    }
    const audits = await verifyArchive({
      ...inspection,
      pipelines: allPipelines,
      topicName: (topic) => topicName(settings, topic),
      progress: ({ topic, partition, offsets }) => {
        if (process.stderr.isTTY) {
          process.stderr.write(
            `\r${topic}/${partition}: ${offsets.toLocaleString('en')} looked at `,
          )
        }
      },
    })
    if (process.stderr.isTTY) process.stderr.write('\r\u001b[K')
    const clean = isClean(audits)
    process.stdout.write(
      flags.json === true
        ? `${JSON.stringify({ clean, partitions: audits })}\n`
        : report(audits, clean),
    )
    return clean ? DONE : FAILED
  } finally {
    await inspection.close()
  }
}

async function verifyRecordedAlerts(
  inspection: Inspection,
  settings: Settings,
  flags: VerifyFlags,
  threads: readonly HistoryThread[],
): Promise<number> {
  const audits: AlertAudit[] = []
  for (const pipeline of allPipelines.filter(({ rules }) => rules !== undefined)) {
    const topic = topicName(settings, pipeline.topic.name)
    audits.push(
      await verifyAlerts({
        ...inspection,
        run: topicInThreads({
          ...inspection,
          settings,
          declared: pipeline.topic.name,
          topic,
          pipeline: pipeline.name,
          documents: null,
          threads,
        }),
        topic,
        nowMs: inspection.clock.nowMs(),
        progress: (events, of) => {
          if (!process.stderr.isTTY) return
          const percent = Math.floor((100 * events) / Math.max(1, of))
          process.stderr.write(`\r${topic}: ${percent} % of ${of.toLocaleString('en')} events `)
        },
      }),
    )
  }
  if (process.stderr.isTTY) process.stderr.write('\r\u001b[K')
  const clean = alertsAreClean(audits)
  process.stdout.write(
    flags.json === true
      ? `${JSON.stringify({ clean, topics: audits })}\n`
      : alertReport(audits, clean),
  )
  return clean ? DONE : FAILED
}

function alertReport(audits: readonly AlertAudit[], clean: boolean): string {
  const headers = ['topic', 'events', 'alerts', 'missing', 'unexpected', 'different']
  const rows = audits.map(({ topic, events, alerts, missing, unexpected, different }) => [
    topic,
    events,
    alerts,
    missing,
    unexpected,
    different,
  ])
  const examples = audits.flatMap((audit) =>
    audit.examples.map(({ id, problem }) => `  ${id}: ${problem}`),
  )
  const verdict = clean
    ? 'Every recorded alert follows from history, and no other.'
    : 'What is recorded and what follows from history differ.'
  return `${[table(headers, rows), ...examples, '', verdict].join('\n')}\n`
}

function report(audits: readonly PartitionAudit[], clean: boolean): string {
  const headers = [
    'topic',
    'partition',
    'first',
    'end',
    'committed',
    'rows',
    'dead letters',
    'missing',
    'repeated',
    'unexpected',
  ]
  const shown = audits.filter((audit) => !isEmpty(audit))
  const rows = shown.map((audit) => [
    audit.topic,
    audit.partition,
    audit.firstOffset,
    audit.endOffset,
    audit.committedOffset,
    audit.rows,
    audit.deadLetters,
    audit.missing,
    audit.repeated,
    audit.unexpected,
  ])
  const waiting = audits.reduce((sum, { endOffset, committedOffset }) => {
    return sum + Math.max(0, endOffset - committedOffset)
  }, 0)
  const verdict = clean
    ? `Clean: every committed event is archived exactly once; ${waiting.toLocaleString('en')} on their way.`
    : 'Not clean: the archive does not match the log.'
  const lines = [
    ...(shown.length === 0 ? [] : [table(headers, rows)]),
    ...emptyLine(audits.length - shown.length),
    ...shown.flatMap(faults),
    verdict,
  ]
  return `${lines.join('\n')}\n`
}

/** Nothing was ever in it, and nothing claims to have been. */
function isEmpty(audit: PartitionAudit): boolean {
  const { endOffset, rows, deadLetters, missing, unexpected, accepted } = audit
  return endOffset + rows + deadLetters + missing + unexpected + accepted.length === 0
}

function emptyLine(partitions: number): readonly string[] {
  if (partitions === 0) return []
  return [`${partitions} ${partitions === 1 ? 'partition' : 'partitions'} without any event`]
}

/** Offsets by kind of fault; the counts stand in the table. */
function faults(audit: PartitionAudit): readonly string[] {
  const kinds = [
    ['missing', audit.missingOffsets, audit.missing],
    ['repeated', audit.repeatedOffsets, audit.repeated],
    ['unexpected', audit.unexpectedOffsets, audit.unexpected],
  ] as const
  const place = `${audit.topic}/${audit.partition}`
  const counted = kinds.flatMap(([kind, offsets, count]) => {
    if (count === 0) return []
    const more = count > offsets.length ? ` and ${count - offsets.length} more` : ''
    return [`${place}: ${kind} ${offsets.join(', ')}${more}`]
  })
  return [...counted, ...lostOffsets(place, audit)]
}

function lostOffsets(place: string, audit: PartitionAudit): readonly string[] {
  const accepted = audit.accepted.map(
    ({ fromOffset, toOffset, acceptedAt }) =>
      `${place}: ${toOffset - fromOffset} offsets from ${fromOffset} were cut before they were archived; accepted ${acceptedAt}`,
  )
  if (audit.lost === 0) return accepted
  const cut = `${place}: ${audit.lost} offsets from ${audit.committedOffset} were cut before they were archived; see outrider gaps`
  return [...accepted, cut]
}
