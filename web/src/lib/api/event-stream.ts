// Server-sent events read through fetch. EventSource gives up for good on a 503 and cannot tell a
// silent connection from a dead one; here the caller sees every byte and decides.

export interface StreamEvent {
  readonly event: string
  readonly data: string
}

export interface StreamOptions {
  readonly url: string
  readonly lastEventId: string | null
  readonly signal: AbortSignal
  readonly onOpen: () => void
  /** Called for every piece that arrives, comments included: the connection is alive. */
  readonly onBytes: () => void
  readonly onEvent: (event: StreamEvent) => void
  readonly onId: (id: string) => void
}

export class StreamRefused extends Error {
  readonly status: number
  readonly retryAfterMs: number | null

  constructor(response: Response) {
    super(`The live feed answered ${response.status}`)
    this.name = 'StreamRefused'
    this.status = response.status
    const seconds = Number(response.headers.get('retry-after'))
    this.retryAfterMs = Number.isFinite(seconds) && seconds > 0 ? seconds * 1000 : null
  }
}

/** Resolves when the server ends the stream; rejects when it breaks or is refused. */
export async function readEventStream(options: StreamOptions): Promise<void> {
  const response = await fetch(options.url, {
    credentials: 'same-origin',
    cache: 'no-store',
    headers: {
      accept: 'text/event-stream',
      ...(options.lastEventId === null ? {} : { 'last-event-id': options.lastEventId }),
    },
    signal: options.signal,
  })
  if (!response.ok || response.body === null) throw new StreamRefused(response)
  options.onOpen()
  const parser = createEventParser(options.onEvent, options.onId)
  const reader = response.body.pipeThrough(new TextDecoderStream()).getReader()
  for (;;) {
    const { done, value } = await reader.read()
    if (done) return
    options.onBytes()
    parser(value)
  }
}

/** Line by line as the HTML standard says, without the parts we never send (`retry`). */
export function createEventParser(
  onEvent: (event: StreamEvent) => void,
  onId: (id: string) => void,
): (text: string) => void {
  let rest = ''
  let event = 'message'
  let data: string[] = []

  const line = (text: string): void => {
    if (text === '') {
      if (data.length > 0) onEvent({ event, data: data.join('\n') })
      event = 'message'
      data = []
      return
    }
    const colon = text.indexOf(':')
    const field = colon < 0 ? text : text.slice(0, colon)
    const value = colon < 0 ? '' : text.slice(text[colon + 1] === ' ' ? colon + 2 : colon + 1)
    if (field === 'event') event = value
    else if (field === 'data') data.push(value)
    else if (field === 'id') onId(value)
  }

  return (text) => {
    const lines = (rest + text).split('\n')
    rest = lines.pop() ?? ''
    for (const each of lines) line(each.endsWith('\r') ? each.slice(0, -1) : each)
  }
}
