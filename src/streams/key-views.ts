// The live view of a key: what its pipeline shows of the state, and what its rules are about to do.

import type { ViewEntry, ViewVersion } from '../ports/views.ts'
import type { KeySlot } from './key-slot.ts'
import type { PendingRule, Pipeline } from './pipeline.ts'
import type { StreamEvent } from './topic.ts'

/** Undefined where the pipeline shows nothing of it; `rules` is what its rules come from. */
export function viewEntryOf<E extends StreamEvent, S>(
  slot: KeySlot<E, S>,
  pipeline: Pipeline<E, S>,
  {
    partition,
    clockMs,
    rules,
  }: Pick<ViewVersion, 'partition' | 'clockMs'> & { readonly rules: unknown },
): ViewEntry | undefined {
  const { view } = pipeline
  const { key, tenantId, head, tail } = slot
  const document = view?.document(head.state, key, {
    receivedAtMs: slot.lastReceivedAtMs,
    open: [...pipeline.openEpisodes(head.state), ...slot.silenceEpisodes],
    newest: () => tail.before(tail.length)?.event ?? null,
  })
  if (view === undefined || document === undefined) return undefined
  const pending: readonly PendingRule[] = pipeline.rules?.pending(head.state, rules) ?? []
  return {
    view: view.name,
    key,
    tenantId,
    version: { partition, offset: slot.lastOffset, clockMs },
    json: JSON.stringify(pending.length === 0 ? document : { ...document, pending }),
  }
}
