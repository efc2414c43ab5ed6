// The newest messages of the live feed, so that a client that was away for a moment gets what it missed.

import type { ViewEntry } from '../ports/views.ts'

/** Messages kept. */
export const MAX_RING_MESSAGES = 20_000
/** Text kept by them. */
export const MAX_RING_BYTES = 16 * 1024 * 1024

export interface Message {
  /** Grows by one with every message of this run. */
  readonly sequence: number
  readonly view: string
  readonly key: string
  readonly tenantId: string
  readonly bytes: number
  /** The server-sent event. */
  chunk(): string
  /** True where the entry tells nothing newer than this message. */
  isNotOlderThan(entry: ViewEntry): boolean
}

export interface MessageRing {
  readonly lastSequence: number
  add(content: Omit<Message, 'sequence'>): Message
  /** What came after that message; undefined where some of it is no longer here, or it never was. */
  after(sequence: number): readonly Message[] | undefined
}

export function createMessageRing(): MessageRing {
  const slots: (Message | undefined)[] = new Array(MAX_RING_MESSAGES)
  let first = 1
  let last = 0
  let bytes = 0

  const dropFirst = (): void => {
    const index = first % MAX_RING_MESSAGES
    bytes -= slots[index]?.bytes ?? 0
    slots[index] = undefined
    first += 1
  }

  return {
    get lastSequence() {
      return last
    },
    add(content) {
      if (last - first + 1 >= MAX_RING_MESSAGES) dropFirst()
      last += 1
      const message = { sequence: last, ...content }
      slots[last % MAX_RING_MESSAGES] = message
      bytes += message.bytes
      while (bytes > MAX_RING_BYTES && first < last) dropFirst()
      return message
    },
    after(sequence) {
      if (sequence < first - 1 || sequence > last) return undefined
      const missed: Message[] = []
      for (let next = sequence + 1; next <= last; next++) {
        const message = slots[next % MAX_RING_MESSAGES]
        if (message !== undefined) missed.push(message)
      }
      return missed
    },
  }
}
