// `outrider rules`: checks rule files and runs their cases; lists the rules in force.

import { readFile } from 'node:fs/promises'
import { basename } from 'node:path'
import type { Command } from 'commander'
import { PlatformError } from '../../kernel/errors.ts'
import type { CaseOutcome } from '../../rules/cases.ts'
import { type LocatedProblem, problemText, readRuleFile } from '../../rules/rule-file.ts'
import { entriesIn, ruleTableOf } from '../../rules/rule-source.ts'
import {
  carryOut,
  commandLogger,
  commandSettings,
  DONE,
  FAILED,
  table,
  UsageError,
} from '../command-line.ts'
import { openInspection } from '../inspection.ts'
import { runCases } from '../rule-trial.ts'
import { ruleTopics } from '../topics.ts'

interface TestFlags {
  readonly json?: true
}

interface ListFlags extends TestFlags {
  readonly dataDir?: string
}

export function registerRules(program: Command): void {
  const rules = program
    .command('rules')
    .description('check rule files, and show the rules in force')
  rules
    .command('test')
    .description('check rule files and run their cases')
    .argument('<files...>', 'YAML or JSON with rules')
    .option('--json', 'one JSON document on standard output')
    .action((files: readonly string[], flags: TestFlags, command: Command) =>
      carryOut(command, () => test(files, flags)),
    )
  rules
    .command('list')
    .description('show the rules in force')
    .option('--json', 'one JSON document on standard output')
    .option('--data-dir <folder>', 'where log and database are kept (default: .outrider)')
    .action((flags: ListFlags, command: Command) => carryOut(command, () => list(flags)))
}

interface FileOutcome {
  readonly file: string
  readonly problems: readonly LocatedProblem[]
  readonly rules: readonly { readonly name: string; readonly cases: readonly CaseOutcome[] }[]
}

async function test(files: readonly string[], flags: TestFlags): Promise<number> {
  const outcomes: FileOutcome[] = []
  for (const file of files) outcomes.push(await testFile(file))
  const good = outcomes.every(
    ({ problems, rules }) =>
      problems.length === 0 &&
      rules.every(({ cases }) => cases.every((each) => each.problems.length === 0)),
  )
  const text =
    flags.json === true
      ? `${JSON.stringify({ good, files: outcomes.map(documentOf) })}\n`
      : `${outcomes.map(textOf).join('\n')}\n`
  process.stdout.write(text)
  return good ? DONE : FAILED
}

async function testFile(file: string): Promise<FileOutcome> {
  const text = await readFile(file, 'utf8').catch((error: unknown) => {
    throw new UsageError(`cannot read ${file}: ${error instanceof Error ? error.message : error}`)
  })
  const read = readRuleFile(text, ruleTopics)
  if (!read.ok) return { file, problems: read.error, rules: [] }
  const rules = read.value.rules.map((rule) => ({ name: rule.name, cases: runCases(rule) }))
  return { file, problems: [], rules }
}

function documentOf({ file, problems, rules }: FileOutcome): unknown {
  return {
    file,
    problems,
    rules: rules.map(({ name, cases }) => ({
      name,
      cases: cases.map((each) => ({ name: each.name, problems: each.problems })),
    })),
  }
}

function textOf({ file, problems, rules }: FileOutcome): string {
  if (problems.length > 0) {
    return problems.map((problem) => problemText(file, problem)).join('\n')
  }
  const lines = rules.flatMap(({ name, cases }) => [
    `${basename(file)}: ${name}: ${casesText(cases)}`,
    ...cases.flatMap((each) =>
      each.problems.length === 0
        ? [`  passed  ${each.name}`]
        : [`  FAILED  ${each.name}`, ...each.problems.map((problem) => `          ${problem}`)],
    ),
  ])
  return lines.length === 0 ? `${basename(file)}: good` : lines.join('\n')
}

function casesText(cases: readonly CaseOutcome[]): string {
  if (cases.length === 0) return 'good; it has no cases'
  const passed = cases.filter(({ problems }) => problems.length === 0).length
  return `${passed} of ${cases.length} cases passed`
}

interface Listed {
  readonly name: string
  readonly version: number
  readonly topic: string
  readonly source: string
  readonly enabled: boolean
  readonly when: string
}

async function list(flags: ListFlags): Promise<number> {
  const rules = await rulesInForce(flags)
  if (flags.json === true) {
    process.stdout.write(`${JSON.stringify({ rules })}\n`)
    return DONE
  }
  const rows = rules.map(({ name, version, topic, source, enabled, when }) => [
    name,
    String(version),
    topic,
    source,
    enabled ? 'on' : 'off',
    when,
  ])
  process.stdout.write(`${table(['rule', 'version', 'topic', 'from', '', 'when'], rows)}\n`)
  return DONE
}

/** As the data directory has them; the built-in ones where there is none yet. */
async function rulesInForce({ dataDir }: ListFlags): Promise<readonly Listed[]> {
  const settings = await commandSettings({ DATA_DIR: dataDir })
  try {
    const inspection = await openInspection(settings, commandLogger())
    try {
      const names = new Set(ruleTopics.map(({ topic }) => ruleTableOf(topic.name)))
      const tables = (await inspection.references.newest()).filter(({ name }) => names.has(name))
      const newest = tables.flatMap(({ content }) => entriesIn(content))
      if (newest.length > 0) return newest.map(listedOf).sort(byName)
    } finally {
      await inspection.close()
    }
  } catch (error) {
    if (!(error instanceof PlatformError) || error.code !== 'not-found') throw error
  }
  return ruleTopics
    .flatMap(({ documents }) => documents)
    .map((document) => listedOf({ version: 1, source: 'built-in', document }))
    .sort(byName)
}

function listedOf({ version, source, document }: ReturnType<typeof entriesIn>[number]): Listed {
  const { name, topic, when, noDataFor } = document
  const enabled = document.disabled !== true
  return { name, version, topic, source, enabled, when: when ?? `no data for ${noDataFor}` }
}

function byName(a: Listed, b: Listed): number {
  return a.name < b.name ? -1 : 1
}
