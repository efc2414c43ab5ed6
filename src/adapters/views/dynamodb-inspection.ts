// What a DynamoDB says of the table of live views, for whoever checks whether it fits.

import { DeleteItemCommand, type DynamoDBClient } from '@aws-sdk/client-dynamodb'
import type { Clock } from '../../ports/clock.ts'
import { type DynamoDbAddress, dynamoDbClient } from './dynamodb-client.ts'
import { DynamoDbFeed } from './dynamodb-feed.ts'
import { DynamoDbItems } from './dynamodb-items.ts'
import { createTable, describeTable, dynamoDbNames, hasOurKey, NEVER } from './dynamodb-table.ts'

export interface DynamoDbFacts {
  readonly exists: boolean
  readonly hasOurKey: boolean
  /** `ACTIVE` where it can be used. */
  readonly status: string
  /** False: records of the feed are never removed. */
  readonly expires: boolean
  /** Write units a second that are paid for; null where each request is. */
  readonly writeCapacity: number | null
  /** Why views can't be put and read; null where they can. */
  readonly refusal: string | null
}

/** Rejects as `dynamoDbFailure`. Puts nothing that stays. */
export async function inspectDynamoDb(
  address: DynamoDbAddress,
  clock: Clock,
): Promise<DynamoDbFacts> {
  const client = dynamoDbClient(address)
  try {
    const { table, expires } = await describeTable(client, address)
    const isOurs = table !== null && hasOurKey(table)
    return {
      exists: table !== null,
      hasOurKey: isOurs,
      status: table?.TableStatus ?? '',
      expires,
      writeCapacity: table?.ProvisionedThroughput?.WriteCapacityUnits || null,
      refusal: isOurs ? await refusalOf(client, address, clock) : null,
    }
  } finally {
    client.destroy()
  }
}

/** Makes the table, or what it lacks. Rejects as `dynamoDbFailure`. */
export async function mendTable(address: DynamoDbAddress): Promise<void> {
  const client = dynamoDbClient(address)
  try {
    await createTable(client, address)
  } finally {
    client.destroy()
  }
}

/** Tries what the program does, under names of its own. */
async function refusalOf(
  client: DynamoDBClient,
  { table }: DynamoDbAddress,
  clock: Clock,
): Promise<string | null> {
  const names = dynamoDbNames('doctor')
  const items = new DynamoDbItems(client, table)
  const feed = new DynamoDbFeed({ client, table, names, clock })
  const pk = names.entry('doctor', 'doctor', 'doctor')
  try {
    const { feed: generation } =
      (await feed.head()) ?? (await feed.begin('doctor', { before: null, known: 0 }))
    const sequence = await feed.append(generation, ['doctor'])
    await items.putIfNewer([{ pk, sk: 'doctor', version: [1, 0], document: '', expiry: NEVER }])
    for await (const _ of items.under(pk)) break
    const written = [
      { pk, sk: 'doctor' },
      { pk: names.head, sk: 'head' },
      { pk: names.feed(generation), sk: DynamoDbFeed.sortKey(sequence ?? 0) },
    ]
    for (const key of written) {
      const Key = { pk: { S: key.pk }, sk: { S: key.sk } }
      await client.send(new DeleteItemCommand({ TableName: table, Key }))
    }
    return null
  } catch (error) {
    return error instanceof Error ? `${error.name}: ${error.message}` : String(error)
  }
}
