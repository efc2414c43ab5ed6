// Entries, alerts and handling as text: what Redis keeps in the views and passes on in the feed. The first
// letter says which it is.

import type { Alert } from '../../ports/alert.ts'
import type { FeedMessage, HandledAlert, ViewEntry } from '../../ports/views.ts'

/** A document goes behind its head as it is, so that its JSON stays what the task encoded. */
export function encodeEntry({ view, key, tenantId, version, json }: ViewEntry): string {
  const { partition, offset, clockMs } = version
  const head = JSON.stringify([view, key, tenantId, partition, offset, clockMs])
  return `E${head}\n${json ?? ''}`
}

export function encodeAlert(alert: Alert): string {
  return `A${JSON.stringify(alert)}`
}

export function encodeHandled(alert: HandledAlert): string {
  return `H${JSON.stringify(alert)}`
}

/** Reads what the functions above wrote; undefined where it is something else. */
export function decodeRecord(text: string): FeedMessage | undefined {
  const body = text.slice(1)
  if (text.startsWith('A')) return { type: 'alert', alert: JSON.parse(body) as Alert }
  if (text.startsWith('H')) return { type: 'handled', alert: JSON.parse(body) as HandledAlert }
  return text.startsWith('E') ? { type: 'entity', entry: decodeEntry(body) } : undefined
}

function decodeEntry(body: string): ViewEntry {
  // JSON on one line holds no line feed: the first one ends the head.
  const end = body.indexOf('\n')
  const [view, key, tenantId, partition, offset, clockMs] = JSON.parse(
    body.slice(0, end),
  ) as readonly [string, string, string, number, number, number]
  const json = body.slice(end + 1)
  const version = { partition, offset, clockMs }
  return { view, key, tenantId, version, json: json === '' ? null : json }
}
