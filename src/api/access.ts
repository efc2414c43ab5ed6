// Who may do what. Each route names the access it needs; a route that names none stops the start. Who may
// come in: whoever has the admin token, or one that was made (`outrider token create`); where there is no admin
// token, also this machine without any.

import { createHash, createHmac, timingSafeEqual } from 'node:crypto'
import type { FastifyInstance, FastifyRequest } from 'fastify'
import { PlatformError } from '../kernel/errors.ts'
import { DEFAULT_TENANT } from '../kernel/tenants.ts'
import { HOUR_MS, MINUTE_MS } from '../kernel/time.ts'
import type { Clock } from '../ports/clock.ts'
import type { TenantScope } from '../ports/tenant-database.ts'
import type { TokenStore } from '../ports/token-store.ts'
import { HttpProblem } from './problems.ts'

export const ROLES = ['viewer', 'operator', 'admin', 'device', 'merchant'] as const
export type Role = (typeof ROLES)[number]

/**
 * What a route needs. `probe` is open to everybody, for health checks. `public` needs no credential, but on
 * a server without a token it is for this machine only, as everything else. `own` and `change-own` are what a
 * merchant may do as well: such a route shows nothing but rows of the scope of its caller.
 */
export type Access =
  | 'probe'
  | 'public'
  | 'own'
  | 'change-own'
  | 'read'
  | 'operate'
  | 'ingest'
  | 'administer'

/** What each role may do. */
export const GRANTS: Readonly<Record<Role, readonly Access[]>> = {
  merchant: ['own', 'change-own'],
  viewer: ['own', 'read'],
  operator: ['own', 'change-own', 'read', 'operate', 'ingest'],
  device: ['ingest'],
  admin: ['own', 'change-own', 'read', 'operate', 'ingest', 'administer'],
}

export interface Principal extends TenantScope {
  readonly role: Role
  /** Name that actions are recorded under. */
  readonly name: string
  /** False where nobody needs to sign in. */
  readonly signedIn: boolean
}

declare module 'fastify' {
  interface FastifyContextConfig {
    access?: Access
  }
  interface FastifyRequest {
    /** Null only on routes that need no credential. */
    principal: Principal | null
  }
}

export const MIN_TOKEN_LENGTH = 32
/** Tokens that are made begin so, which lets scanners of leaked secrets know them. */
export const TOKEN_PREFIX = 'outrider_'
const MADE_TOKEN = /^outrider_[A-Za-z0-9_-]{43}$/
export const SESSION_COOKIE = 'outrider_session'
export const SESSION_MS = 12 * HOUR_MS

/** Wrong credentials from one address before it is refused for the rest of the span. */
export const MAX_FAILED_TRIES = 10
export const FAILED_TRIES_SPAN_MS = 5 * MINUTE_MS
/** Addresses remembered; the oldest is forgotten first. */
const MAX_TRACKED_ADDRESSES = 10_000
/** Sessions that were signed out before they expired; the oldest is forgotten first. */
const MAX_ENDED_SESSIONS = 10_000

export interface AccessSettings {
  readonly clock: Clock
  /** Undefined: no sign-in, this machine only. */
  readonly adminToken: string | undefined
  /** Null where this process has no database: then there is the admin token only. */
  readonly tokens: Pick<TokenStore, 'find'> | null
}

export interface AccessControl {
  readonly authRequired: boolean
  /** Checks a token as `POST /session` gets it; rejects with 401 or 429. */
  signIn(request: FastifyRequest, token: string): Promise<SignedIn>
  signOut(request: FastifyRequest): void
  /** Rejects where the request may not use its route; sets `request.principal`. */
  admit(request: FastifyRequest, access: Access): Promise<void>
}

export interface SignedIn {
  /** The cookie's value. */
  readonly cookie: string
  readonly principal: Principal
}

