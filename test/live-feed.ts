// A client of the live feed, for tests: gathers what it is told.

export interface FeedClient {
  /** Alert documents by id, the newest of each. */
  readonly alerts: ReadonlyMap<string, FeedAlert>
  /** Resolves once the condition holds; looked at with every message. */
  until(condition: () => boolean, what: string): Promise<void>
  close(): void
}

export interface FeedAlert {
  readonly id: string
  readonly rule: string
  readonly entityId: string
  readonly status: string
  readonly revision: number
  readonly acknowledgedAt: string | null
  readonly assignee: string | null
  readonly silencedBy: readonly string[]
  readonly inhibitedBy: readonly string[]
}

const PATIENCE_MS = 20_000

export async function openFeed(address: string): Promise<FeedClient> {
  const stop = new AbortController()
  const response = await fetch(`${address}/api/v1/live?views=alerts`, { signal: stop.signal })
  if (response.status !== 200 || response.body === null) {
    throw new Error(`The live feed answered ${response.status}: ${await response.text()}`)
  }
  const alerts = new Map<string, FeedAlert>()
  let waiting: (() => void)[] = []
  const reading = read(response.body, (alert) => {
    alerts.set(alert.id, alert)
    for (const look of waiting) look()
  })
  reading.catch(() => undefined)
  return {
    alerts,
    until(condition, what) {
      return new Promise((resolve, reject) => {
        const end = (): void => {
          clearTimeout(timer)
          waiting = waiting.filter((each) => each !== look)
        }
        const look = (): void => {
          if (!condition()) return
          end()
          resolve()
        }
        const timer = setTimeout(() => {
          end()
          reject(new Error(`Waited in vain for ${what}; there are ${alerts.size} alerts.`))
        }, PATIENCE_MS)
        waiting.push(look)
        look()
      })
    },
    close: () => stop.abort(),
  }
}

async function read(
  body: ReadableStream<Uint8Array>,
  onAlert: (alert: FeedAlert) => void,
): Promise<void> {
  const decoder = new TextDecoder()
  let rest = ''
  for await (const bytes of body) {
    rest += decoder.decode(bytes, { stream: true })
    const messages = rest.split('\n\n')
    rest = messages.pop() ?? ''
    for (const message of messages) {
      if (!/^event: ?alert$/m.test(message)) continue
      const data = /^data: ?(.*)$/m.exec(message)?.[1]
      if (data !== undefined) onAlert(JSON.parse(data) as FeedAlert)
    }
  }
}
