// Apache Kafka for tests: one or three brokers in KRaft mode, each broker and controller in one process.

import { mkdirSync, writeFileSync } from 'node:fs'
import { connect } from 'node:net'
import { join } from 'node:path'
import { freePorts } from './free-ports.ts'
import { kafkaJars } from './kafka-jars.ts'
import { run } from './maven-jars.ts'
import {
  removeFolder,
  type ServerNode,
  serverFolder,
  startNode,
  type TestServer,
} from './server.ts'

export interface KafkaOptions {
  readonly brokers?: 1 | 3
  /** Further lines of server.properties, by name; win over ours. */
  readonly properties?: Readonly<Record<string, string>>
  /** Most memory of each broker's heap (default 320 MB). */
  readonly heapMb?: number
  /**
   * The port that clients are told for a broker that listens on another, such as that of a proxy in
   * front of it. Brokers among themselves don't use it.
   */
  readonly advertise?: (brokerPort: number, nodeId: number) => Promise<number>
  /** How clients connect (default: plain text, nobody asked who they are). */
  readonly security?: KafkaSecurity
}

export interface KafkaSecurity {
  readonly protocol: 'SSL' | 'SASL_PLAINTEXT' | 'SASL_SSL'
  /** Further properties, where `listener` stands for `listener.name.client`. */
  readonly properties: Readonly<Record<string, string>>
  /** Users for SCRAM, written when the storage is formatted, as StorageTool takes them. */
  readonly scramUsers?: readonly string[]
}

export interface KafkaBroker {
  readonly id: number
  /** Where it listens; clients may be told another. */
  readonly port: number
  /** The process, while it runs or after it was killed. */
  node(): ServerNode
  /** Starts it again on the same data. */
  restart(): Promise<void>
}

export interface TestKafka extends TestServer {
  /** Addresses for clients, as `OUTRIDER_KAFKA_BROKERS` takes them. */
  readonly addresses: readonly string[]
  readonly brokers: readonly KafkaBroker[]
}

const PORT_ATTEMPTS = 3
const TAKEN_PORT = /address already in use|BindException/i

/** Starts brokers of their own; the caller stops them. */
export async function startKafka(options: KafkaOptions = {}): Promise<TestKafka> {
  for (let attempt = 1; ; attempt++) {
    try {
      return await startOnce(options)
    } catch (error) {
      // Somebody else may have got a port between its being found free and its use.
      if (attempt === PORT_ATTEMPTS || !TAKEN_PORT.test(String(error))) throw error
    }
  }
}

async function startOnce(options: KafkaOptions): Promise<TestKafka> {
  const count = options.brokers ?? 1
  const jars = await kafkaJars()
  const folder = serverFolder('kafka')
  const plans = await planNodes(count, folder, options)
  const started: KafkaBroker[] = []
  const stop = async (): Promise<void> => {
    await Promise.all(started.map((broker) => broker.node().end()))
    removeFolder(folder)
  }
  try {
    await Promise.all(plans.map((plan) => format(jars, plan, options)))
    const brokers = await Promise.allSettled(plans.map((plan) => startBroker(jars, plan, options)))
    for (const broker of brokers) if (broker.status === 'fulfilled') started.push(broker.value)
    for (const broker of brokers) if (broker.status === 'rejected') throw broker.reason
  } catch (error) {
    await stop()
    throw error
  }
  const addresses = plans.map(({ advertisedPort }) => `127.0.0.1:${advertisedPort}`)
  return {
    name: `Apache Kafka, ${count} broker${count > 1 ? 's' : ''}`,
    settings: { OUTRIDER_KAFKA_BROKERS: addresses.join(',') },
    addresses,
    brokers: started,
    stop,
  }
}

interface NodePlan {
  readonly id: number
  readonly folder: string
  readonly port: number
  readonly advertisedPort: number
  readonly propertiesFile: string
}

async function planNodes(
  count: number,
  folder: string,
  options: KafkaOptions,
): Promise<readonly NodePlan[]> {
  const ports = await freePorts(count * 3)
  const port = (node: number, use: number): number => ports[node * 3 + use] ?? 0
  const ids = Array.from({ length: count }, (_, index) => index)
  const voters = ids.map((index) => `${index + 1}@127.0.0.1:${port(index, 2)}`).join(',')
  return Promise.all(
    ids.map(async (index) => {
      const id = index + 1
      const own = join(folder, `node-${id}`)
      mkdirSync(own)
      const advertisedPort = (await options.advertise?.(port(index, 0), id)) ?? port(index, 0)
      const properties = {
        'node.id': String(id),
        'controller.quorum.voters': voters,
        listeners: `CLIENT://127.0.0.1:${port(index, 0)},BROKER://127.0.0.1:${port(index, 1)},CONTROLLER://127.0.0.1:${port(index, 2)}`,
        'advertised.listeners': `CLIENT://127.0.0.1:${advertisedPort},BROKER://127.0.0.1:${port(index, 1)}`,
        'listener.security.protocol.map': `CLIENT:${options.security?.protocol ?? 'PLAINTEXT'},BROKER:PLAINTEXT,CONTROLLER:PLAINTEXT`,
        'log.dirs': join(own, 'data'),
        'default.replication.factor': String(count),
        'offsets.topic.replication.factor': String(count),
        'transaction.state.log.replication.factor': String(count),
        'transaction.state.log.min.isr': String(Math.min(2, count)),
        'min.insync.replicas': String(Math.min(2, count)),
        ...COMMON_PROPERTIES,
        ...securityProperties(options.security),
        ...options.properties,
      }
      const propertiesFile = join(own, 'server.properties')
      writeFileSync(propertiesFile, lines(properties))
      writeFileSync(join(own, 'log4j2.properties'), LOGGING)
      return { id, folder: own, port: port(index, 0), advertisedPort, propertiesFile }
    }),
  )
}

