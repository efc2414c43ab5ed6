// What the API does with rules: shows, checks, writes them, and runs them over history in a thread beside.

import { stringify } from 'yaml'
import type { CheckedRule, RuleDesk, RuleListing, TrialProblem } from '../api/rule-desk.ts'
import { failed, ok, type Result } from '../kernel/result.ts'
import { toIso } from '../kernel/time.ts'
import type { RuleDocument } from '../rules/rule-document.ts'
import type { LocatedProblem } from '../rules/rule-file.ts'
import { startHistoryThread } from './history-threads.ts'
import type { HistoryMessage, HistoryWork } from './history-worker.ts'
import type { Platform } from './platform.ts'
import { BUILT_IN, type RuleBook, type RuleInForce, WRITTEN } from './rule-book.ts'
import { runCases } from './rule-trial.ts'
import { topicName } from './topics.ts'

/** Runs over history at one time; each is a thread and two connections. */
export const MAX_TRIALS = 2

export function createRuleDesk({ settings, address }: Platform, book: RuleBook): RuleDesk {
  let trials = 0

  const check = (text: string): CheckedRule => {
    const read = book.check(text)
    if (!read.ok) return { problems: read.error, document: null, cases: [] }
    const [document = null] = read.value.rules
    if (document === null) return { problems: [], document: null, cases: [] }
    const cases = runCases(document).map(({ name, problems, alerts }) => ({
      name,
      problems,
      alerts: alerts.map((alert) => ({
        severity: alert.severity,
        status: alert.status,
        startsAt: toIso(alert.startsAtMs),
        endsAt: alert.endsAtMs === null ? null : toIso(alert.endsAtMs),
        summary: alert.summary,
      })),
    }))
    return { problems: [], document, cases }
  }

  const trial = async (
    document: RuleDocument,
    work: HistoryWork['work'],
    { onProgress, signal }: Parameters<RuleDesk['replay']>[1],
  ): Promise<Result<HistoryMessage, TrialProblem>> => {
    if (trials >= MAX_TRIALS) return failed('busy')
    trials++
    const thread = startHistoryThread()
    try {
      const topic = topicName(settings, document.topic)
      return ok(await thread.run({ settings, database: address, topic, work }, onProgress, signal))
    } finally {
      trials--
      thread.end()
    }
  }

  return {
    topics: () =>
      book.topics.map(({ topic, entityType, vocabulary }) => ({
        topic: topic.name,
        entityType,
        fields: vocabulary,
      })),
    list: () => book.rules().map(listingOf),
    problems: () => book.problems(),
    text: (name) => book.rules().find(({ document }) => document.name === name)?.text,
    versions: (name) => book.versions(name),
    async versionText(name, version) {
      const found = (await book.versions(name)).find((each) => each.version === version)
      return found === undefined ? undefined : stringify(found.document)
    },
    check,
    async write(name, text, author) {
      const problems = failedCases(check(text))
      if (problems.length > 0) return failed({ kind: 'invalid', problems })
      const written = await book.write(name, text, author)
      return written.ok ? ok(listingOf(written.value)) : written
    },
    erase: (name) => book.erase(name),
    async replay(request, listener) {
      const outcome = await trial(request.document, { kind: 'replay', ...request }, listener)
      if (!outcome.ok) return outcome
      return outcome.value.type === 'replayed' ? ok(outcome.value.report) : failed('busy')
    },
    async explain(name, request, listener) {
      const rule = book.rules().find(({ document }) => document.name === name)
      if (rule === undefined) return failed('unknown-rule')
      const { document } = rule
      const work = { kind: 'explain', document, ...request } as const
      const outcome = await trial(document, work, listener)
      if (!outcome.ok) return outcome
      const { value } = outcome
      if (value.type !== 'explained' || value.explanation === undefined)
        return failed('unknown-rule')
      return ok({ ...value.explanation, version: rule.version })
    },
  }
}

/** A rule that does not do what its own cases say does not go live. */
function failedCases({ cases, document }: CheckedRule): readonly LocatedProblem[] {
  return cases.flatMap(({ name, problems }, index) =>
    problems.map((problem) => ({
      line: 1,
      column: 1,
      endColumn: 1,
      rule: document?.name ?? null,
      path: `cases.${index}`,
      message: `case "${name}": ${problem}`,
    })),
  )
}

function listingOf(rule: RuleInForce): RuleListing {
  const { document, version, source, failures, lastFailure } = rule
  const { name, topic, severity, description, when, cases } = document
  return {
    name,
    version,
    topic,
    severity: typeof severity === 'string' ? severity : severity.default,
    title: name.replaceAll('-', ' '),
    description: description ?? null,
    condition: when ?? null,
    for: document.for ?? document.noDataFor ?? null,
    keepFiringFor: document.keepFiringFor ?? null,
    enabled: document.disabled !== true,
    source,
    editable: source === BUILT_IN || source === WRITTEN,
    cases: cases?.length ?? 0,
    failures,
    lastFailure,
    document,
  }
}
