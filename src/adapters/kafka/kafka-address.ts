// Where Kafka is and how we show who we are, as the client library takes it.

import type { ConnectionOptions } from '@platformatic/kafka'
import type { DurationMs } from '../../kernel/time.ts'

/** Names as Kafka's own settings have them. */
export type CompressionName = 'none' | 'gzip' | 'snappy' | 'lz4' | 'zstd'
export type SaslMechanism = 'PLAIN' | 'SCRAM-SHA-256' | 'SCRAM-SHA-512'

export interface KafkaAddress {
  /** `host:port`, of which one that answers is enough to find the others. */
  readonly brokers: readonly string[]
  /** Null: plain text. PEM texts; without `ca` the machine's own authorities are trusted. */
  readonly tls: {
    readonly ca: string | null
    readonly cert: string | null
    readonly key: string | null
  } | null
  readonly sasl: {
    readonly mechanism: SaslMechanism
    readonly username: string
    readonly password: string
  } | null
}

export const CLIENT_ID = 'outrider'
const CONNECT_TIMEOUT_MS: DurationMs = 3_000
/** A broker that is silent for so long is taken for dead, and its partitions are looked for elsewhere. */
const REQUEST_TIMEOUT_MS: DurationMs = 10_000

export function connectionOptions({ tls, sasl }: KafkaAddress): ConnectionOptions {
  return {
    connectTimeout: CONNECT_TIMEOUT_MS,
    requestTimeout: REQUEST_TIMEOUT_MS,
    ...(tls === null
      ? {}
      : {
          tls: {
            ...(tls.ca === null ? {} : { ca: tls.ca }),
            ...(tls.cert === null ? {} : { cert: tls.cert }),
            ...(tls.key === null ? {} : { key: tls.key }),
          },
          tlsServerName: true,
        }),
    ...(sasl === null ? {} : { sasl: { ...sasl } }),
  }
}
