// `outrider gaps`: where retention took events before they were archived, and how to go on without them.

import type { Command } from 'commander'
import { carryOut, commandLogger, commandSettings, DONE, FAILED, table } from '../command-line.ts'
import { openInspection } from '../inspection.ts'
import { acceptGap, findGaps, type LogGap } from '../log-gaps.ts'
import { allPipelines, topicName } from '../topics.ts'

interface GapsFlags {
  readonly accept?: true
  readonly json?: true
  readonly dataDir?: string
}

export function registerGaps(program: Command): void {
  program
    .command('gaps')
    .description(
      'show where the log was cut above what is archived; exit 1 where a task stands still because of it',
    )
    .option('--accept', 'go on behind the cuts: what lay before them is lost, and kept on record')
    .option('--json', 'one JSON document on standard output')
    .option('--data-dir <folder>', 'where log and database are kept (default: .outrider)')
    .action((flags: GapsFlags, command: Command) => carryOut(command, () => gaps(flags)))
}

async function gaps(flags: GapsFlags): Promise<number> {
  const settings = await commandSettings({ DATA_DIR: flags.dataDir })
  const inspection = await openInspection(settings, commandLogger())
  try {
    const found = await findGaps({
      ...inspection,
      pipelines: allPipelines,
      topicName: (topic) => topicName(settings, topic),
    })
    const accepted: LogGap[] = []
    if (flags.accept === true) {
      for (const gap of found) {
        if (await acceptGap(inspection.database, gap)) accepted.push(gap)
      }
    }
    process.stdout.write(
      flags.json === true
        ? `${JSON.stringify({ gaps: found, accepted: accepted.length })}\n`
        : `${report(found, flags.accept === true ? accepted.length : null)}\n`,
    )
    return found.length === accepted.length ? DONE : FAILED
  } finally {
    await inspection.close()
  }
}

/** `accepted` is null where nobody asked to. */
function report(found: readonly LogGap[], accepted: number | null): string {
  if (found.length === 0) return 'The log reaches back to everything that is still to be archived.'
  const rows = found.map(({ topic, partition, pipeline, fromOffset, toOffset }) => [
    topic,
    partition,
    pipeline,
    fromOffset,
    toOffset,
    toOffset - fromOffset,
  ])
  const verdict =
    accepted === null
      ? 'These tasks stand still. Bring the log back, or run `outrider gaps --accept` to go on without these offsets.'
      : `${accepted} of ${found.length} accepted: their tasks go on at "to" within half a minute.`
  return [
    table(['topic', 'partition', 'task of', 'from', 'to', 'lost offsets'], rows),
    '',
    verdict,
  ].join('\n')
}
