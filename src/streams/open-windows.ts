// Windows that are still open, as the tasks show them: one entry a partition in a live view, so that whoever
// reads windows sees them fill before they are final and recorded.

import type { WindowResult } from '../ports/checkpoint-store.ts'
import type { ViewEntry, ViewVersion } from '../ports/views.ts'

export const OPEN_WINDOWS_VIEW = 'open-windows'

/** One entry a tenant: what the task of this pipeline and partition has open. */
export function openWindowEntries(
  pipeline: string,
  version: ViewVersion,
  results: readonly WindowResult[],
): readonly ViewEntry[] {
  const byTenant = Map.groupBy(results, ({ tenantId }) => tenantId)
  return [...byTenant].map(([tenantId, windows]) => ({
    view: OPEN_WINDOWS_VIEW,
    key: `${pipeline}/${version.partition}`,
    tenantId,
    version,
    json: JSON.stringify(windows),
  }))
}

/** The windows of an entry; it is written by `openWindowEntries` alone. */
export function openWindowsOf({ json }: Pick<ViewEntry, 'json'>): readonly WindowResult[] {
  return json === null ? [] : (JSON.parse(json) as readonly WindowResult[])
}
