// The rules in force: built-in ones, over them those written through the API, over them those in files. What
// changes becomes a new version, and a new rule table that the tasks take over between two batches.

import { createHash } from 'node:crypto'
import { stringify } from 'yaml'
import type { WriteProblem } from '../api/rule-desk.ts'
import { failed, ok, type Result } from '../kernel/result.ts'
import { type DurationMs, SECOND_MS } from '../kernel/time.ts'
import type { Clock } from '../ports/clock.ts'
import type { Logger } from '../ports/logger.ts'
import type { ReferenceStore } from '../ports/reference-source.ts'
import type { RuleStore, RuleVersion } from '../ports/rule-store.ts'
import { type RuleDocument, ruleDocumentCheck } from '../rules/rule-document.ts'
import {
  type LocatedProblem,
  problemText,
  type RuleFile,
  readRuleFile,
} from '../rules/rule-file.ts'
import type { RuleFailure } from '../rules/rule-set.ts'
import { entriesIn, type RuleTopic, ruleTableOf } from '../rules/rule-source.ts'
import type { RuleFiles } from './rule-files.ts'

const REFRESH_MS: DurationMs = 2 * SECOND_MS
const FOLLOW_MS: DurationMs = SECOND_MS / 4
const PATIENCE_MS: DurationMs = 5 * SECOND_MS
export const BUILT_IN = 'built-in'
export const WRITTEN = 'api'

export interface RuleInForce {
  readonly document: RuleDocument
  readonly version: number
  readonly source: string
  /** YAML: as it was written, or made of the document. */
  readonly text: string
  /** Events that it could not judge since the program started. */
  readonly failures: number
  readonly lastFailure: RuleFailure['example'] | null
}

export interface RuleFileProblem extends LocatedProblem {
  readonly file: string
}

export interface RuleBookOptions {
  readonly topics: readonly RuleTopic[]
  readonly store: RuleStore
  readonly references: ReferenceStore
  /** Null where another process reads them, and makes the tables. */
  readonly files: RuleFiles | null
  readonly clock: Clock
  readonly logger: Logger
  /** The tables changed; tasks need not wait for their next look. */
  readonly onChange: () => void
}

interface Effective {
  readonly document: RuleDocument
  readonly source: string
  readonly author: string
  readonly text: string | null
}

const SYSTEM = 'outrider'

export class RuleBook {
  readonly #options: RuleBookOptions
  #rules: readonly RuleInForce[] = []
  #problems: readonly RuleFileProblem[] = []
  #said = ''
  readonly #tags = new Map<string, string>()
  readonly #goodFiles = new Map<string, RuleFile>()
  readonly #failures = new Map<string, { count: number; last: RuleFailure['example'] }>()
  readonly #versions = new Map<string, { readonly tag: string; readonly version: number }>()
  readonly #texts = new Map<string, { readonly version: number; readonly text: string }>()
  #refreshing: Promise<void> = Promise.resolve()

  constructor(options: RuleBookOptions) {
    this.#options = options
  }

  get topics(): readonly RuleTopic[] {
    return this.#options.topics
  }

