// The channels in force: the file's newest version that is whole, or the inbox alone.

import type { Logger } from '../../ports/logger.ts'
import { type ChannelTable, DEFAULT_CHANNELS, parseChannels } from './channels.ts'

export interface ChannelDocuments {
  /** Undefined where there is no file; rejects where it can't be read. */
  read(): Promise<string | undefined>
}

export class ChannelFile {
  table: ChannelTable = DEFAULT_CHANNELS
  /** Why the newest file is not in force; null where it is. */
  problem: string | null = null
  readonly #documents: ChannelDocuments
  readonly #logger: Logger
  #judged: string | undefined

  constructor(documents: ChannelDocuments, logger: Logger) {
    this.#documents = documents
    this.#logger = logger
  }

  async reload(): Promise<void> {
    let text: string | undefined
    try {
      text = await this.#documents.read()
    } catch (error) {
      this.#refuse(`It cannot be read: ${error instanceof Error ? error.message : error}`)
      return
    }
    if (text === this.#judged && this.problem === null) return
    const parsed = text === undefined ? undefined : parseChannels(text)
    if (parsed?.ok === false) {
      this.#refuse(parsed.error.join('; '))
      return
    }
    this.#judged = text
    this.table = parsed === undefined ? DEFAULT_CHANNELS : parsed.value
    this.problem = null
    this.#logger.info('channels-loaded', { channels: [...this.table.keys()] })
  }

  /** The last good one stays in force. */
  #refuse(problem: string): void {
    if (problem === this.problem) return
    this.problem = problem
    this.#logger.warn('channels-refused', { problem })
  }
}
