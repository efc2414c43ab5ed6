// Reads the live feed as a browser does, ids included, and comes back where it was.

export interface FeedEvent {
  readonly event: string
  readonly data: Record<string, unknown>
}

export class FeedReader {
  readonly events: FeedEvent[] = []
  lastEventId: string | undefined
  ended = false
  readonly #stop = new AbortController()

  static async open(
    address: string,
    { views = 'alerts,trucks', lastEventId }: { views?: string; lastEventId?: string } = {},
  ): Promise<FeedReader> {
    const reader = new FeedReader()
    const response = await fetch(`${address}/api/v1/live?views=${views}`, {
      signal: reader.#stop.signal,
      headers: lastEventId === undefined ? {} : { 'last-event-id': lastEventId },
    })
    if (response.status !== 200 || response.body === null) {
      throw new Error(`The live feed answered ${response.status}.`)
    }
    reader
      .#read(response.body)
      .catch(() => undefined)
      .finally(() => {
        reader.ended = true
      })
    return reader
  }

  count(fits: (event: FeedEvent) => boolean): number {
    return this.events.filter(fits).length
  }

  close(): void {
    this.#stop.abort()
  }

  async #read(body: ReadableStream<Uint8Array>): Promise<void> {
    const decoder = new TextDecoder()
    let rest = ''
    for await (const bytes of body) {
      const blocks = (rest + decoder.decode(bytes, { stream: true })).split('\n\n')
      rest = blocks.pop() ?? ''
      for (const block of blocks) this.#take(block)
    }
  }

  #take(block: string): void {
    const field = (name: string): string | undefined =>
      new RegExp(`^${name}: ?(.*)$`, 'm').exec(block)?.[1]
    const data = field('data')
    if (data !== undefined)
      this.events.push({ event: field('event') ?? '', data: JSON.parse(data) })
    this.lastEventId = field('id') ?? this.lastEventId
  }
}
