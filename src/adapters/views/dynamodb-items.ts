// Puts items only where they are newer than what is there, 25 a request, and reads them by partition key.
//
//   conditional UPDATE ──► done │ older than what is there │ not there yet ──► INSERT ──► done │ there by now, again

import {
  type AttributeValue,
  BatchExecuteStatementCommand,
  type BatchStatementRequest,
  type BatchStatementResponse,
  type DynamoDBClient,
  QueryCommand,
} from '@aws-sdk/client-dynamodb'
import { PlatformError } from '../../kernel/errors.ts'
import { isThrottled } from './dynamodb-client.ts'

/** DynamoDB takes so many statements a request. */
const STATEMENTS = 25
/** Requests under way at once, at most; halved with every throttled round, one more after a good one. */
const MAX_REQUESTS = 8
/** Rounds of one put: an item that others make and change meanwhile is tried again with the next put. */
const MAX_ROUNDS = 4

/** A version is a pair of numbers; the first counts most. */
export interface VersionedItem {
  readonly pk: string
  readonly sk: string
  readonly version: readonly [number, number]
  readonly document: string
  readonly expiry: { readonly N: string }
}

export type Outcome =
  /** Newer than what was there, or the very same version. */
  | 'put'
  | 'older'
  /** Not taken for want of capacity, or in a race. */
  | 'left'
  /** DynamoDB will never take it. */
  | 'refused'

type Step = 'update' | 'insert'

export class DynamoDbItems {
  readonly #client: DynamoDBClient
  readonly #table: string
  #requests = MAX_REQUESTS

  constructor(client: DynamoDBClient, table: string) {
    this.#client = client
    this.#table = table
  }

  /** What became of each item, in their order; no two may have the same key. Rejects where DynamoDB is away. */
  async putIfNewer(items: readonly VersionedItem[]): Promise<readonly Outcome[]> {
    const outcomes: Outcome[] = items.map(() => 'left')
    let open = items.map((item, index) => ({ item, index, step: 'update' as Step }))
    for (let round = 0; round < MAX_ROUNDS && open.length > 0; round++) {
      const answers = await this.#execute(open.map(({ item, step }) => this.#statement(item, step)))
      const next: typeof open = []
      open.forEach(({ item, index, step }, at) => {
        const found = judge(item, step, answers[at])
        if (found === 'update' || found === 'insert') next.push({ item, index, step: found })
        else outcomes[index] = found
      })
      open = next
    }
    return outcomes
  }

  /** Items under a partition key, from a sort key on (exclusive), in order. Sees everything written before. */
  async *under(
    pk: string,
    after?: string,
  ): AsyncIterable<readonly Record<string, AttributeValue>[]> {
    let from: Record<string, AttributeValue> | undefined
    do {
      const page = await this.#client.send(
        new QueryCommand({
          TableName: this.#table,
          KeyConditionExpression: after === undefined ? 'pk = :pk' : 'pk = :pk AND sk > :after',
          ExpressionAttributeValues: {
            ':pk': { S: pk },
            ...(after === undefined ? {} : { ':after': { S: after } }),
          },
          ConsistentRead: true,
          ...(from === undefined ? {} : { ExclusiveStartKey: from }),
        }),
      )
      yield page.Items ?? []
      from = page.LastEvaluatedKey
    } while (from !== undefined)
  }

  async #execute(
    statements: readonly BatchStatementRequest[],
  ): Promise<readonly BatchStatementResponse[]> {
    const answers: BatchStatementResponse[] = []
    for (let at = 0; at < statements.length; ) {
      const wave: BatchStatementRequest[][] = []
      for (; wave.length < this.#requests && at < statements.length; at += STATEMENTS) {
        wave.push(statements.slice(at, at + STATEMENTS))
      }
      const found = (await Promise.all(wave.map((batch) => this.#request(batch)))).flat()
      const slower = found.some(({ Error: error }) => isThrottled(error?.Code))
      this.#requests = slower
        ? Math.max(1, Math.floor(this.#requests / 2))
        : Math.min(MAX_REQUESTS, this.#requests + 1)
      answers.push(...found)
    }
    return answers
  }

  async #request(batch: BatchStatementRequest[]): Promise<readonly BatchStatementResponse[]> {
    try {
      const answer = await this.#client.send(
        new BatchExecuteStatementCommand({ Statements: batch }),
      )
      return batch.map((_, index) => answer.Responses?.[index] ?? {})
    } catch (error) {
      if (!(error instanceof Error) || !isThrottled(error.name)) throw error
      return batch.map(() => ({ Error: { Code: 'ThrottlingError' } }))
    }
  }

  #statement(
    { pk, sk, version, document, expiry }: VersionedItem,
    step: Step,
  ): BatchStatementRequest {
    const key = [{ S: pk }, { S: sk }]
    const [high, low] = version.map((number) => ({ N: String(number) }))
    if (high === undefined || low === undefined) throw new TypeError('a version is a pair')
    const values = [high, low, { S: document }, expiry]
    if (step === 'insert') {
      const statement = `INSERT INTO "${this.#table}" VALUE {'pk':?,'sk':?,'o':?,'c':?,'d':?,'x':?}`
      return { Statement: statement, Parameters: [...key, ...values] }
    }
    return {
      Statement: `UPDATE "${this.#table}" SET "o"=? SET "c"=? SET "d"=? SET "x"=? WHERE "pk"=? AND "sk"=? AND ("o"<? OR ("o"=? AND "c"<?))`,
      Parameters: [...values, ...key, high, high, low],
      ReturnValuesOnConditionCheckFailure: 'ALL_OLD',
    }
  }
}

function judge(
  { version }: VersionedItem,
  step: Step,
  answer: BatchStatementResponse | undefined,
): Outcome | Step {
  const error = answer?.Error
  if (error === undefined) return 'put'
  if (isThrottled(error.Code) || error.Code === 'TransactionConflict') return 'left'
  if (error.Code === 'DuplicateItem' && step === 'insert') return 'update'
  if (error.Code === 'ValidationError') return 'refused'
  if (error.Code !== 'ConditionalCheckFailed') {
    throw new PlatformError(
      'views-unavailable',
      `DynamoDB does not take an item of the live views: ${error.Code}, ${error.Message}`,
      { retry: 'later' },
    )
  }
  if (error.Item === undefined) return 'insert'
  const present = [Number(error.Item.o?.N), Number(error.Item.c?.N)]
  // Put before, perhaps by a process that ended before it told anybody.
  return present[0] === version[0] && present[1] === version[1] ? 'put' : 'older'
}
