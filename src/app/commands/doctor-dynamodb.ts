// What `doctor` asks of DynamoDB, and what `doctor --fix` makes there.

import { systemClock } from '../../adapters/clock/system-clock.ts'
import { type DynamoDbAddress, dynamoDbPlace } from '../../adapters/views/dynamodb-client.ts'
import {
  type DynamoDbFacts,
  inspectDynamoDb,
  mendTable,
} from '../../adapters/views/dynamodb-inspection.ts'
import { problemText } from '../command-line.ts'
import type { Finding } from './doctor-servers.ts'

const part = 'DynamoDB'
const FIX = 'Run: npx outrider doctor --fix'
const ACTIONS =
  'DescribeTable, DescribeTimeToLive, GetItem, PutItem, UpdateItem, DeleteItem, Query, PartiQLInsert and PartiQLUpdate'

export async function checkDynamoDb(address: DynamoDbAddress): Promise<readonly Finding[]> {
  try {
    return findingsOf(address, await inspectDynamoDb(address, systemClock()))
  } catch (error) {
    return [{ part, state: 'failed', message: problemText(error) }]
  }
}

/** Makes what is missing, then checks. */
export async function mendDynamoDb(address: DynamoDbAddress): Promise<readonly Finding[]> {
  const before = await checkDynamoDb(address)
  if (before.every(({ state, message }) => state === 'ok' || !message.endsWith(FIX))) return before
  try {
    await mendTable(address)
  } catch (error) {
    return [{ part, state: 'failed', message: problemText(error) }]
  }
  return (await checkDynamoDb(address)).map((finding) =>
    finding.state === 'ok' ? { ...finding, message: `${finding.message}; made just now` } : finding,
  )
}

function findingsOf(address: DynamoDbAddress, facts: DynamoDbFacts): readonly Finding[] {
  const place = dynamoDbPlace(address)
  const failed = (message: string): readonly Finding[] => [{ part, state: 'failed', message }]
  if (!facts.exists) return failed(`There is no ${place}. ${FIX}`)
  if (!facts.hasOurKey) {
    return failed(
      `The ${place} is not ours: its key must be pk and sk, both text. Set OUTRIDER_DYNAMODB_TABLE to another name.`,
    )
  }
  if (facts.status !== 'ACTIVE') {
    return failed(`The ${place} is ${facts.status}. Wait until it is ACTIVE.`)
  }
  if (facts.refusal !== null) {
    return failed(`The ${place} refuses views (${facts.refusal}). Allow ${ACTIONS}.`)
  }
  const findings: Finding[] = [{ part, state: 'ok', message: `${place} answers` }]
  if (!facts.expires) {
    const message = `The ${place} removes nothing: the live feed grows for ever. ${FIX}`
    findings.push({ part, state: 'warning', message })
  }
  if (facts.writeCapacity !== null) {
    const message = `The ${place} pays for ${facts.writeCapacity} write units a second: views are late beyond that. Turn to on-demand, or scale it by use.`
    findings.push({ part, state: 'warning', message })
  }
  return findings
}
