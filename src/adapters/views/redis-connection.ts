// Connections to Redis: made again with growing waits when they break, given up where Redis says that the
// credentials are wrong.

import { createClient } from 'redis'
import { PlatformError } from '../../kernel/errors.ts'
import { type DurationMs, SECOND_MS } from '../../kernel/time.ts'
import { applyScript } from './redis-script.ts'

/** A server that answers nothing for so long counts as gone. Something is asked every second. */
const SILENT_MS: DurationMs = 5 * SECOND_MS
const CONNECT_TIMEOUT_MS: DurationMs = 5 * SECOND_MS
const FIRST_WAIT_MS: DurationMs = 50
const LONGEST_WAIT_MS: DurationMs = 2 * SECOND_MS
/** Attempts before the start is given up: some seconds. */
const FIRST_ATTEMPTS = 5
const REFUSED_CREDENTIALS = /^(?:WRONGPASS|NOAUTH|NOPERM|ERR (?:invalid password|AUTH))/
/** Commands waiting for an answer. Callers send one at a time each. */
const MAX_COMMANDS = 1_000

export type RedisConnection = ReturnType<typeof newClient>

/** Rejects with `bad-setting` where the credentials are refused, `views-unavailable` where nobody answers. */
export async function connectRedis(url: string, name: string): Promise<RedisConnection> {
  let everReady = false
  const client = newClient(url, name, (attempts, cause) => {
    if (everReady) return waitMs(attempts)
    if (REFUSED_CREDENTIALS.test(cause.message) || attempts >= FIRST_ATTEMPTS) return cause
    return waitMs(attempts)
  })
  // Commands fail with it; an event that nobody hears would end the process.
  client.on('error', () => undefined)
  client.on('ready', () => {
    everReady = true
  })
  try {
    await client.connect()
    return client
  } catch (cause) {
    client.destroy()
    throw connectionError(url, cause)
  }
}

function newClient(
  url: string,
  name: string,
  reconnectStrategy: (attempts: number, cause: Error) => number | Error,
) {
  return createClient({
    url,
    name,
    RESP: 2,
    disableOfflineQueue: true,
    commandsQueueMaxLength: MAX_COMMANDS,
    scripts: { apply: applyScript },
    socket: {
      connectTimeout: CONNECT_TIMEOUT_MS,
      socketTimeout: SILENT_MS,
      reconnectStrategy,
    },
  })
}

function waitMs(attempts: number): DurationMs {
  return Math.min(LONGEST_WAIT_MS, FIRST_WAIT_MS * 2 ** Math.min(attempts, 10))
}

function connectionError(url: string, cause: unknown): PlatformError {
  const place = redisPlace(url)
  if (cause instanceof Error && REFUSED_CREDENTIALS.test(cause.message)) {
    return new PlatformError(
      'bad-setting',
      `Redis at ${place} refuses the credentials. Check user and password in OUTRIDER_REDIS_URL.`,
      { retry: 'never', cause },
    )
  }
  return new PlatformError(
    'views-unavailable',
    `Cannot reach Redis at ${place}. Start it, or check OUTRIDER_REDIS_URL.`,
    { retry: 'later', cause },
  )
}

/** Host and port, without the credentials. */
export function redisPlace(url: string): string {
  const { host, hostname } = new URL(url)
  return host === hostname ? `${hostname}:6379` : host
}