const LOCAL_PRINCIPAL: Principal = {
  role: 'admin',
  tenantId: DEFAULT_TENANT,
  merchantId: null,
  name: 'local',
  signedIn: false,
}
const ADMIN_PRINCIPAL: Principal = {
  role: 'admin',
  tenantId: DEFAULT_TENANT,
  merchantId: null,
  name: 'admin',
  signedIn: true,
}

/** Puts the check in front of every route of the server, those of its plugins included. */
export function installAccess(app: FastifyInstance, control: AccessControl): void {
  app.decorateRequest('principal', null)
  const unguarded: string[] = []
  app.addHook('onRoute', (route) => {
    if (route.config?.access === undefined) unguarded.push(`${route.method} ${route.url}`)
  })
  app.addHook('onReady', async () => {
    if (unguarded.length === 0) return
    throw new PlatformError(
      'invariant-broken',
      `These routes do not say what access they need: ${unguarded.join(', ')}. Give each a config.access.`,
      { retry: 'never' },
    )
  })
  app.addHook('onRequest', async (request) => {
    await control.admit(request, request.routeOptions.config.access ?? 'public')
  })
}

/** The caller of a route that needs a credential. */
export function principalOf(request: FastifyRequest): Principal {
  if (request.principal !== null) return request.principal
  throw new PlatformError('invariant-broken', `${request.url} ran without a principal.`, {
    retry: 'never',
  })
}

/** The hash by which a token that was made is found. */
export function tokenHash(token: string): Uint8Array {
  return createHash('sha256').update(token).digest()
}

export function createAccessControl({ clock, adminToken, tokens }: AccessSettings): AccessControl {
  if (adminToken !== undefined && adminToken.length < MIN_TOKEN_LENGTH) {
    throw new PlatformError(
      'bad-setting',
      `OUTRIDER_ADMIN_TOKEN has ${adminToken.length} characters; it needs at least ${MIN_TOKEN_LENGTH}.`,
      { retry: 'never' },
    )
  }
  const credentials = createCredentials(clock, { adminToken, tokens })
  return adminToken === undefined
    ? openToThisMachine(credentials)
    : guardedByToken(clock, { adminToken, credentials })
}

interface Credentials {
  /** Who sends this token; rejects with 401 or 429. */
  check(request: FastifyRequest, token: string): Promise<Principal>
  /** Who has the token of this hash; undefined where it holds no longer. */
  find(hash: Uint8Array): Promise<Principal | undefined>
}

function createCredentials(
  clock: Clock,
  { adminToken, tokens }: Pick<AccessSettings, 'adminToken' | 'tokens'>,
): Credentials {
  const tries = createThrottle(clock)
  const isAdminToken = adminToken === undefined ? () => false : equalTo(adminToken)
  const find = async (hash: Uint8Array): Promise<Principal | undefined> => {
    const token = await tokens?.find(hash)
    if (token === undefined) return undefined
    const { tenantId, merchantId, name } = token
    const role = ROLES.find((each) => each === token.role)
    if (role === undefined || (role === 'merchant') !== (merchantId !== null)) return undefined
    return { role, tenantId, merchantId, name, signedIn: true }
  }
  return {
    find,
    async check(request, token) {
      tries.refuse(request.ip)
      if (isAdminToken(token)) return ADMIN_PRINCIPAL
      const found = MADE_TOKEN.test(token) ? await find(tokenHash(token)) : undefined
      if (found !== undefined) return found
      tries.failed(request.ip)
      throw new HttpProblem('unauthorized', 'The token is not valid.')
    },
  }
}

function allow(principal: Principal, access: Access): Principal {
  if (GRANTS[principal.role].includes(access)) return principal
  throw new HttpProblem('forbidden', `The role "${principal.role}" does not allow this.`)
}

