// Settings: OUTRIDER_* in the environment, or the same names in outrider.yaml; the environment wins.
// Something unknown or wrong is refused by name, so that a typing error never passes for a default.

import { readFile } from 'node:fs/promises'
import { resolve } from 'node:path'
import { parse as parseYaml } from 'yaml'
import {
  DEFAULT_WINDOW_SPANS,
  type WindowSpan,
  windowSpansOf,
} from '../domains/vehicles/windows.ts'
import { PlatformError } from '../kernel/errors.ts'
import { brokerList, type KafkaSettings, kafkaSettings, saslMechanism } from './kafka-settings.ts'
import { neededTopics } from './topics.ts'

export interface Settings {
  readonly port: number
  readonly dataDir: string
  readonly databaseUrl: string | null
  /** A folder, or `s3://bucket/prefix`. */
  readonly reference: string | null
  readonly s3Endpoint: string | null
  readonly awsRegion: string
  readonly adminToken: string | null
  readonly publicUrl: string | null
  /** Null: mail is kept and shown, and goes nowhere. */
  readonly smtpUrl: string | null
  readonly mailFrom: string
  /** Who is asked how long ways take; `simulated` and `none`: nobody. */
  readonly traffic: 'simulated' | 'tomtom' | 'here' | 'google' | 'none'
  readonly trafficKey: string | null
  readonly logLevel: 'debug' | 'info' | 'warn' | 'error'
  readonly partitions: number
  readonly topicNames: ReadonlyMap<string, string>
  /** Sliding windows over vehicles; the first is shown unless another is asked for. */
  readonly vehicleWindows: readonly WindowSpan[]
  readonly roles: ReadonlySet<ProcessRole>
  readonly views: ViewStore
  /** Set where the views lie in Redis. */
  readonly redisUrl: string | null
  /** Null: the one of AWS. */
  readonly dynamoDbEndpoint: string | null
  readonly dynamoDbTable: string
  /** Null: the embedded log. */
  readonly kafka: KafkaSettings | null
}

/** Where live views lie. */
export type ViewStore = 'memory' | 'redis' | 'dynamodb'

/** What a process of the program may do; all of it unless told otherwise. */
export type ProcessRole = 'doors' | 'tasks' | 'work' | 'serve'
export const PROCESS_ROLES: readonly ProcessRole[] = ['doors', 'tasks', 'work', 'serve']

type Reader<T> = (text: string) => T

interface Setting<T> {
  readonly fallback: T
  readonly read: Reader<T>
}

