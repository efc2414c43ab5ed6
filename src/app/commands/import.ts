// `outrider import`: somebody else's CSV or NDJSON through a mapping into a topic.

import { createHash } from 'node:crypto'
import { stat } from 'node:fs/promises'
import { basename, join, resolve } from 'node:path'
import { SingleBar } from 'cli-progress'
import type { Command } from 'commander'
import { systemClock } from '../../adapters/clock/system-clock.ts'
import { domains } from '../../domains/registry.ts'
import type { EventSink } from '../../doors/import/event-sink.ts'
import { answersAt, createHttpSink } from '../../doors/import/http-sink.ts'
import { type ImportProgress, openProgress } from '../../doors/import/import-progress.ts'
import { type ImportReport, type ImportState, runImport } from '../../doors/import/import-run.ts'
import { UnreadableFile } from '../../doors/import/rows.ts'
import { compileMapping, type Mapping, type MappingSource } from '../../doors/mapping.ts'
import { findMapping } from '../../doors/mapping-library.ts'
import { showIssue } from '../../doors/mapping-text.ts'
import { PlatformError } from '../../kernel/errors.ts'
import type { Clock } from '../../ports/clock.ts'
import type { StreamEvent, TopicDefinition } from '../../streams/topic.ts'
import { loadSettings, type Settings } from '../settings.ts'

const WRONG_USAGE = 2
/** Faults of a mapping that are shown at once. */
const MAX_SHOWN_ISSUES = 10

export interface ImportWiring {
  /** Opens the data directory as `start` would, for where no server runs. */
  readonly openEmbedded?: (settings: Settings) => Promise<EventSink>
}

interface ImportFlags {
  readonly mapping: string
  readonly speedup?: string
  readonly to?: string
  readonly json?: true
  readonly restart?: true
}

export function registerImport(program: Command, wiring: ImportWiring = {}): void {
  program
    .command('import')
    .description("put somebody else's CSV or NDJSON (also .gz) through a mapping into a topic")
    .argument('<file>', 'file to read, or - for standard input')
    .requiredOption('--mapping <name|file>', 'name of a built-in mapping, or a YAML file')
    .option('--speedup <k>', 'let event time pass K times as fast as the clock (default: at once)')
    .option('--to <url>', 'address of a running Outrider (default: the one here, else no server)')
    .option('--restart', 'begin at the first row, even where an earlier try got further')
    .option('--json', 'print the report as one JSON document')
    .addHelpText(
      'after',
      `
An interrupted import goes on where it stopped: give the same command again.
OUTRIDER_ADMIN_TOKEN is sent as bearer credential where it is set.
More in docs/import.md and docs/mappings.md.`,
    )
    .action(async (file: string, flags: ImportFlags) => {
      try {
        process.exitCode = await carryOut(file, flags, wiring)
      } catch (error) {
        if (error instanceof WrongUsage || isBadSetting(error)) {
          process.stderr.write(`error: ${error.message}\n`)
          process.exitCode = WRONG_USAGE
          return
        }
        process.stderr.write(`${describe(error)}\n`)
        process.exitCode = 1
      }
    })
}

class WrongUsage extends Error {}

function isBadSetting(error: unknown): error is PlatformError {
  return error instanceof PlatformError && error.code === 'bad-setting'
}

