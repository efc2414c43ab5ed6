// Where an import sends its events: through the door of a running server, or straight into a data directory.

import type { EpochMs } from '../../kernel/time.ts'
import type { DeliveryOutcome } from '../ingest.ts'

/** What one import sent since it was begun or resumed, for whoever counts what became of it. */
export interface SentSummary {
  readonly topic: string
  readonly accepted: number
  /** The event ids that this import made begin with it; null where the mapping gives ids of its own. */
  readonly eventIdPrefix: string | null
  /** Device times of the accepted events, both inclusive; null where none was accepted. */
  readonly recordedAtMs: { readonly first: EpochMs; readonly last: EpochMs } | null
}

export interface Settled {
  /** Events of this import that the platform flagged as repeats; null where they were not counted. */
  readonly duplicates: number | null
  /** How they were counted, or why not: one sentence for the person who imports. */
  readonly note: string
}

export interface EventSink {
  /** As messages name it, such as `http://127.0.0.1:8080`. */
  readonly name: string
  /** Called once before the first `send`. */
  begin(topic: string): Promise<void>
  /**
   * One event each. Resolves once they are durable; retries what may be retried, and rejects with a
   * `PlatformError` where it gives up. Events of one key keep their order.
   */
  send(topic: string, events: readonly Buffer[]): Promise<DeliveryOutcome>
  /** Waits until what was sent is archived, and counts repeats. */
  settle(sent: SentSummary): Promise<Settled>
  close(): Promise<void>
}
