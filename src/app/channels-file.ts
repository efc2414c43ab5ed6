// The document of channels in the data directory.

import { readFile, stat } from 'node:fs/promises'
import { join } from 'node:path'
import type { ChannelStore } from '../ports/channel-store.ts'
import type { Logger } from '../ports/logger.ts'
import { ChannelBook } from '../workflows/messages/channel-book.ts'
import { type ChannelDocuments, ChannelFile } from '../workflows/messages/channel-file.ts'
import { MAX_CHANNELS_CHARACTERS } from '../workflows/messages/channels.ts'

export const CHANNELS_FILE = 'channels.yaml'

/** Of the file, and of what was set up through the API. */
export function channelBook(dataDir: string, store: ChannelStore, logger: Logger): ChannelBook {
  return new ChannelBook(
    new ChannelFile(channelFile(join(dataDir, CHANNELS_FILE)), logger),
    store,
    logger,
  )
}

function channelFile(path: string): ChannelDocuments {
  return {
    async read() {
      try {
        const { size } = await stat(path)
        if (size > 4 * MAX_CHANNELS_CHARACTERS) throw new Error(`it has ${size} bytes`)
        return await readFile(path, 'utf8')
      } catch (error) {
        if (error instanceof Error && 'code' in error && error.code === 'ENOENT') return undefined
        throw error
      }
    },
  }
}
