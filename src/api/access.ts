// Who may do what. Each route names the access it needs; a route that names none stops the start. Until
// accounts exist there is one credential, the admin token, or none and then only this machine gets in.

import { createHash, createHmac, timingSafeEqual } from 'node:crypto'
import type { FastifyInstance, FastifyRequest } from 'fastify'
import { PlatformError } from '../kernel/errors.ts'
import { HOUR_MS, MINUTE_MS } from '../kernel/time.ts'
import type { Clock } from '../ports/clock.ts'
import { HttpProblem } from './problems.ts'

export type Role = 'viewer' | 'operator' | 'admin' | 'device'

/**
 * What a route needs. `probe` is open to everybody, for health checks. `public` needs no credential, but on
 * a server without a token it is for this machine only, as everything else.
 */
export type Access = 'probe' | 'public' | 'read' | 'operate' | 'ingest' | 'administer'

const GRANTS: Readonly<Record<Role, readonly Access[]>> = {
  viewer: ['read'],
  operator: ['read', 'operate', 'ingest'],
  device: ['ingest'],
  admin: ['read', 'operate', 'ingest', 'administer'],
}

export interface Principal {
  readonly role: Role
  readonly tenantId: string
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

export const DEFAULT_TENANT_ID = 'default'
export const MIN_TOKEN_LENGTH = 32
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
}

export interface AccessControl {
  readonly authRequired: boolean
  /** Checks a token as `POST /session` gets it; throws 401 or 429. Returns the cookie's value. */
  signIn(request: FastifyRequest, token: string): { readonly cookie: string }
  signOut(request: FastifyRequest): void
  /** Throws where the request may not use its route; sets `request.principal`. */
  admit(request: FastifyRequest, access: Access): void
}

const LOCAL_PRINCIPAL: Principal = {
  role: 'admin',
  tenantId: DEFAULT_TENANT_ID,
  name: 'local',
  signedIn: false,
}
const ADMIN_PRINCIPAL: Principal = {
  role: 'admin',
  tenantId: DEFAULT_TENANT_ID,
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
    control.admit(request, request.routeOptions.config.access ?? 'public')
  })
}

/** The caller of a route that needs a credential. */
export function principalOf(request: FastifyRequest): Principal {
  if (request.principal !== null) return request.principal
  throw new PlatformError('invariant-broken', `${request.url} ran without a principal.`, {
    retry: 'never',
  })
}

export function createAccessControl({ clock, adminToken }: AccessSettings): AccessControl {
  if (adminToken === undefined) return openToThisMachine()
  if (adminToken.length < MIN_TOKEN_LENGTH) {
    throw new PlatformError(
      'bad-setting',
      `OUTRIDER_ADMIN_TOKEN has ${adminToken.length} characters; it needs at least ${MIN_TOKEN_LENGTH}.`,
      { retry: 'never' },
    )
  }
  return guardedByToken(clock, adminToken)
}

function openToThisMachine(): AccessControl {
  return {
    authRequired: false,
    signIn: () => ({ cookie: '' }),
    signOut: () => {},
    admit(request, access) {
      if (access === 'probe') return
      refuseForeignMachine(request)
      refuseForeignPage(request)
      request.principal = LOCAL_PRINCIPAL
    },
  }
}

function guardedByToken(clock: Clock, adminToken: string): AccessControl {
  const tries = createThrottle(clock)
  const sessions = createSessions(clock, adminToken)
  const isToken = equalTo(adminToken)

  const check = (request: FastifyRequest, token: string): void => {
    tries.refuse(request.ip)
    if (isToken(token)) return
    tries.failed(request.ip)
    throw new HttpProblem('unauthorized', 'The token is not valid.')
  }

  const authenticate = (request: FastifyRequest): Principal => {
    const bearer = bearerOf(request)
    if (bearer !== undefined) {
      check(request, bearer)
      return ADMIN_PRINCIPAL
    }
    const cookie = cookieOf(request)
    if (cookie === undefined) throw new HttpProblem('unauthorized', 'Sign in, or send a token.')
    if (!sessions.isValid(cookie)) {
      throw new HttpProblem('unauthorized', 'The session has ended. Sign in again.')
    }
    refuseForeignPage(request)
    return ADMIN_PRINCIPAL
  }

  return {
    authRequired: true,
    signIn(request, token) {
      refuseForeignPage(request)
      check(request, token)
      return { cookie: sessions.create(request.id) }
    },
    signOut(request) {
      const cookie = cookieOf(request)
      if (cookie !== undefined) sessions.end(cookie)
    },
    admit(request, access) {
      if (access === 'probe' || access === 'public') return
      const principal = authenticate(request)
      if (!GRANTS[principal.role].includes(access)) {
        throw new HttpProblem('forbidden', `The role "${principal.role}" does not allow this.`)
      }
      request.principal = principal
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
  create(nonce: string): string
  isValid(cookie: string): boolean
  end(cookie: string): void
}

/**
 * Sessions that need no store: `expiry.nonce.signature`, signed with a key made from the token, so that a
 * new token ends them all. One that was signed out is remembered until it expires, in this process only.
 */
function createSessions(clock: Clock, adminToken: string): Sessions {
  const key = createHmac('sha256', adminToken).update('outrider session').digest()
  const ended = new Set<string>()
  const sign = (content: string): string =>
    createHmac('sha256', key).update(content).digest('base64url')
  return {
    create(nonce) {
      const expiresAtMs = clock.nowMs() + SESSION_MS
      const content = `${expiresAtMs}.${createHash('sha256').update(nonce).digest('hex').slice(0, 16)}`
      return `${content}.${sign(content)}`
    },
    isValid(cookie) {
      const [expiry, nonce, signature] = cookie.split('.')
      if (expiry === undefined || nonce === undefined || signature === undefined) return false
      if (!equalTo(sign(`${expiry}.${nonce}`))(signature)) return false
      return Number(expiry) > clock.nowMs() && !ended.has(cookie)
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