function openToThisMachine(credentials: Credentials): AccessControl {
  return {
    authRequired: false,
    signIn: async () => ({ cookie: '', principal: LOCAL_PRINCIPAL }),
    signOut: () => {},
    async admit(request, access) {
      if (access === 'probe') return
      refuseForeignMachine(request)
      refuseForeignPage(request)
      // Somebody who sends a token is who the token says, and no more.
      const bearer = bearerOf(request)
      if (bearer === undefined) request.principal = LOCAL_PRINCIPAL
      else if (access !== 'public') {
        request.principal = allow(await credentials.check(request, bearer), access)
      }
    },
  }
}

function guardedByToken(
  clock: Clock,
  { adminToken, credentials }: { readonly adminToken: string; readonly credentials: Credentials },
): AccessControl {
  const sessions = createSessions(clock, adminToken)

  const holderOf = async (hash: string): Promise<Principal | undefined> =>
    hash === ADMIN_SESSION ? ADMIN_PRINCIPAL : credentials.find(Buffer.from(hash, 'hex'))

  const authenticate = async (request: FastifyRequest): Promise<Principal> => {
    const bearer = bearerOf(request)
    if (bearer !== undefined) return credentials.check(request, bearer)
    const cookie = cookieOf(request)
    if (cookie === undefined) throw new HttpProblem('unauthorized', 'Sign in, or send a token.')
    const hash = sessions.read(cookie)
    const principal = hash === undefined ? undefined : await holderOf(hash)
    if (principal === undefined) {
      throw new HttpProblem('unauthorized', 'The session has ended. Sign in again.')
    }
    refuseForeignPage(request)
    return principal
  }

  return {
    authRequired: true,
    async signIn(request, token) {
      refuseForeignPage(request)
      const principal = await credentials.check(request, token)
      const isAdmin = principal === ADMIN_PRINCIPAL
      const hash = isAdmin ? ADMIN_SESSION : Buffer.from(tokenHash(token)).toString('hex')
      return { cookie: sessions.create(request.id, hash), principal }
    },
    signOut(request) {
      const cookie = cookieOf(request)
      if (cookie !== undefined) sessions.end(cookie)
    },
    async admit(request, access) {
      if (access === 'probe' || access === 'public') return
      request.principal = allow(await authenticate(request), access)
    },
  }
}

/** Compares in a time that does not tell how much of it was right, nor how long it should be. */
function equalTo(secret: string): (candidate: string) => boolean {
  const digest = (text: string): Buffer => createHash('sha256').update(text).digest()
  const expected = digest(secret)
  return (candidate) => timingSafeEqual(digest(candidate), expected)
}

function bearerOf(request: FastifyRequest): string | undefined {
  const header = request.headers.authorization
  if (header === undefined) return undefined
  const match = /^Bearer +(\S+)$/i.exec(header)
  if (match?.[1] === undefined) {
    throw new HttpProblem('unauthorized', 'Authorization must be "Bearer TOKEN".')
  }
  return match[1]
}

function cookieOf(request: FastifyRequest): string | undefined {
  for (const pair of (request.headers.cookie ?? '').split(';')) {
    const [name, value] = pair.trim().split('=', 2)
    if (name === SESSION_COOKIE && value !== undefined && value !== '') return value
  }
  return undefined
}

interface Sessions {
  create(nonce: string, hash: string): string
  /** The hash of the token that the session was begun with; undefined where it has ended. */
  read(cookie: string): string | undefined
  end(cookie: string): void
}

/** In place of the hash, of sessions begun with the admin token. */
const ADMIN_SESSION = 'admin'

/**
 * Sessions that need no store: `expiry.nonce.hash.signature`, signed with a key made from the admin token, so
 * that a new one ends them all, and bound to the token they were begun with. One that was signed out is
 * remembered until it expires, in this process only.
 */
