// Rules that are tried and not in force: their cases, and the pipeline that runs them over history.

import type { Domain } from '../domains/domain.ts'
import { assert } from '../kernel/errors.ts'
import type { Database } from '../ports/database.ts'
import { type CaseOutcome, runCase } from '../rules/cases.ts'
import type { RuleCase, RuleDocument } from '../rules/rule-document.ts'
import { definitionOf } from '../rules/rule-document.ts'
import type { RuleTrace } from '../rules/rule-set.ts'
import { type RuleTopic, recordedRules, ruleTableOf, triedRules } from '../rules/rule-source.ts'
import type { AnyPipeline } from '../streams/pipeline.ts'
import { onlyRules } from './replay.ts'
import { allDomains } from './topics.ts'

/** The pipeline of the rules' topic with these rules and no other; undefined where there is no such topic. */
export function trialPipeline(
  topicName: string,
  documents: readonly RuleDocument[],
  trace: RuleTrace | null = null,
): AnyPipeline | undefined {
  const definitionsFor = (topic: RuleTopic) =>
    documents
      .filter((document) => document.topic === topic.topic.name && document.disabled !== true)
      .map((document) => definitionOf(document, { version: 1, entityType: topic.entityType }))
  return domainOf(topicName)
    ?.pipelinesWith((topic) => triedRules(topic, definitionsFor(topic), trace))
    .find(({ topic }) => topic.name === topicName)
}

/** The pipeline of a topic with the rules that were in force, for the sake of their alerts alone. */
async function recordedPipeline(
  database: Database,
  topicName: string,
): Promise<AnyPipeline | undefined> {
  const domain = domainOf(topicName)
  if (domain === undefined) return undefined
  const rows = await database.query('SELECT content FROM reference_version WHERE name = $1', [
    ruleTableOf(topicName),
  ])
  const tables = rows.map(({ content }): object => Object(content))
  return domain
    .pipelinesWith((topic) => recordedRules(topic, topic.topic.name === topicName ? tables : []))
    .find(({ topic }) => topic.name === topicName)
}

/** What a run over a topic's history is for: alerts of these rules, or of those that were in force where null. */
export async function historyPipeline(
  database: Database,
  topicName: string,
  documents: readonly RuleDocument[] | null,
): Promise<AnyPipeline> {
  const pipeline =
    documents === null
      ? await recordedPipeline(database, topicName)
      : trialPipeline(topicName, documents)
  assert(pipeline !== undefined, `There is no topic ${topicName}.`)
  return onlyRules(pipeline)
}

function domainOf(topicName: string): Domain | undefined {
  return allDomains.find(({ rules }) => rules.some(({ topic }) => topic.name === topicName))
}

/** Runs the cases of a rule that has no other problem. */
export function runCases(document: RuleDocument): readonly CaseOutcome[] {
  const enabled = { ...document, disabled: false }
  const pipeline = trialPipeline(document.topic, [enabled])
  if (pipeline === undefined) return []
  return (document.cases ?? []).map((each: RuleCase) => runCase(each, pipeline))
}
