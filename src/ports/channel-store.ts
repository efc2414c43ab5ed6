// Channels that were set up through the API. Their documents hold secrets.

import type { EpochMs } from '../kernel/time.ts'

/** More than this are not kept. */
export const MAX_STORED_CHANNELS = 200

export interface StoredChannel {
  readonly name: string
  /** As in the document of channels, secret included. */
  readonly document: unknown
  readonly updatedAtMs: EpochMs
  readonly updatedBy: string
}

export interface ChannelStore {
  /** By name, at most `MAX_STORED_CHANNELS`. */
  list(): Promise<readonly StoredChannel[]>
  /** Made or changed; false where there are too many. */
  save(channel: Omit<StoredChannel, 'updatedAtMs'>): Promise<boolean>
  /** False where there is none of that name. */
  remove(name: string): Promise<boolean>
}