function createSessions(clock: Clock, adminToken: string): Sessions {
  const key = createHmac('sha256', adminToken).update('outrider session').digest()
  const ended = new Set<string>()
  const sign = (content: string): string =>
    createHmac('sha256', key).update(content).digest('base64url')
  return {
    create(nonce, hash) {
      const expiresAtMs = clock.nowMs() + SESSION_MS
      const content = `${expiresAtMs}.${createHash('sha256').update(nonce).digest('hex').slice(0, 16)}.${hash}`
      return `${content}.${sign(content)}`
    },
    read(cookie) {
      const [expiry, nonce, hash, signature] = cookie.split('.')
      if (expiry === undefined || nonce === undefined) return undefined
      if (hash === undefined || signature === undefined) return undefined
      if (!equalTo(sign(`${expiry}.${nonce}.${hash}`))(signature)) return undefined
      return Number(expiry) > clock.nowMs() && !ended.has(cookie) ? hash : undefined
    },
    end(cookie) {
      ended.add(cookie)
      forgetOldest(ended, MAX_ENDED_SESSIONS)
    },
  }
}

function createThrottle(clock: Clock) {
  const failures = new Map<string, { sinceMs: number; count: number }>()
  return {
    refuse(address: string): void {
      const known = failures.get(address)
      if (known === undefined || known.count < MAX_FAILED_TRIES) return
      const leftMs = known.sinceMs + FAILED_TRIES_SPAN_MS - clock.nowMs()
      if (leftMs <= 0) {
        failures.delete(address)
        return
      }
      throw new HttpProblem('rate-limited', 'Too many wrong tokens from this address.', {
        retryAfterS: Math.ceil(leftMs / 1_000),
      })
    },
    failed(address: string): void {
      const nowMs = clock.nowMs()
      const known = failures.get(address)
      if (known === undefined || nowMs - known.sinceMs >= FAILED_TRIES_SPAN_MS) {
        failures.delete(address)
        failures.set(address, { sinceMs: nowMs, count: 1 })
        forgetOldest(failures, MAX_TRACKED_ADDRESSES)
      } else {
        known.count += 1
      }
    },
  }
}

function forgetOldest(known: Map<string, unknown> | Set<string>, limit: number): void {
  if (known.size <= limit) return
  const oldest = known.keys().next()
  if (!oldest.done) known.delete(oldest.value)
}

const LOOPBACK_ADDRESS = /^(?:::ffff:)?127\.\d{1,3}\.\d{1,3}\.\d{1,3}$|^::1$/
const LOOPBACK_HOST =
  /^(?:(?:[a-z0-9-]+\.)*localhost|127\.\d{1,3}\.\d{1,3}\.\d{1,3}|\[::1\])(?::\d+)?$/i
/** Their presence shows that somebody else passed the request on. */
const PROXY_HEADERS = ['forwarded', 'x-forwarded-for', 'x-forwarded-host', 'x-real-ip']

/**
 * Without a token only this machine gets in: the peer must be loopback, not a proxy, and the page must
 * have been asked for under a loopback name, or a web site could point its own name at us (DNS rebinding).
 */
function refuseForeignMachine(request: FastifyRequest): void {
  const peer = request.socket.remoteAddress ?? ''
  const proxied = PROXY_HEADERS.some((name) => request.headers[name] !== undefined)
  if (LOOPBACK_ADDRESS.test(peer) && !proxied && LOOPBACK_HOST.test(request.headers.host ?? ''))
    return
  throw new HttpProblem(
    'forbidden',
    'Without OUTRIDER_ADMIN_TOKEN only this machine is served, under localhost. Set the token to open it.',
  )
}

const SAFE_METHODS: ReadonlySet<string> = new Set(['GET', 'HEAD', 'OPTIONS'])

/** A page of another site must not change anything with this browser's cookie or address. */
function refuseForeignPage(request: FastifyRequest): void {
  if (SAFE_METHODS.has(request.method)) return
  const site = request.headers['sec-fetch-site']
  const origin = request.headers.origin
  const sameSite = site === undefined || site === 'same-origin'
  if (sameSite && (origin === undefined || hostOf(origin) === request.headers.host)) return
  throw new HttpProblem('forbidden', 'Changes are accepted from our own pages only.')
}

function hostOf(origin: string): string | undefined {
  return URL.canParse(origin) ? new URL(origin).host : undefined
}