export const ADMIN_TOKEN_LENGTH = 32
export const MAX_PARTITIONS = 256
const BUCKET_PLACE = /^s3:\/\/[a-z0-9][a-z0-9.-]{1,61}[a-z0-9](\/[^?#]*)?$/
/** What DynamoDB takes. */
const TABLE_NAME = /^[A-Za-z0-9._-]{3,255}$/
/** What Kafka takes. */
const TOPIC_NAME = /^[A-Za-z0-9._-]{1,249}$/

const settings = {
  PORT: { fallback: 8080, read: integer(0, 65_535) },
  DATA_DIR: { fallback: '.outrider', read: folder },
  DATABASE_URL: { fallback: null, read: databaseUrl },
  REFERENCE: { fallback: null, read: referencePlace },
  S3_ENDPOINT: { fallback: null, read: webAddress },
  AWS_REGION: { fallback: 'us-east-1', read: awsRegion },
  ADMIN_TOKEN: { fallback: null, read: adminToken },
  PUBLIC_URL: { fallback: null, read: webAddress },
  SMTP_URL: { fallback: null, read: smtpUrl },
  MAIL_FROM: { fallback: 'Outrider <outrider@localhost>', read: mailFrom },
  TRAFFIC: { fallback: 'simulated', read: oneOf('simulated', 'tomtom', 'here', 'google', 'none') },
  TRAFFIC_KEY: { fallback: null, read: String },
  LOG_LEVEL: { fallback: 'info', read: oneOf('debug', 'info', 'warn', 'error') },
  PARTITIONS: { fallback: 8, read: integer(1, MAX_PARTITIONS) },
  TOPIC_NAMES: { fallback: new Map(), read: topicNames },
  VEHICLE_WINDOWS: { fallback: DEFAULT_WINDOW_SPANS, read: windowSpansOf },
  ROLES: { fallback: new Set(PROCESS_ROLES), read: processRoles },
  VIEWS: { fallback: null, read: viewStore },
  REDIS_URL: { fallback: null, read: redisUrl },
  DYNAMODB_ENDPOINT: { fallback: null, read: webAddress },
  DYNAMODB_TABLE: { fallback: 'outrider-views', read: tableName },
  KAFKA_BROKERS: { fallback: null, read: brokerList },
  KAFKA_TLS: { fallback: false, read: onOrOff },
  KAFKA_TLS_CA: { fallback: null, read: String },
  KAFKA_TLS_CERT: { fallback: null, read: String },
  KAFKA_TLS_KEY: { fallback: null, read: String },
  KAFKA_SASL: { fallback: 'SCRAM-SHA-512', read: saslMechanism },
  KAFKA_USERNAME: { fallback: null, read: String },
  KAFKA_PASSWORD: { fallback: null, read: String },
  KAFKA_COMPRESSION: { fallback: 'zstd', read: oneOf('none', 'gzip', 'snappy', 'lz4', 'zstd') },
  KAFKA_GROUP: { fallback: 'outrider', read: groupName },
  KAFKA_GROUP_PROTOCOL: { fallback: 'classic', read: oneOf('classic', 'consumer') },
  KAFKA_INSTANCE: { fallback: null, read: groupName },
} satisfies Record<string, Setting<unknown>>

/** Named in the contract, but belonging to parts that this version does not have. */
const NOT_YET = new Set(['SCHEMA_REGISTRY_URL', 'MQTT_PORT', 'MQTT_URL', 'OSMAND_PORT'])

/** Read by the test runner, not by the program. */
const NOT_OURS = /^TEST_/

export interface SettingSources {
  readonly environment: Readonly<Record<string, string | undefined>>
  /** Folder that may hold outrider.yaml. */
  readonly directory: string
  /** Given on the command line; wins over both. */
  readonly overrides?: Readonly<Record<string, string | undefined>>
}

/** Rejects with `bad-setting`, naming every setting that is wrong. */
export async function loadSettings(sources: SettingSources): Promise<Settings> {
  const given = new Map<string, { value: string; from: string }>()
  for (const [name, value] of Object.entries(await yamlSettings(sources.directory))) {
    given.set(name, { value, from: 'outrider.yaml' })
  }
  for (const [name, value] of Object.entries(sources.environment)) {
    if (!name.startsWith('OUTRIDER_') || value === undefined || value === '') continue
    const short = name.slice('OUTRIDER_'.length)
    if (!NOT_OURS.test(short)) given.set(short, { value, from: 'the environment' })
  }
  for (const [name, value] of Object.entries(sources.overrides ?? {})) {
    if (value !== undefined) given.set(name, { value, from: 'the command line' })
  }
  const problems: string[] = []
  for (const [name, { from }] of given) {
    if (Object.hasOwn(settings, name)) continue
    const why = NOT_YET.has(name)
      ? 'is not supported by this version yet'
      : `is not a setting; there are ${Object.keys(settings).join(', ')}`
    problems.push(`OUTRIDER_${name} (from ${from}) ${why}.`)
  }
  const value = <K extends keyof typeof settings>(
    name: K,
  ): ReturnType<(typeof settings)[K]['read']> => {
    const { fallback, read } = settings[name]
    const found = given.get(name)
    if (found === undefined) return fallback as ReturnType<(typeof settings)[K]['read']>
    try {
      return read(found.value) as ReturnType<(typeof settings)[K]['read']>
    } catch (error) {
      const why = error instanceof Error ? error.message : String(error)
      problems.push(`OUTRIDER_${name} (from ${found.from}) ${why}.`)
      return fallback as ReturnType<(typeof settings)[K]['read']>
    }
  }
  const reference = value('REFERENCE')
  const redis = value('REDIS_URL')
  const views = value('VIEWS') ?? (redis === null ? 'memory' : 'redis')
  if (views === 'redis' && redis === null && !given.has('REDIS_URL')) {
    problems.push('OUTRIDER_VIEWS is redis, but OUTRIDER_REDIS_URL does not say where that is.')
  }
  const loaded: Settings = {
    port: value('PORT'),
    dataDir: resolve(sources.directory, value('DATA_DIR')),
    databaseUrl: value('DATABASE_URL'),
    reference:
      reference === null || reference.startsWith('s3://')
        ? reference
        : resolve(sources.directory, reference),
    s3Endpoint: value('S3_ENDPOINT'),
    awsRegion: value('AWS_REGION'),
    adminToken: value('ADMIN_TOKEN'),
    publicUrl: value('PUBLIC_URL'),
    smtpUrl: value('SMTP_URL'),
    mailFrom: value('MAIL_FROM'),
    traffic: value('TRAFFIC'),
    trafficKey: value('TRAFFIC_KEY'),
    logLevel: value('LOG_LEVEL'),
    partitions: value('PARTITIONS'),
    topicNames: value('TOPIC_NAMES'),
    vehicleWindows: value('VEHICLE_WINDOWS'),
    roles: value('ROLES'),
    views,
    redisUrl: redis,
    dynamoDbEndpoint: value('DYNAMODB_ENDPOINT'),
    dynamoDbTable: value('DYNAMODB_TABLE'),
    kafka: kafkaSettings(
      {
        KAFKA_BROKERS: value('KAFKA_BROKERS'),
        KAFKA_TLS: value('KAFKA_TLS'),
        KAFKA_TLS_CA: value('KAFKA_TLS_CA'),
        KAFKA_TLS_CERT: value('KAFKA_TLS_CERT'),
        KAFKA_TLS_KEY: value('KAFKA_TLS_KEY'),
        KAFKA_SASL: value('KAFKA_SASL'),
        KAFKA_USERNAME: value('KAFKA_USERNAME'),
        KAFKA_PASSWORD: value('KAFKA_PASSWORD'),
        KAFKA_COMPRESSION: value('KAFKA_COMPRESSION'),
        KAFKA_GROUP: value('KAFKA_GROUP'),
        KAFKA_GROUP_PROTOCOL: value('KAFKA_GROUP_PROTOCOL'),
        KAFKA_INSTANCE: value('KAFKA_INSTANCE'),
      },
      sources.directory,
      problems,
    ),
  }
  if (!['simulated', 'none'].includes(loaded.traffic) && loaded.trafficKey === null) {
    problems.push(
      `OUTRIDER_TRAFFIC is ${loaded.traffic}, but OUTRIDER_TRAFFIC_KEY holds no key for it.`,
    )
  }
  if (problems.length > 0) {
    throw new PlatformError('bad-setting', problems.join('\n'), { retry: 'never' })
  }
  return loaded
}

async function yamlSettings(directory: string): Promise<Record<string, string>> {
  const path = resolve(directory, 'outrider.yaml')
  let source: string
  try {
    source = await readFile(path, 'utf8')
  } catch (error) {
    if (error instanceof Error && 'code' in error && error.code === 'ENOENT') return {}
    throw new PlatformError('bad-setting', `Cannot read ${path}.`, { retry: 'never', cause: error })
  }
  const document: unknown = parsedYaml(source, path)
  if (document === null || document === '') return {}
  if (typeof document !== 'object' || Array.isArray(document)) {
    throw new PlatformError('bad-setting', `${path} must hold names and values.`, {
      retry: 'never',
    })
  }
  return Object.fromEntries(
    Object.entries(document)
      .map(([name, value]) => [name.replace(/^OUTRIDER_/, ''), settingText(value)] as const)
      // A name without a value is not set, as in the environment.
      .filter(([, value]) => value !== ''),
  )
}

/** A list or a map of names becomes what the environment would hold. */
function settingText(value: unknown): string {
  if (value === null) return ''
  if (Array.isArray(value)) return value.map(settingText).join(',')
  if (typeof value !== 'object') return String(value)
  return Object.entries(value)
    .map(([name, each]) => `${name}=${settingText(each)}`)
    .join(',')
}

/** Scalars as they are written, so that a token of digits keeps them all. */
function parsedYaml(source: string, path: string): unknown {
  try {
    return parseYaml(source, { schema: 'failsafe' })
  } catch (error) {
    throw new PlatformError('bad-setting', `${path} is not YAML.`, { retry: 'never', cause: error })
  }
}

function integer(minimum: number, maximum: number): Reader<number> {
  return (value) => {
    const number = /^\d{1,15}$/.test(value) ? Number(value) : Number.NaN
    if (number >= minimum && number <= maximum) return number
    throw new Error(`must be a whole number from ${minimum} to ${maximum}; found "${value}"`)
  }
}

function oneOf<const T extends string>(...allowed: readonly T[]): Reader<T> {
  return (value) => {
    const found = allowed.find((each) => each === value)
    if (found !== undefined) return found
    throw new Error(`must be one of ${allowed.join(', ')}; found "${value}"`)
  }
}

function processRoles(value: string): ReadonlySet<ProcessRole> {
  const role = oneOf(...PROCESS_ROLES)
  return new Set(value.split(',').map((each) => role(each.trim())))
}

function viewStore(value: string): ViewStore {
  return oneOf('memory', 'redis', 'dynamodb')(value)
}

function tableName(value: string): string {
  if (TABLE_NAME.test(value)) return value
  throw new Error(`must have 3 to 255 letters, digits, ".", "_" and "-"; found "${value}"`)
}

/** It may hold a password, which is never repeated in a message. */
function redisUrl(value: string): string {
  if (!/^rediss?:\/\//.test(value) || !URL.canParse(value)) {
    throw new Error('must be an address such as redis://user:password@host:6379')
  }
  return value
}

function onOrOff(value: string): boolean {
  return oneOf('on', 'off')(value) === 'on'
}

/** Of a consumer group or one of its members. */
function groupName(value: string): string {
  if (TOPIC_NAME.test(value)) return value
  throw new Error(`must have letters, digits, ".", "_" and "-"; found "${value}"`)
}

function folder(value: string): string {
  if (value !== '') return value
  throw new Error('must name a folder; it is empty')
}

function databaseUrl(value: string): string {
  if (!/^postgres(ql)?:\/\//.test(value) || !URL.canParse(value)) {
    throw new Error('must be an address such as postgres://user@host:5432/name')
  }
  return value
}

function webAddress(value: string): string {
  if (!/^https?:\/\//.test(value) || !URL.canParse(value)) {
    throw new Error(`must be an http or https address; found "${value}"`)
  }
  return value.replace(/\/$/, '')
}

/** It may hold a password, which is never repeated in a message. */
function smtpUrl(value: string): string {
  if (!/^smtps?:\/\//.test(value) || !URL.canParse(value)) {
    throw new Error('must be an address such as smtp://user:password@host:587 or smtps://host:465')
  }
  return value
}

function mailFrom(value: string): string {
  const one = /^(?:[^<>\r\n]{1,100} <)?[^\s@<>]+@[^\s@<>]+>?$/
  if (one.test(value) && value.includes('<') === value.endsWith('>')) return value
  throw new Error(
    `must be one address, such as "Outrider <outrider@example.org>"; found "${value}"`,
  )
}

function referencePlace(value: string): string {
  if (!value.startsWith('s3://') || BUCKET_PLACE.test(value)) return value
  throw new Error(`must be a folder or s3://bucket/prefix; found "${value}"`)
}

function awsRegion(value: string): string {
  if (/^[a-z0-9-]{1,50}$/.test(value)) return value
  throw new Error(`must be the name of a region such as eu-central-1; found "${value}"`)
}

/** Its value is never repeated in a message. */
function adminToken(value: string): string {
  if (value.length >= ADMIN_TOKEN_LENGTH) return value
  throw new Error(`must have ${ADMIN_TOKEN_LENGTH} characters or more; it has ${value.length}`)
}

/** Topics of ours as the log calls them; no two may meet in one. */
function topicNames(value: string): ReadonlyMap<string, string> {
  const names = new Map<string, string>()
  for (const pair of value.split(',')) {
    const [ours, theirs, ...rest] = pair.split('=').map((part) => part.trim())
    if (!ours || !theirs || rest.length > 0) {
      throw new Error(`must be pairs such as alerts=alert-data; found "${pair}"`)
    }
    if (!TOPIC_NAME.test(theirs)) {
      throw new Error(`names "${theirs}"; a topic has letters, digits, ".", "_" and "-"`)
    }
    if (names.has(ours)) throw new Error(`names "${ours}" twice`)
    names.set(ours, theirs)
  }
  const met = new Set<string>()
  for (const ours of new Set([...neededTopics, ...names.keys()])) {
    const theirs = names.get(ours) ?? ours
    if (met.has(theirs)) throw new Error(`makes "${theirs}" of two topics`)
    met.add(theirs)
  }
  return names
}
