// The table of live views: how items are called, how it is made, and what it must be.
//
//   pk                                   sk                o, c           d                x
//   INSTALLATION/v/TENANT/VIEW/BUCKET    key               version        document         expiry
//   INSTALLATION/a/BUCKET                id of an alert    revision, 0    document         expiry
//   INSTALLATION/views                   TENANT/VIEW
//   INSTALLATION/head                    head              g, n: generation and newest number
//   INSTALLATION/f/GENERATION            number            d: a record of the feed, compressed; x
//
// What is read together lies under one partition key, or a few where it is written faster than DynamoDB
// writes one: so the table itself is the index by tenant.

import {
  CreateTableCommand,
  DescribeTableCommand,
  DescribeTimeToLiveCommand,
  type DynamoDBClient,
  type TableDescription,
  UpdateTimeToLiveCommand,
  waitUntilTableExists,
} from '@aws-sdk/client-dynamodb'
import { partitionOf } from '../../kernel/partitioner.ts'
import { SECOND_MS } from '../../kernel/time.ts'
import { type DynamoDbAddress, dynamoDbFailure } from './dynamodb-client.ts'

/** DynamoDB writes 1,000 units a second to one partition key at first; entities of a view and alerts spread over these. */
export const BUCKETS = 4
/** DynamoDB takes 400 KB an item, names included. A larger document is refused, and counted. */
export const MAX_ITEM_BYTES = 380_000
/** DynamoDB's own limit for the second part of a key. */
export const MAX_KEY_BYTES = 1_024
const CREATE_PATIENCE_S = 120
const EXPIRY = 'x'

export interface DynamoDbNames {
  readonly head: string
  readonly views: string
  feed(generation: string): string
  /** All buckets of a view. */
  view(tenantId: string, view: string): readonly string[]
  entry(tenantId: string, view: string, key: string): string
  readonly alerts: readonly string[]
  alert(id: string): string
}

export function dynamoDbNames(installation: string): DynamoDbNames {
  const start = (tenantId: string, view: string): string =>
    `${installation}/v/${encodeURIComponent(tenantId)}/${encodeURIComponent(view)}`
  const buckets = Array.from({ length: BUCKETS }, (_, bucket) => bucket)
  return {
    head: `${installation}/head`,
    views: `${installation}/views`,
    feed: (generation) => `${installation}/f/${generation}`,
    view: (tenantId, view) => buckets.map((bucket) => `${start(tenantId, view)}/${bucket}`),
    entry: (tenantId, view, key) => `${start(tenantId, view)}/${partitionOf(key, BUCKETS)}`,
    alerts: buckets.map((bucket) => `${installation}/a/${bucket}`),
    alert: (id) => `${installation}/a/${partitionOf(id, BUCKETS)}`,
  }
}

export interface TableState {
  /** Null where there is no such table. */
  readonly table: TableDescription | null
  readonly expires: boolean
}

/** Rejects as `dynamoDbFailure`, but for a table that is not there. */
export async function describeTable(
  client: DynamoDBClient,
  address: DynamoDbAddress,
): Promise<TableState> {
  const { table: name } = address
  try {
    const { Table: table = null } = await client.send(new DescribeTableCommand({ TableName: name }))
    const { TimeToLiveDescription: expiry } = await client.send(
      new DescribeTimeToLiveCommand({ TableName: name }),
    )
    const status = expiry?.TimeToLiveStatus ?? ''
    const expires = expiry?.AttributeName === EXPIRY && /^ENABL/.test(status)
    return { table, expires }
  } catch (error) {
    if (error instanceof Error && error.name === 'ResourceNotFoundException') {
      return { table: null, expires: false }
    }
    throw dynamoDbFailure(address, error)
  }
}

/** Makes what is missing: the table, paid by request, and its expiry. Rejects as `dynamoDbFailure`. */
export async function createTable(client: DynamoDBClient, address: DynamoDbAddress): Promise<void> {
  const { table } = await describeTable(client, address)
  try {
    if (table === null) await newTable(client, address)
    if (!(await describeTable(client, address)).expires) {
      await client.send(
        new UpdateTimeToLiveCommand({
          TableName: address.table,
          TimeToLiveSpecification: { AttributeName: EXPIRY, Enabled: true },
        }),
      )
    }
  } catch (error) {
    throw dynamoDbFailure(address, error)
  }
}

async function newTable(client: DynamoDBClient, { table }: DynamoDbAddress): Promise<void> {
  await client.send(
    new CreateTableCommand({
      TableName: table,
      BillingMode: 'PAY_PER_REQUEST',
      AttributeDefinitions: [
        { AttributeName: 'pk', AttributeType: 'S' },
        { AttributeName: 'sk', AttributeType: 'S' },
      ],
      KeySchema: [
        { AttributeName: 'pk', KeyType: 'HASH' },
        { AttributeName: 'sk', KeyType: 'RANGE' },
      ],
    }),
  )
  await waitUntilTableExists(
    { client, maxWaitTime: CREATE_PATIENCE_S, minDelay: 1, maxDelay: 5 },
    { TableName: table },
  )
}

/** True where the key is the one that this program writes. */
export function hasOurKey({
  KeySchema: schema = [],
  AttributeDefinitions: types = [],
}: TableDescription): boolean {
  const key = schema.map(({ AttributeName: name, KeyType: kind }) => `${kind} ${name}`).join()
  const areTexts = types
    .filter(({ AttributeName: name }) => name === 'pk' || name === 'sk')
    .every(({ AttributeType: type }) => type === 'S')
  return key === 'HASH pk,RANGE sk' && areTexts
}

/** Time from which DynamoDB may remove an item, as it wants it: in seconds. */
export function expiryAt(timeMs: number): { readonly N: string } {
  return { N: String(Math.ceil(timeMs / SECOND_MS)) }
}

/** Of an item that stays: the end of the year 9999. */
export const NEVER = { N: '253402300799' } as const