  rules(): readonly RuleInForce[] {
    return this.#rules.map((rule) => {
      const failures = this.#failures.get(rule.document.name)
      return { ...rule, failures: failures?.count ?? 0, lastFailure: failures?.last ?? null }
    })
  }

  problems(): readonly RuleFileProblem[] {
    return this.#problems
  }

  versions(name: string): Promise<readonly RuleVersion[]> {
    return this.#options.store.versions(name)
  }

  check(text: string): Result<RuleFile, readonly LocatedProblem[]> {
    return readRuleFile(text, this.#options.topics)
  }

  noteFailures(failures: readonly RuleFailure[]): void {
    for (const { rule, count, example } of failures) {
      const before = this.#failures.get(rule)?.count ?? 0
      this.#failures.set(rule, { count: before + count, last: example })
    }
  }

  /** Puts a rule in force under its name; what was there under it before stays as a version. */
  async write(
    name: string,
    text: string,
    author: string,
  ): Promise<Result<RuleInForce, WriteProblem>> {
    const read = this.check(text)
    if (!read.ok) return failed({ kind: 'invalid', problems: read.error })
    const found = [...read.value.rules.map((rule) => rule.name), ...read.value.disabled]
    if (found.length !== 1 || found[0] !== name) {
      return failed({ kind: 'other-name', found: found.join(', ') })
    }
    const file = this.#fileOf(name)
    if (file !== undefined) return failed({ kind: 'defined-in-file', file })
    const builtIn = this.topics.flatMap(({ documents }) => documents.map((each) => each.name))
    if (read.value.disabled.length > 0 && !builtIn.includes(name)) {
      return failed({ kind: 'nothing-to-switch-off', known: builtIn })
    }
    await this.#options.store.write({ name, text, author })
    await this.#until(() => this.#rules.some((rule) => rule.text === text))
    const rule = this.rules().find(({ document }) => document.name === name)
    if (rule === undefined) return failed({ kind: 'other-name', found: 'nothing' })
    return ok(rule)
  }

  /** Where another process makes the tables, it takes a moment until they say what was written. */
  async #until(isInForce: () => boolean): Promise<void> {
    const { clock, files } = this.#options
    const untilMs = clock.monotonicMs() + PATIENCE_MS
    await this.refresh()
    while (files === null && !isInForce() && clock.monotonicMs() < untilMs) {
      await clock.sleep(FOLLOW_MS)
      await this.refresh()
    }
  }

  /** Takes back what was written through the API; false where nothing was. */
  async erase(name: string): Promise<boolean> {
    const erased = await this.#options.store.erase(name)
    if (erased) await this.refresh()
    return erased
  }

  /** Looks at files and database once more; calls follow one another. */
  refresh(): Promise<void> {
    const next = this.#refreshing.then(() => this.#refresh())
    this.#refreshing = next.catch(() => undefined)
    return next
  }

  async run(signal: AbortSignal): Promise<void> {
    const { clock, logger } = this.#options
    while (!signal.aborted) {
      await clock.sleep(REFRESH_MS, signal)
      if (signal.aborted) return
      await this.refresh().catch((error: unknown) => logger.error('rules-not-read', error))
    }
  }

  #fileOf(name: string): string | undefined {
    const source = this.#rules.find(({ document }) => document.name === name)?.source
    return source === undefined || source === BUILT_IN || source === WRITTEN ? undefined : source
  }

  async #refresh(): Promise<void> {
    const { topics, references, logger, files } = this.#options
    if (files === null) return this.#follow()
    this.#problems = await this.#readFiles(files)
    const effective = await this.#effective()
    this.#tellProblems(logger)
    const rules: RuleInForce[] = []
    for (const { document, source, author, text } of effective.values()) {
      const version = await this.#versionOf({ document, source, author })
      const shown = text ?? this.#textOf(document, version)
      rules.push({ document, version, source, text: shown, failures: 0, lastFailure: null })
    }
    rules.sort((a, b) => (a.document.name < b.document.name ? -1 : 1))
    let changed = false
    for (const { topic } of topics) {
      const content = {
        rules: rules
          .filter(({ document }) => document.topic === topic.name)
          .map(({ document, version, source }) => ({ version, source, document })),
      }
      const name = ruleTableOf(topic.name)
      const tag = tagOf(content)
      if (this.#tags.get(name) === tag) continue
      const version = await references.register({ name, content, tag })
      this.#tags.set(name, tag)
      changed = true
      logger.info('rules-changed', { topic: topic.name, version, rules: content.rules.length })
    }
    this.#rules = rules
    if (changed) this.#options.onChange()
  }

  async #versionOf({ document, source, author }: Omit<Effective, 'text'>): Promise<number> {
    const { name } = document
    const tag = tagOf(document)
    const known = this.#versions.get(name)
    if (known?.tag === tag) return known.version
    const version = await this.#options.store.register({ name, source, document, author, tag })
    this.#versions.set(name, { tag, version })
    return version
  }

  /** YAML of a document that nobody wrote as such; it is looked at every two seconds, and seldom changes. */
  #textOf(document: RuleDocument, version: number): string {
    const { name } = document
    const known = this.#texts.get(name)
    if (known?.version === version) return known.text
    const text = stringify(document)
    this.#texts.set(name, { version, text })
    return text
  }

  /** Takes over what the process that makes the tables has made of it. */
  async #follow(): Promise<void> {
    const { store, topics, references } = this.#options
    const tables = new Set(topics.map(({ topic }) => ruleTableOf(topic.name)))
    const texts = new Map((await store.written()).map(({ name, text }) => [name, text]))
    const entries = (await references.newest())
      .filter(({ name }) => tables.has(name))
      .flatMap(({ content }) => entriesIn(content))
    this.#rules = entries
      .map(({ document, version, source }) => {
        const written = source === WRITTEN ? texts.get(document.name) : undefined
        const text = written ?? this.#textOf(document, version)
        return { document, version, source, text, failures: 0, lastFailure: null }
      })
      .sort((a, b) => (a.document.name < b.document.name ? -1 : 1))
  }

  async #effective(): Promise<ReadonlyMap<string, Effective>> {
    const { store, topics } = this.#options
    const effective = new Map<string, Effective>()
    const place = (
      { rules, disabled }: RuleFile,
      from: Pick<Effective, 'source' | 'author' | 'text'>,
    ): void => {
      for (const document of rules) effective.set(document.name, { document, ...from })
      for (const name of disabled) {
        const present = effective.get(name)
        if (present === undefined) {
          this.#say(nothingToSwitchOff(name, from.source, [...effective.keys()]))
          continue
        }
        const document = { ...present.document, disabled: true }
        effective.set(name, { ...from, document, text: null })
      }
    }
    for (const { documents } of topics) {
      const from = { source: BUILT_IN, author: SYSTEM, text: null }
      place({ rules: documents, disabled: [] }, from)
    }
    for (const { text, author } of await store.written()) {
      const read = readRuleFile(text, topics)
      // A rule that an earlier build took may not fit this one: then it stands still, and says so.
      if (read.ok) place(read.value, { source: WRITTEN, author, text })
      else this.#say(...read.error.map((each) => ({ ...each, file: WRITTEN })))
    }
    for (const [file, content] of this.#goodFiles) {
      place(content, { source: file, author: SYSTEM, text: null })
    }
    return effective
  }

  /** A file with problems leaves in force what it said before. */
  async #readFiles(files: RuleFiles): Promise<readonly RuleFileProblem[]> {
    const { topics } = this.#options
    const { found, problems } = await files.read()
    const listed: RuleFileProblem[] = [...problems]
    for (const file of this.#goodFiles.keys()) {
      const isThere = [...found.map(({ name }) => name), ...problems.map((each) => each.file)]
      if (!isThere.includes(file)) this.#goodFiles.delete(file)
    }
    for (const { name, text } of found) {
      const read = readRuleFile(text, topics)
      if (read.ok) {
        this.#goodFiles.set(name, read.value)
        continue
      }
      listed.push(...read.error.map((problem) => ({ ...problem, file: name })))
      if (!this.#goodFiles.has(name)) this.#goodFiles.set(name, await this.#lastGood(name))
    }
    return listed
  }

  #say(...problems: readonly RuleFileProblem[]): void {
    this.#problems = [...this.#problems, ...problems]
  }

  /** Once each, not at every look. */
  #tellProblems(logger: Logger): void {
    const lines = this.#problems.map((problem) => problemText(problem.file, problem))
    const said = lines.join('\n')
    if (said === this.#said) return
    this.#said = said
    for (const problem of lines) logger.warn('rule-refused', { problem })
  }

  async #lastGood(file: string): Promise<RuleFile> {
    const newest = await this.#options.store.newest()
    const rules = newest
      .filter(({ source }) => source === file)
      .map(({ document }) => document)
      .filter((document) => ruleDocumentCheck.Check(document))
    return { rules, disabled: [] }
  }
}

function nothingToSwitchOff(name: string, file: string, known: readonly string[]): RuleFileProblem {
  const message = `there is no rule ${name} to switch off; there are ${known.toSorted().join(', ')}`
  return { line: 1, column: 1, endColumn: 1, rule: name, path: 'name', message, file }
}

function tagOf(content: unknown): string {
  return createHash('sha256').update(JSON.stringify(content)).digest('hex')
}
