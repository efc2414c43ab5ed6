// What a domain gives the platform. A new one is a folder of the same shape and a line in `registry.ts`.

import type { RuleDefinition } from '../rules/definition.ts'
import type { AnyPipeline } from '../streams/pipeline.ts'
import type { SimulatedFleet } from './simulation.ts'

export interface ReferenceTableDefinition {
  readonly name: string
  /** Says what is wrong with a document, or nothing. */
  check(content: unknown): string | undefined
}

export interface Domain {
  readonly name: string
  readonly pipelines: readonly AnyPipeline[]
  readonly rules: readonly RuleDefinition[]
  /** The pipelines with these rules in place of the domain's own. */
  pipelinesWith(rules: readonly RuleDefinition[]): readonly AnyPipeline[]
  readonly referenceTables: readonly ReferenceTableDefinition[]
  /** Its synthetic world: what `outrider simulate` and `start` drive. */
  readonly fleets: readonly SimulatedFleet[]
}
