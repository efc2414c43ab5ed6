// A pipeline that only keeps what comes: for topics that other pipelines read as broadcasts.

import { MINUTE_MS } from '../../kernel/time.ts'
import type { Pipeline } from '../../streams/pipeline.ts'
import type { StreamEvent, TopicDefinition } from '../../streams/topic.ts'

export function archivingPipeline<E extends StreamEvent>(
  topic: TopicDefinition<E>,
): Pipeline<E, null> {
  return {
    name: topic.name,
    topic,
    stateFormat: 1,
    forgetAfterMs: 10 * MINUTE_MS,
    newState: () => null,
    copyState: () => null,
    onEvent: () => undefined,
    onTimer: () => undefined,
    openEpisodes: () => [],
    silences: [],
    windows: [],
    broadcasts: [],
  }
}
