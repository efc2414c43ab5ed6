// Writes batches to a stream such as standard output, no faster than its reader takes them.

import { once } from 'node:events'
import type { Writable } from 'node:stream'
import type { Delivered } from './run-simulation.ts'

export interface StreamSender {
  send(ndjsonBatch: string, count: number): Promise<Delivered>
  /** Comes when the reader has gone, as `head` does when it has enough. */
  readonly closed: AbortSignal
}

export function streamSender(stream: Writable): StreamSender {
  const closed = new AbortController()
  let failure: Error | undefined
  stream.on('error', (error: NodeJS.ErrnoException) => {
    // A reader that has had enough is no failure of ours.
    if (error.code !== 'EPIPE') failure = error
    closed.abort()
  })
  stream.on('close', () => closed.abort())

  return {
    closed: closed.signal,
    async send(ndjsonBatch, count) {
      if (failure !== undefined) throw failure
      if (!closed.signal.aborted && !stream.write(ndjsonBatch)) await room()
      if (failure !== undefined) throw failure
      return { accepted: count, rejected: 0 }
    },
  }

  async function room(): Promise<void> {
    try {
      await once(stream, 'drain', { signal: closed.signal })
    } catch (error) {
      if (!closed.signal.aborted) throw error
    }
  }
}
