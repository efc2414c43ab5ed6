// Carries the records of the dead-letter topic into the database, as they are. No keys, no state.

import { DAY_MS } from '../kernel/time.ts'
import { type DeadLetterEvent, deadLetters, parseDeadLetter } from './dead-letters.ts'
import type { Pipeline } from './pipeline.ts'

export const deadLetterPipeline: Pipeline<DeadLetterEvent, null> = {
  name: 'dead-letters',
  topic: deadLetters,
  stateFormat: 1,
  forgetAfterMs: DAY_MS,
  newState: () => null,
  copyState: () => null,
  onEvent() {},
  onTimer() {},
  openEpisodes: () => [],
  silences: [],
  windows: [],
  broadcasts: [],
  readDeadLetter: ({ value, offset }, { topic, partition }) =>
    parseDeadLetter(value, { topic, partition, offset }),
}
