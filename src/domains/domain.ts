// What a domain gives the platform. A new one is a folder of the same shape and a line in `registry.ts`.

import type { MessageTemplate } from '../ports/message.ts'
import type { RuleSource, RuleTopic } from '../rules/rule-source.ts'
import type { AnyPipeline } from '../streams/pipeline.ts'
import type { SimulatedFleet } from './simulation.ts'
import type { WindowSpan } from './vehicles/windows.ts'

export interface ReferenceTableDefinition {
  readonly name: string
  /** Says what is wrong with a document, or nothing. */
  check(content: unknown): string | undefined
}

export interface JoinedRow {
  readonly table: string
  readonly row: Readonly<Record<string, unknown>>
}

/** What an operator may choose of what is computed. */
export interface DomainSettings {
  readonly vehicleWindows: readonly WindowSpan[]
}

export interface Domain {
  readonly name: string
  readonly pipelines: readonly AnyPipeline[]
  /** Its topics as rules meet them, with the rules that come with the program. */
  readonly rules: readonly RuleTopic[]
  /** The pipelines with rules from elsewhere. */
  pipelinesWith(rules: (topic: RuleTopic) => RuleSource): readonly AnyPipeline[]
  /** The pipelines as the settings want them; as they are where a domain has nothing to choose. */
  pipelinesUnder?(settings: DomainSettings): readonly AnyPipeline[]
  readonly referenceTables: readonly ReferenceTableDefinition[]
  /**
   * Rows that an event of one of its topics, with its fields by name, is joined with; `tables` gives contents,
   * or undefined.
   */
  referenceRows?(
    topic: string,
    event: Readonly<Record<string, unknown>>,
    tables: (name: string) => unknown,
  ): readonly JoinedRow[]
  /** Its synthetic world: what `outrider simulate` and `start` drive. */
  readonly fleets: readonly SimulatedFleet[]
  /** The words of the messages that it asks for. */
  readonly templates?: readonly MessageTemplate[]
}
