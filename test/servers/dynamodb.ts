// DynamoDB for tests: Amazon's DynamoDB Local with its native SQLite, keeping everything in memory.

import { freePorts } from './free-ports.ts'
import { type JarSet, jarFolder, jarsMissing } from './maven-jars.ts'
import {
  removeFolder,
  type ServerNode,
  serverFolder,
  startNode,
  type TestServer,
} from './server.ts'

const VERSION = '3.3.1'
const JARS: JarSet = {
  name: `dynamodb-local-${VERSION}`,
  artifacts: [`software.amazon.dynamodb:DynamoDBLocal:${VERSION}`],
}
const MAIN = 'software.amazon.dynamodb.services.local.main.ServerRunner'

export interface TestDynamoDb extends TestServer {
  readonly endpoint: string
  readonly port: number
  readonly region: string
  node(): ServerNode
}

/** Credentials that DynamoDB Local takes, which takes any. */
export const DYNAMODB_CREDENTIALS = {
  AWS_ACCESS_KEY_ID: 'outrider',
  AWS_SECRET_ACCESS_KEY: 'outrider-test-secret',
} as const

/** Why DynamoDB Local can't be had on this machine; undefined where it can. */
export function dynamoDbMissing(): string | undefined {
  return jarsMissing(JARS)
}

/** The caller stops it. */
export async function startDynamoDb(): Promise<TestDynamoDb> {
  const jars = await jarFolder(JARS)
  const [port = 0] = await freePorts(1)
  const endpoint = `http://127.0.0.1:${port}`
  const region = 'eu-central-1'
  const folder = serverFolder('dynamodb')
  const node = await startNode({
    name: 'DynamoDB Local',
    command: 'java',
    args: [
      ...['-Xmx256m', '-XX:+UseSerialGC', `-Dsqlite4java.library.path=${jars}`],
      ...['-cp', `${jars}/*`, MAIN, '-inMemory', '-sharedDb', '-disableTelemetry'],
      ...['-port', String(port)],
    ],
    folder,
    // Any answer will do: without a signature it is a refusal.
    answers: async () => (await fetch(endpoint)).status > 0,
  })
  return {
    name: 'DynamoDB',
    settings: {
      OUTRIDER_VIEWS: 'dynamodb',
      OUTRIDER_DYNAMODB_ENDPOINT: endpoint,
      OUTRIDER_AWS_REGION: region,
      ...DYNAMODB_CREDENTIALS,
    },
    endpoint,
    port,
    region,
    node: () => node,
    async stop() {
      if (node.running()) await node.end()
      removeFolder(folder)
    },
  }
}
