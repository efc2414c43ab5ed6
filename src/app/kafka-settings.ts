// The settings that belong to Apache Kafka, read together: most of them mean nothing without the brokers.

import { readFileSync } from 'node:fs'
import { resolve } from 'node:path'
import type {
  CompressionName,
  KafkaAddress,
  SaslMechanism,
} from '../adapters/kafka/kafka-address.ts'

export interface KafkaSettings {
  readonly address: KafkaAddress
  readonly compression: CompressionName
  readonly group: string
  /** `consumer` is that of KIP-848. */
  readonly groupProtocol: 'classic' | 'consumer'
  /** Names this process over restarts. */
  readonly instanceId: string | null
}

export interface KafkaValues {
  readonly KAFKA_BROKERS: readonly string[] | null
  readonly KAFKA_TLS: boolean
  readonly KAFKA_TLS_CA: string | null
  readonly KAFKA_TLS_CERT: string | null
  readonly KAFKA_TLS_KEY: string | null
  readonly KAFKA_SASL: SaslMechanism
  readonly KAFKA_USERNAME: string | null
  readonly KAFKA_PASSWORD: string | null
  readonly KAFKA_COMPRESSION: CompressionName
  readonly KAFKA_GROUP: string
  readonly KAFKA_GROUP_PROTOCOL: 'classic' | 'consumer'
  readonly KAFKA_INSTANCE: string | null
}

/** Null where no brokers are named: then the log is the embedded one. Adds to `problems` what is wrong. */
export function kafkaSettings(
  values: KafkaValues,
  directory: string,
  problems: string[],
): KafkaSettings | null {
  const brokers = values.KAFKA_BROKERS
  if (brokers === null) {
    const stray = (['KAFKA_USERNAME', 'KAFKA_PASSWORD', 'KAFKA_TLS_CA'] as const).filter(
      (name) => values[name] !== null,
    )
    for (const name of stray) {
      problems.push(`OUTRIDER_${name} is set, but OUTRIDER_KAFKA_BROKERS names no brokers.`)
    }
    return null
  }
  const file = (name: 'KAFKA_TLS_CA' | 'KAFKA_TLS_CERT' | 'KAFKA_TLS_KEY'): string | null =>
    pemFile(name, values[name], directory, problems)
  const files = {
    ca: file('KAFKA_TLS_CA'),
    cert: file('KAFKA_TLS_CERT'),
    key: file('KAFKA_TLS_KEY'),
  }
  if ((files.cert === null) !== (files.key === null)) {
    problems.push('OUTRIDER_KAFKA_TLS_CERT and OUTRIDER_KAFKA_TLS_KEY belong together.')
  }
  const tls = values.KAFKA_TLS || values.KAFKA_TLS_CA !== null || values.KAFKA_TLS_CERT !== null
  const username = values.KAFKA_USERNAME
  const password = values.KAFKA_PASSWORD
  if ((username === null) !== (password === null)) {
    problems.push('OUTRIDER_KAFKA_USERNAME and OUTRIDER_KAFKA_PASSWORD belong together.')
  }
  return {
    address: {
      brokers,
      tls: tls ? files : null,
      sasl:
        username === null || password === null
          ? null
          : { mechanism: values.KAFKA_SASL, username, password },
    },
    compression: values.KAFKA_COMPRESSION,
    group: values.KAFKA_GROUP,
    groupProtocol: values.KAFKA_GROUP_PROTOCOL,
    instanceId: values.KAFKA_INSTANCE,
  }
}

function pemFile(
  name: string,
  path: string | null,
  directory: string,
  problems: string[],
): string | null {
  if (path === null) return null
  try {
    const text = readFileSync(resolve(directory, path), 'utf8')
    if (text.includes('-----BEGIN ')) return text
    problems.push(`OUTRIDER_${name}: ${path} holds no PEM.`)
  } catch {
    problems.push(`OUTRIDER_${name}: ${path} can't be read.`)
  }
  return null
}

/** `host:port`, several with commas. */
export function brokerList(value: string): readonly string[] {
  const brokers = value
    .split(',')
    .map((broker) => broker.trim())
    .filter((broker) => broker !== '')
  const wrong = brokers.find((broker) => !isBroker(broker))
  if (brokers.length === 0 || wrong !== undefined) {
    throw new Error(`must be addresses such as kafka-1:9092,kafka-2:9092; found "${wrong ?? ''}"`)
  }
  return brokers
}

function isBroker(text: string): boolean {
  const port = Number(/^(?:[A-Za-z0-9._-]+|\[[0-9a-fA-F:]+\]):(\d{1,5})$/.exec(text)?.[1] ?? 0)
  return port >= 1 && port <= 65_535
}

export function saslMechanism(value: string): SaslMechanism {
  switch (value.toUpperCase()) {
    case 'PLAIN':
      return 'PLAIN'
    case 'SCRAM-SHA-256':
      return 'SCRAM-SHA-256'
    case 'SCRAM-SHA-512':
      return 'SCRAM-SHA-512'
    default:
      throw new Error(`must be plain, scram-sha-256 or scram-sha-512; found "${value}"`)
  }
}
