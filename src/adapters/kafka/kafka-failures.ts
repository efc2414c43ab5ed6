// What went wrong between us and Kafka, in our words.

import { PlatformError } from '../../kernel/errors.ts'
import type { KafkaAddress } from './kafka-address.ts'

/** Codes of the Kafka protocol that we act on. Source: Kafka protocol guide, "Error codes". */
export const KAFKA = {
  none: 0,
  offsetOutOfRange: 1,
  corruptMessage: 2,
  unknownTopic: 3,
  leaderNotAvailable: 5,
  notLeader: 6,
  requestTimedOut: 7,
  recordTooLarge: 10,
  notEnoughReplicas: 19,
  notEnoughReplicasAfterAppend: 20,
  topicNotAuthorized: 29,
  groupNotAuthorized: 30,
  clusterNotAuthorized: 31,
  invalidTimestamp: 32,
  topicExists: 36,
  outOfOrderSequence: 45,
  duplicateSequence: 46,
  invalidProducerEpoch: 47,
  storageError: 56,
  saslFailed: 58,
  unknownProducer: 59,
  fencedLeader: 74,
  unknownLeaderEpoch: 75,
  offsetNotAvailable: 78,
  inconsistentTopicId: 103,
} as const

const PASSING: ReadonlySet<number> = new Set([
  KAFKA.leaderNotAvailable,
  KAFKA.notLeader,
  KAFKA.requestTimedOut,
  KAFKA.notEnoughReplicas,
  KAFKA.notEnoughReplicasAfterAppend,
  KAFKA.storageError,
  KAFKA.fencedLeader,
  KAFKA.unknownLeaderEpoch,
  KAFKA.offsetNotAvailable,
])

/** True where the same request may succeed a little later, perhaps on another broker. */
export function isPassing(code: number): boolean {
  return PASSING.has(code)
}

/** The failure of `task`, such as `read topic "alerts"`, from whatever the client threw. */
export function kafkaFailure(task: string, address: KafkaAddress, error: unknown): PlatformError {
  if (error instanceof PlatformError) return error
  const causes = [...chain(error)]
  const codes = causes.map(apiCode)
  if (isSecurity(causes, codes)) return refused(task, address, causes, error)
  for (const code of codes) {
    const found = code === undefined ? undefined : protocolFailure(task, code, error)
    if (found !== undefined) return found
  }
  return new PlatformError(
    'log-unavailable',
    `Cannot ${task}: Kafka at ${address.brokers.join(', ')} does not answer (${reasonOf(causes)}). ` +
      'Check OUTRIDER_KAFKA_BROKERS and whether the brokers run.',
    { retry: 'later', details: { brokers: address.brokers }, cause: error },
  )
}

/** The failure that a broker answered with; undefined where it says nothing that we know better. */
export function protocolFailure(
  task: string,
  code: number,
  cause?: unknown,
): PlatformError | undefined {
  const details = { kafkaCode: code }
  switch (code) {
    case KAFKA.unknownTopic:
    case KAFKA.inconsistentTopicId:
      return new PlatformError(
        'not-found',
        `Cannot ${task}: Kafka has no such topic or partition.`,
        {
          retry: 'never',
          details,
        },
      )
    case KAFKA.topicNotAuthorized:
    case KAFKA.groupNotAuthorized:
    case KAFKA.clusterNotAuthorized:
      return new PlatformError(
        'bad-setting',
        `Cannot ${task}: Kafka does not allow it to this user. Grant the access (ACL), or name another ` +
          'user in OUTRIDER_KAFKA_USERNAME.',
        { retry: 'never', details, cause },
      )
    case KAFKA.invalidTimestamp:
      return new PlatformError(
        'log-unavailable',
        `Cannot ${task}: Kafka finds our time of arrival too far from its own. Set the clocks right.`,
        { retry: 'later', details, cause },
      )
    case KAFKA.recordTooLarge:
      return new PlatformError(
        'log-failed',
        `Cannot ${task}: a record is larger than the topic takes. Raise its max.message.bytes to 1 MiB.`,
        { retry: 'never', details, cause },
      )
    case KAFKA.corruptMessage:
      return new PlatformError('log-corrupt', `Cannot ${task}: a record is damaged.`, {
        retry: 'never',
        details,
        cause,
      })
    default:
      return undefined
  }
}

/** Every code of the protocol that an error of the client carries. */
export function apiCodes(error: unknown): readonly number[] {
  return [...chain(error)].map(apiCode).filter((code) => code !== undefined)
}

function isSecurity(causes: readonly unknown[], codes: readonly (number | undefined)[]): boolean {
  return codes.includes(KAFKA.saslFailed) || causes.some(isAuthentication) || causes.some(isTls)
}

function refused(
  task: string,
  { brokers, sasl, tls }: KafkaAddress,
  causes: readonly unknown[],
  cause: unknown,
): PlatformError {
  const place = brokers.join(', ')
  const message = causes.some(isTls)
    ? `Cannot ${task}: no secure connection to Kafka at ${place} (${reasonOf(causes)}). ` +
      'Check OUTRIDER_KAFKA_TLS and the certificates that it names.'
    : `Cannot ${task}: Kafka at ${place} does not let us in` +
      `${sasl === null ? ' without a user' : ` as "${sasl.username}" by ${sasl.mechanism}`}. Check ` +
      'OUTRIDER_KAFKA_USERNAME, OUTRIDER_KAFKA_PASSWORD and OUTRIDER_KAFKA_SASL.'
  return new PlatformError('bad-setting', message, {
    retry: 'never',
    details: { brokers, tls: tls !== null, mechanism: sasl?.mechanism ?? null },
    cause,
  })
}

/** The error, what it wraps, and what those wrap; the client nests them both ways. */
function* chain(error: unknown, depth = 0): Generator<unknown> {
  if (typeof error !== 'object' || error === null || depth > 8) return
  yield error
  if ('cause' in error) yield* chain(error.cause, depth + 1)
  if ('errors' in error && Array.isArray(error.errors)) {
    for (const inner of error.errors) yield* chain(inner, depth + 1)
  }
}

function apiCode(error: unknown): number | undefined {
  return typeof error === 'object' && error !== null && 'apiCode' in error
    ? Number(error.apiCode)
    : undefined
}

function codeOf(error: unknown): string {
  return typeof error === 'object' && error !== null && 'code' in error ? String(error.code) : ''
}

function isAuthentication(error: unknown): boolean {
  return codeOf(error) === 'PLT_KFK_AUTHENTICATION'
}

const TLS_FAULT = /^(?:ERR_SSL|ERR_TLS|CERT_|UNABLE_TO_|SELF_SIGNED|DEPTH_ZERO|EPROTO)/

function isTls(error: unknown): boolean {
  const message = error instanceof Error ? error.message : ''
  return TLS_FAULT.test(codeOf(error)) || /\bTLS\b|\bSSL\b|certificate/.test(message)
}

/** The innermost reason that says something. */
function reasonOf(causes: readonly unknown[]): string {
  const texts = causes.map((cause) => (cause instanceof Error ? cause.message : ''))
  return texts.findLast((text) => text !== '') ?? 'no reason given'
}
