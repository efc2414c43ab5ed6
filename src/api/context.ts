// What every group of routes is handed.

import type { AccessControl } from './access.ts'
import type { FeedStatus } from './feed-status.ts'
import type { HeavyReads } from './heavy-reads.ts'
import type { LiveFeed } from './live-feed.ts'
import type { ServerOptions } from './options.ts'

export interface ApiContext {
  readonly options: ServerOptions
  readonly access: AccessControl
  readonly live: LiveFeed
  readonly feeds: FeedStatus
  readonly heavyReads: HeavyReads
}
