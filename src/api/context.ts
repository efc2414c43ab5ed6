// What every group of routes is handed.

import type { Database } from '../ports/database.ts'
import type { AccessControl } from './access.ts'
import type { FeedStatus } from './feed-status.ts'
import type { HeavyReads } from './heavy-reads.ts'
import type { LiveFeed } from './live-feed.ts'
import type { ServerOptions } from './options.ts'
import type { PublicTracking } from './public-tracking.ts'

export interface ApiContext {
  readonly options: ServerOptions
  /** Everything, whoever asks: for pages that need no credential, and what hangs on a row that the caller was shown. */
  readonly wholeDatabase: Database
  readonly access: AccessControl
  readonly live: LiveFeed
  readonly feeds: FeedStatus
  readonly heavyReads: HeavyReads
  readonly tracking: PublicTracking
}
