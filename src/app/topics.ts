// The topics of the platform and the pipelines that read them, as the domains declare them.

import type { Domain } from '../domains/domain.ts'
import { domains } from '../domains/registry.ts'
import { isRuleTable, type RuleTopic } from '../rules/rule-source.ts'
import { deadLetterPipeline } from '../streams/dead-letter-pipeline.ts'
import { DEAD_LETTERS_TOPIC } from '../streams/dead-letters.ts'
import type { AnyPipeline } from '../streams/pipeline.ts'
import type { StreamEvent, TopicDefinition } from '../streams/topic.ts'
import type { Settings } from './settings.ts'

/** Topics as rules meet them. */
export const ruleTopics: readonly RuleTopic[] = domains.flatMap(({ rules }) => rules)

export const ALERTS_TOPIC = 'alerts'

export const allDomains: readonly Domain[] = domains

/** Every pipeline there is, that of the dead letters included. */
export const allPipelines: readonly AnyPipeline[] = [
  ...domains.flatMap((domain) => domain.pipelines),
  deadLetterPipeline,
]

/** The same as the settings want them; their rules are those of `allPipelines`. */
export function pipelinesUnder(settings: Settings): readonly AnyPipeline[] {
  return [
    ...domains.flatMap((domain) => domain.pipelinesUnder?.(settings) ?? domain.pipelines),
    deadLetterPipeline,
  ]
}

/** Topics with events, by our name. */
export const archivedTopics: ReadonlyMap<string, TopicDefinition<StreamEvent>> = new Map(
  domains.flatMap((domain) => domain.pipelines.map(({ topic }) => [topic.name, topic] as const)),
)

/** Those that doors write to. */
export const eventTopics: ReadonlyMap<string, TopicDefinition<StreamEvent>> = new Map(
  [...archivedTopics].filter(([, { internal }]) => internal !== true),
)

/** Those that only the platform writes to. */
export const internalTopics: ReadonlyMap<string, TopicDefinition<StreamEvent>> = new Map(
  [...archivedTopics].filter(([, { internal }]) => internal === true),
)

/** What the log calls a topic: another name where the operator's topics have one. */
export function topicName(settings: Pick<Settings, 'topicNames'>, topic: string): string {
  return settings.topicNames.get(topic) ?? topic
}

/** All topics that must exist, with our names, each once. */
export const neededTopics: readonly string[] = [
  ...new Set([...archivedTopics.keys(), DEAD_LETTERS_TOPIC, ALERTS_TOPIC]),
]

/** Of a topic that we make; one that is there already keeps its own, unless it is a broadcast. */
export function partitionsOf(settings: Settings, topic: string): number {
  return archivedTopics.get(topic)?.broadcast === true ? 1 : settings.partitions
}

export function checkReference(name: string, content: unknown): string | undefined {
  if (isRuleTable(name)) return undefined
  const table = domains
    .flatMap((domain) => domain.referenceTables)
    .find((definition) => definition.name === name)
  return table === undefined ? 'no domain reads this table' : table.check(content)
}