async function carryOut(file: string, flags: ImportFlags, wiring: ImportWiring): Promise<number> {
  const speedup = speedupOf(flags.speedup)
  const source = await mappingSource(flags.mapping)
  const mapping = compiled(source)
  const size = file === '-' ? null : await sizeOf(file)
  const settings = await loadSettings({ environment: process.env, directory: process.cwd() })
  const stop = new AbortController()
  const onSignal = (): void => stop.abort()
  process.on('SIGINT', onSignal).on('SIGTERM', onSignal)
  const clock = systemClock()
  const sink = await openSink(flags, settings, wiring, clock, stop.signal)
  const screen = progressBar(size, clock)
  try {
    const report = await runImport({
      file: file === '-' ? null : file,
      fileName: file === '-' ? '-' : basename(file),
      standardInput: process.stdin,
      mapping,
      sink,
      clock,
      speedup,
      progress: file === '-' ? null : await progressOf(file, source, sink, settings),
      restart: flags.restart === true,
      signal: stop.signal,
      onProgress: screen.update,
    })
    screen.stop()
    show(report, { file, mapping, sink, json: flags.json === true })
    return report.interrupted || report.damage !== null || report.accepted === 0 ? 1 : 0
  } catch (error) {
    screen.stop()
    if (error instanceof UnreadableFile)
      throw new UnreadableFile(`Cannot import ${file}. ${error.message}`)
    throw error
  } finally {
    await sink.close()
    process.off('SIGINT', onSignal).off('SIGTERM', onSignal)
  }
}

function speedupOf(text: string | undefined): number | null {
  if (text === undefined) return null
  const speedup = Number(text)
  if (Number.isFinite(speedup) && speedup > 0) return speedup
  throw new WrongUsage(`--speedup must be a number above 0; found "${text}".`)
}

async function mappingSource(nameOrFile: string): Promise<MappingSource> {
  const found = await findMapping(nameOrFile)
  if (!found.ok) throw new WrongUsage(found.error)
  return found.value
}

function compiled(source: MappingSource): Mapping {
  const mapping = compileMapping(source, topicsOfDomains())
  if (mapping.ok) return mapping.value
  const shown = mapping.error.slice(0, MAX_SHOWN_ISSUES).map(showIssue)
  throw new WrongUsage(`the mapping cannot be used.\n${shown.join('\n')}`)
}

function topicsOfDomains(): ReadonlyMap<string, TopicDefinition<StreamEvent>> {
  const topics = domains.flatMap(({ pipelines }) => pipelines.map(({ topic }) => topic))
  return new Map(topics.map((topic) => [topic.name, topic]))
}

async function sizeOf(file: string): Promise<number> {
  try {
    const found = await stat(file)
    if (found.isDirectory()) throw new WrongUsage(`${file} is a folder; name a file in it.`)
    return found.size
  } catch (error) {
    if (error instanceof WrongUsage) throw error
    const code: unknown = error instanceof Error ? Reflect.get(error, 'code') : error
    const why = code === 'ENOENT' ? 'there is no such file' : `it cannot be read (${code})`
    throw new WrongUsage(`Cannot import ${file}: ${why}.`)
  }
}

async function openSink(
  flags: ImportFlags,
  settings: Settings,
  wiring: ImportWiring,
  clock: Clock,
  signal: AbortSignal,
): Promise<EventSink> {
  const given = flags.to ?? settings.publicUrl ?? undefined
  if (given !== undefined && !/^https?:\/\//.test(given)) {
    throw new WrongUsage(`--to must be an http or https address; found "${given}".`)
  }
  const baseUrl = (given ?? `http://127.0.0.1:${settings.port}`).replace(/\/+$/, '')
  if (await answersAt(baseUrl)) {
    return createHttpSink({ baseUrl, token: settings.adminToken, clock, signal })
  }
  if (flags.to === undefined && wiring.openEmbedded !== undefined) {
    return wiring.openEmbedded(settings)
  }
  throw new PlatformError(
    'server-failed',
    `No Outrider answers at ${baseUrl}. Start one with "outrider start", or give its address with --to.`,
    { retry: 'later' },
  )
}

function progressOf(
  file: string,
  source: MappingSource,
  sink: EventSink,
  settings: Settings,
): Promise<ImportProgress> {
  return openProgress({
    file: resolve(file),
    mapping: createHash('sha256').update(source.text).digest('hex'),
    target: sink.name,
    folder: join(settings.dataDir, 'imports'),
  })
}

// What the screen shows.

interface Screen {
  update(state: ImportState): void
  stop(): void
}

