// The client of DynamoDB, and what its refusals mean.

import { DynamoDBClient, type DynamoDBServiceException } from '@aws-sdk/client-dynamodb'
import { PlatformError } from '../../kernel/errors.ts'
import { type DurationMs, SECOND_MS } from '../../kernel/time.ts'

const CONNECT_TIMEOUT_MS: DurationMs = 2 * SECOND_MS
/** A write that takes longer counts as failed; it may have happened all the same. */
const REQUEST_TIMEOUT_MS: DurationMs = 3 * SECOND_MS
/** Of the client, with waits of its own; whoever calls tries again after it. */
const ATTEMPTS = 3

export interface DynamoDbAddress {
  /** Null: the one of AWS. */
  readonly endpoint: string | null
  readonly region: string
  readonly table: string
}

/** Credentials come from where every AWS client finds them: environment, profile, or the machine's role. */
export function dynamoDbClient({ endpoint, region }: DynamoDbAddress): DynamoDBClient {
  return new DynamoDBClient({
    region,
    ...(endpoint === null ? {} : { endpoint }),
    maxAttempts: ATTEMPTS,
    requestHandler: {
      connectionTimeout: CONNECT_TIMEOUT_MS,
      requestTimeout: REQUEST_TIMEOUT_MS,
      throwOnRequestTimeout: true,
    },
  })
}

export function dynamoDbPlace({ endpoint, region, table }: DynamoDbAddress): string {
  return `table ${table} at ${endpoint ?? `DynamoDB in ${region}`}`
}

const THROTTLED: ReadonlySet<string> = new Set([
  'ProvisionedThroughputExceededException',
  'ProvisionedThroughputExceeded',
  'ThrottlingException',
  'ThrottlingError',
  'RequestLimitExceeded',
])
const REFUSED_CREDENTIALS: ReadonlySet<string> = new Set([
  'AccessDeniedException',
  'CredentialsProviderError',
  'ExpiredTokenException',
  'IncompleteSignatureException',
  'InvalidSignatureException',
  'MissingAuthenticationTokenException',
  'UnrecognizedClientException',
])

/** True of an error, or of a code in an answer, that says to come more slowly. */
export function isThrottled(name: string | undefined): boolean {
  return name !== undefined && THROTTLED.has(name)
}

export function isConditionFailed(error: unknown): error is DynamoDBServiceException {
  return error instanceof Error && error.name === 'ConditionalCheckFailedException'
}

/** What a failure means for whoever runs the program. */
export function dynamoDbFailure(address: DynamoDbAddress, cause: unknown): PlatformError {
  const place = dynamoDbPlace(address)
  const name = cause instanceof Error ? cause.name : ''
  if (name === 'ResourceNotFoundException') {
    const message = `There is no ${place}. Make it with: npx outrider doctor --fix`
    return new PlatformError('bad-setting', message, { retry: 'never', cause })
  }
  if (REFUSED_CREDENTIALS.has(name)) {
    const message = `DynamoDB refuses the credentials for ${place} (${name}). Check AWS_ACCESS_KEY_ID, or the role of this machine and its policy.`
    return new PlatformError('bad-setting', message, { retry: 'never', cause })
  }
  const message = `Cannot reach ${place}. Check OUTRIDER_DYNAMODB_ENDPOINT and OUTRIDER_AWS_REGION.`
  return new PlatformError('views-unavailable', message, { retry: 'later', cause })
}
