// Gives back what the opening of a workflow has done, in the order in which the workflow asks for it again.

import { PlatformError } from '../kernel/errors.ts'
import type { OpeningStep } from './workflow-engine.ts'

/** Of `nowMs` in the opening; its result is the instant. */
export const NOW_STEP = 'note the time'

export interface OpeningSteps {
  /** Undefined where all are given back. Throws where the workflow asks for another step than was done. */
  next(name: string): OpeningStep | undefined
}

/** What the step resolved with, or a rejection as it was. */
export async function resultOf<T>({ result, error }: OpeningStep): Promise<T> {
  if (error !== null) throw new Error(error)
  return JSON.parse(result)
}

export function openingSteps(workflowId: string, steps: readonly OpeningStep[]): OpeningSteps {
  let given = 0
  return {
    next(name) {
      const step = steps[given]
      if (step === undefined) return undefined
      if (step.name !== name) {
        throw new PlatformError(
          'invariant-broken',
          `Workflow ${workflowId} asks for the step "${name}" where "${step.name}" was done: its code changed while it ran. Run it again from its start.`,
          { retry: 'never' },
        )
      }
      given += 1
      return step
    },
  }
}