/** Small, and quick to notice a broker or member that is gone. */
const COMMON_PROPERTIES: Readonly<Record<string, string>> = {
  'process.roles': 'broker,controller',
  'inter.broker.listener.name': 'BROKER',
  'controller.listener.names': 'CONTROLLER',
  'auto.create.topics.enable': 'false',
  'offsets.topic.num.partitions': '4',
  'transaction.state.log.num.partitions': '2',
  'share.coordinator.state.topic.num.partitions': '1',
  'group.initial.rebalance.delay.ms': '0',
  'group.min.session.timeout.ms': '1000',
  'group.consumer.min.session.timeout.ms': '1000',
  'group.consumer.min.heartbeat.interval.ms': '200',
  'group.consumer.session.timeout.ms': '6000',
  'group.consumer.heartbeat.interval.ms': '500',
  'broker.session.timeout.ms': '4000',
  'broker.heartbeat.interval.ms': '500',
  'controller.quorum.election.timeout.ms': '500',
  'controller.quorum.fetch.timeout.ms': '1500',
  'num.network.threads': '2',
  'num.io.threads': '4',
  'log.cleaner.dedupe.buffer.size': '2097152',
  'log.retention.check.interval.ms': '1000',
  'log.initial.task.delay.ms': '1000',
}

const LOGGING = `rootLogger.level = WARN
rootLogger.appenderRef.console.ref = console
appender.console.type = Console
appender.console.name = console
appender.console.layout.type = PatternLayout
appender.console.layout.pattern = %d{HH:mm:ss.SSS} %p %c{1}: %m%n
logger.started.name = kafka.server
logger.started.level = INFO
`

function securityProperties(security: KafkaSecurity | undefined): Record<string, string> {
  return Object.fromEntries(
    Object.entries(security?.properties ?? {}).map(([name, value]) => [
      name.replace(/^listener\./, 'listener.name.client.'),
      value,
    ]),
  )
}

function lines(properties: Readonly<Record<string, string>>): string {
  return Object.entries(properties)
    .map(([name, value]) => `${name}=${value}\n`)
    .join('')
}

/** The same for all nodes of a cluster; clusters never meet. */
const CLUSTER_ID = 'b3V0cmlkZXItdGVzdHMtMQ'

async function format(jars: string, plan: NodePlan, { security }: KafkaOptions): Promise<void> {
  await run('java', [
    ...QUICK_JVM,
    ...classPath(jars, plan),
    'kafka.tools.StorageTool',
    'format',
    '--cluster-id',
    CLUSTER_ID,
    '--config',
    plan.propertiesFile,
    ...(security?.scramUsers ?? []).flatMap((user) => ['--add-scram', user]),
  ])
}

const QUICK_JVM = ['-XX:+UseSerialGC', '-XX:TieredStopAtLevel=1', '-Xshare:auto']

function classPath(jars: string, plan: NodePlan): readonly string[] {
  const logging = join(plan.folder, 'log4j2.properties')
  return [`-Dlog4j2.configurationFile=${logging}`, '-cp', join(jars, '*')]
}

async function startBroker(
  jars: string,
  plan: NodePlan,
  options: KafkaOptions,
): Promise<KafkaBroker> {
  const start = (): Promise<ServerNode> =>
    startNode({
      name: `Kafka broker ${plan.id}`,
      command: 'java',
      args: [
        `-Xmx${options.heapMb ?? 320}m`,
        ...QUICK_JVM,
        ...classPath(jars, plan),
        'kafka.Kafka',
        plan.propertiesFile,
      ],
      folder: plan.folder,
      answers: (output) => /Kafka Server started/.test(output) && accepts(plan.port),
    })
  let node = await start()
  return {
    id: plan.id,
    port: plan.port,
    node: () => node,
    async restart() {
      if (node.running()) await node.end()
      node = await start()
    },
  }
}

function accepts(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect({ port, host: '127.0.0.1' })
    socket.once('connect', () => {
      socket.destroy()
      resolve(true)
    })
    socket.once('error', () => resolve(false))
  })
}
