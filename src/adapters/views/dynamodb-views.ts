// Live views in DynamoDB, for any number of processes: tasks put, servers follow.

import { PlatformError } from '../../kernel/errors.ts'
import type { Clock } from '../../ports/clock.ts'
import type { Logger } from '../../ports/logger.ts'
import {
  type DynamoDbAddress,
  dynamoDbClient,
  dynamoDbFailure,
  dynamoDbPlace,
} from './dynamodb-client.ts'
import { DynamoDbFeed } from './dynamodb-feed.ts'
import { dynamoDbFeedSource } from './dynamodb-feed-source.ts'
import { DynamoDbItems } from './dynamodb-items.ts'
import { createDynamoDbPublisher } from './dynamodb-publisher.ts'
import { describeTable, dynamoDbNames, hasOurKey } from './dynamodb-table.ts'
import { FeedFollower } from './feed-follower.ts'
import type { QueuedPublisher } from './queued-publisher.ts'
import { type SharedViews, sharedViews } from './shared-views.ts'

export interface DynamoDbViewsPlace {
  readonly address: DynamoDbAddress
  /** Views of different databases never meet, even in one table. */
  readonly installation: string
  readonly clock: Clock
  readonly logger: Logger
  readonly newGeneration: () => string
  readonly onLost: () => void
}

/** For a process that only puts. Rejects as `dynamoDbFailure`, also where there is no table. */
export async function openDynamoDbPublisher(place: DynamoDbViewsPlace): Promise<QueuedPublisher> {
  const parts = await connect(place)
  return createDynamoDbPublisher({ ...place, ...parts, close: () => parts.client.destroy() })
}

/** Rejects as `openDynamoDbPublisher`. */
export async function openDynamoDbViews(place: DynamoDbViewsPlace): Promise<SharedViews> {
  const parts = await connect(place)
  const publisher = createDynamoDbPublisher({ ...place, ...parts, close: () => undefined })
  const source = dynamoDbFeedSource({
    ...place,
    ...parts,
    // The client is that of both, and the publisher ends first.
    close: () => parts.client.destroy(),
  })
  const follower = new FeedFollower({ ...place, source })
  await follower.loaded()
  return sharedViews(publisher, follower)
}

async function connect({ address, installation, clock }: DynamoDbViewsPlace) {
  const client = dynamoDbClient(address)
  try {
    const { table } = await describeTable(client, address)
    checkTable(address, table)
  } catch (error) {
    client.destroy()
    throw error
  }
  const names = dynamoDbNames(installation)
  const items = new DynamoDbItems(client, address.table)
  const feed = new DynamoDbFeed({ client, table: address.table, names, clock })
  return { client, table: address.table, names, items, feed }
}

function checkTable(
  address: DynamoDbAddress,
  table: Awaited<ReturnType<typeof describeTable>>['table'],
): void {
  if (table === null) {
    const cause = Object.assign(new Error('no table'), { name: 'ResourceNotFoundException' })
    throw dynamoDbFailure(address, cause)
  }
  if (hasOurKey(table)) return
  throw new PlatformError(
    'bad-setting',
    `The ${dynamoDbPlace(address)} is not ours: its key must be pk and sk, both text. Set OUTRIDER_DYNAMODB_TABLE to another name.`,
    { retry: 'never' },
  )
}
