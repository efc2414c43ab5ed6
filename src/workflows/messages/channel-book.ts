// The channels in force: those of the file, and those that were set up through the API. The file goes first.

import type { ChannelStore, StoredChannel } from '../../ports/channel-store.ts'
import type { Logger } from '../../ports/logger.ts'
import type { ChannelFile } from './channel-file.ts'
import { type ChannelTable, parseChannel } from './channels.ts'

export class ChannelBook {
  table: ChannelTable
  /** As they were last read; one that is malformed is among them, and not in force. */
  stored: readonly StoredChannel[] = []
  readonly #file: ChannelFile
  readonly #store: ChannelStore
  readonly #logger: Logger
  #isAway = false

  constructor(file: ChannelFile, store: ChannelStore, logger: Logger) {
    this.#file = file
    this.#store = store
    this.#logger = logger
    this.table = file.table
  }

  get ofFile(): ChannelTable {
    return this.#file.table
  }

  /** Why the newest file is not in force; null where it is. */
  get problem(): string | null {
    return this.#file.problem
  }

  async reload(): Promise<void> {
    await this.#file.reload()
    try {
      this.stored = await this.#store.list()
      this.#isAway = false
    } catch (error) {
      // What was read last stays in force.
      if (!this.#isAway) this.#logger.warn('channels-not-read', { error: String(error) })
      this.#isAway = true
    }
    const parsed = this.stored.flatMap(({ name, document }) => {
      const channel = parseChannel({ ...Object(document), name })
      return channel.ok ? [[name, channel.value] as const] : []
    })
    this.table = new Map([...parsed, ...this.#file.table])
  }
}
