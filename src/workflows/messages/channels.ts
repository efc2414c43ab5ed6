// The channels document: where messages go, by the names that routing and workflows know. YAML, checked as a
// whole; one that has a fault never comes into force.

import { type Static, Type } from '@sinclair/typebox'
import { TypeCompiler } from '@sinclair/typebox/compiler'
import { parse } from 'yaml'
import { failed, ok, type Result } from '../../kernel/result.ts'
import type { ChannelKind } from '../../ports/message.ts'
import { isTimeZone } from '../../rules/schedule.ts'
import type { QuietHours } from './quiet-hours.ts'

export const MAX_CHANNELS_CHARACTERS = 64 * 1024
const MAX_CHANNELS = 200

const strict = { additionalProperties: false }
const name = Type.String({ pattern: '^[A-Za-z0-9][A-Za-z0-9_.:@-]{0,99}$' })
const email = Type.String({ pattern: '^[^\\s@<>",;]{1,64}@[^\\s@<>",;]{1,255}$' })
const time = Type.String({ pattern: '^([01]\\d|2[0-3]):[0-5]\\d$' })
const channelSchema = Type.Object(
  {
    name,
    kind: Type.Union([
      Type.Literal('email'),
      Type.Literal('webhook'),
      Type.Literal('slack'),
      Type.Literal('teams'),
      Type.Literal('inbox'),
    ]),
    to: Type.Optional(email),
    url: Type.Optional(Type.String({ minLength: 1, maxLength: 2_000 })),
    secret: Type.Optional(Type.String({ pattern: '^whsec_[A-Za-z0-9+/]{32,88}={0,2}$' })),
    allowPrivateAddress: Type.Optional(Type.Boolean()),
    zone: Type.Optional(Type.String({ minLength: 1, maxLength: 100 })),
    quietHours: Type.Optional(Type.Object({ from: time, to: time }, strict)),
  },
  strict,
)
const documentSchema = Type.Object(
  { channels: Type.Array(channelSchema, { maxItems: MAX_CHANNELS }) },
  strict,
)
const check = TypeCompiler.Compile(documentSchema)
const checkOne = TypeCompiler.Compile(channelSchema)

export interface Channel {
  readonly name: string
  readonly kind: ChannelKind
  /** E-mail address or URL; the name itself for the inbox. */
  readonly address: string
  /** Signs what goes to a webhook; null: unsigned. */
  readonly secret: string | null
  /** A receiver inside the network is allowed, because who runs this says so. */
  readonly allowPrivateAddress: boolean
  readonly zone: string
  readonly quietHours: QuietHours | null
}

export const INBOX: Channel = {
  name: 'inbox',
  kind: 'inbox',
  address: 'inbox',
  secret: null,
  allowPrivateAddress: false,
  zone: 'UTC',
  quietHours: null,
}

export type ChannelTable = ReadonlyMap<string, Channel>

export const DEFAULT_CHANNELS: ChannelTable = new Map([[INBOX.name, INBOX]])

/** One channel of the document, name included. Secrets are never repeated. */
export function parseChannel(document: unknown): Result<Channel, readonly string[]> {
  if (!checkOne.Check(document)) return failed(problemsOf(checkOne.Errors(document)))
  const problems = problemOf(document)
  return problems.length > 0 ? failed(problems) : ok(channelOf(document))
}

/** Each problem names the channel or the place in the document. Secrets are never repeated. */
export function parseChannels(text: string): Result<ChannelTable, readonly string[]> {
  if (text.length > MAX_CHANNELS_CHARACTERS) {
    return failed([`it has more than ${MAX_CHANNELS_CHARACTERS} characters`])
  }
  let document: unknown
  try {
    document = parse(text)
  } catch (error) {
    const where = error instanceof Error && 'linePos' in error ? linePosition(error.linePos) : ''
    return failed([`it is not YAML${where}`])
  }
  if (!check.Check(document)) {
    return failed(problemsOf(check.Errors(document)))
  }
  const problems = document.channels.flatMap(problemOf)
  const names = document.channels.map((channel) => channel.name)
  for (const twice of names.filter((each, index) => names.indexOf(each) !== index)) {
    problems.push(`channel "${twice}" is there twice`)
  }
  if (problems.length > 0) return failed(problems)
  return ok(
    new Map([
      [INBOX.name, INBOX],
      ...document.channels.map((channel) => [channel.name, channelOf(channel)] as const),
    ]),
  )
}

function problemsOf(errors: Iterable<{ readonly path: string; readonly message: string }>) {
  return [...errors].slice(0, 10).map(({ path, message }) => `${path}: ${message}`)
}

function problemOf(channel: Static<typeof channelSchema>): readonly string[] {
  const { kind, to, url, secret, zone } = channel
  const said = (text: string): readonly string[] => [`channel "${channel.name}" ${text}`]
  if (kind === 'email' && to === undefined) return said('needs "to", an e-mail address')
  const isWeb = kind === 'webhook' || kind === 'slack' || kind === 'teams'
  if (isWeb && (url === undefined || !isWebAddress(url))) {
    return said('needs "url", an http or https address without a user or password in it')
  }
  if (kind !== 'webhook' && secret !== undefined)
    return said('takes no "secret": only webhooks are signed')
  if (zone !== undefined && !isTimeZone(zone))
    return said(`names the zone "${zone}", which is none`)
  return []
}

function isWebAddress(text: string): boolean {
  if (!URL.canParse(text)) return false
  const { protocol, username, password } = new URL(text)
  return (protocol === 'https:' || protocol === 'http:') && username === '' && password === ''
}

function channelOf(channel: Static<typeof channelSchema>): Channel {
  const { quietHours, zone = 'UTC' } = channel
  return {
    name: channel.name,
    kind: channel.kind,
    address: channel.to ?? channel.url ?? channel.name,
    secret: channel.secret ?? null,
    allowPrivateAddress: channel.allowPrivateAddress === true,
    zone,
    quietHours: quietHours === undefined ? null : { zone, ...quietHours },
  }
}

function linePosition(value: unknown): string {
  const [first] = Array.isArray(value) ? value : []
  const line = Object(first).line
  return typeof line === 'number' ? ` (line ${line})` : ''
}