/** On a terminal only; nothing where the output goes elsewhere. */
function progressBar(size: number | null, clock: Clock): Screen {
  if (!process.stderr.isTTY) return { update() {}, stop() {} }
  const bar = new SingleBar({
    stream: process.stderr,
    format:
      size === null
        ? '{value} bytes | {accepted} accepted, {rejected} rejected | {rate} events/s'
        : '{bar} {percentage}% | {accepted} accepted, {rejected} rejected | {rate} events/s',
    hideCursor: true,
    clearOnComplete: true,
  })
  const begunMs = clock.monotonicMs()
  bar.start(Math.max(1, size ?? 1), 0, { accepted: 0, rejected: 0, rate: 0 })
  return {
    update({ accepted, rejected, readBytes }) {
      const seconds = Math.max(0.001, (clock.monotonicMs() - begunMs) / 1_000)
      const rate = Math.round((accepted + rejected) / seconds)
      bar.update(readBytes, { accepted, rejected, rate })
    },
    stop: () => bar.stop(),
  }
}

interface Shown {
  readonly file: string
  readonly mapping: Mapping
  readonly sink: EventSink
  readonly json: boolean
}

function show(report: ImportReport, { file, mapping, sink, json }: Shown): void {
  const { settled, ...rest } = report
  if (json) {
    const { duplicates, note } = settled
    const about = { file, mapping: mapping.name, topic: mapping.topic.name, target: sink.name }
    const document = { ...about, ...rest, duplicates, duplicatesNote: note }
    process.stdout.write(`${JSON.stringify(document, null, 2)}\n`)
    return
  }
  const duplicates = settled.duplicates === null ? 'unknown' : amount(settled.duplicates)
  const lines = [
    `${file} through ${mapping.name} into ${mapping.topic.name} at ${sink.name}`,
    ...(report.resumedAfterRow > 0
      ? [`  went on after row ${amount(report.resumedAfterRow)}; the counts are those of all tries`]
      : []),
    `  accepted    ${amount(report.accepted)}`,
    `  rejected    ${amount(report.rejected)}`,
    ...(report.skipped > 0 ? [`  skipped     ${amount(report.skipped)}`] : []),
    ...wordLines(report.words),
    `  duplicates  ${duplicates}   ${settled.note}`,
    ...report.refused.map(({ row, code, message }) => `  row ${row}: ${code}: ${message}`),
    ...(report.rejected > report.refused.length
      ? [`  ${amount(report.rejected - report.refused.length)} more rows were rejected.`]
      : []),
    ...(report.rejected > 0 ? ['  Rejected rows are kept as dead letters.'] : []),
  ]
  process.stdout.write(`${lines.join('\n')}\n`)
  for (const warning of warnings(report, file)) process.stderr.write(`${warning}\n`)
}

/** Words are no fault of a row: they are kept, and said. */
function wordLines(words: ImportReport['words']): string[] {
  const fields = Object.entries(words)
  if (fields.length === 0) return []
  const said = fields.map(([field, rows]) => `${field} of ${amount(rows)}`)
  return [`  words       kept where a number or a time was asked for: ${said.join(', ')} rows`]
}

function warnings(report: ImportReport, file: string): string[] {
  const found: string[] = []
  if (report.damage !== null) {
    const what = report.damage === 'cut-gzip' ? 'ends in the middle of its gzip' : 'is damaged gzip'
    const cut = `the ${report.droppedBytes} bytes of a row cut in two were left out`
    found.push(`${file} ${what}: what came before is imported, and ${cut}.`)
  }
  if (report.interrupted) found.push('Interrupted. Give the same command again to go on.')
  if (report.accepted === 0 && !report.interrupted) found.push('No row was accepted.')
  return found
}

function amount(value: number): string {
  return value.toLocaleString('en-US')
}

/** The message with its causes, as the person needs them to mend it. */
function describe(error: unknown): string {
  if (!(error instanceof Error)) return String(error)
  return error.cause === undefined ? error.message : `${error.message}\n  ${describe(error.cause)}`
}
