// The one door to the server. Every failure becomes an ApiProblem with a sentence a person can act on.

import type { Page } from './types.ts'

export class ApiProblem extends Error {
  readonly status: number
  readonly code: string

  constructor(status: number, code: string, message: string) {
    super(message)
    this.name = 'ApiProblem'
    this.status = status
    this.code = code
  }
}

export type Query = Readonly<Record<string, string | number | boolean | null | undefined>>

/** An alert is told before it is recorded; what is asked of it meanwhile is asked again. */
const NOT_YET_RECORDED = 'not-yet-recorded'
const NOT_YET_TRIES = 8
const NOT_YET_WAIT_MS = 400

/** Called when the server no longer accepts our credential, so that the sign-in page comes up. */
let onUnauthorized: () => void = () => {}

export function whenUnauthorized(callback: () => void): void {
  onUnauthorized = callback
}

export function withQuery(path: string, query: Query = {}): string {
  const parameters = new URLSearchParams()
  for (const [name, value] of Object.entries(query)) {
    if (value !== undefined && value !== null && value !== '') parameters.set(name, String(value))
  }
  const text = parameters.toString()
  return text === '' ? path : `${path}?${text}`
}

export function get<T>(path: string, query?: Query, signal?: AbortSignal): Promise<T> {
  return request<T>('GET', withQuery(path, query), undefined, signal)
}

export function post<T>(path: string, body: unknown): Promise<T> {
  return request<T>('POST', path, body)
}

export function put<T>(path: string, body: unknown): Promise<T> {
  return request<T>('PUT', path, body)
}

export function remove<T>(path: string): Promise<T> {
  return request<T>('DELETE', path)
}

/** All pages of a list up to `limit` items; `more` says whether the server has further ones. */
export async function list<T>(
  path: string,
  query: Query,
  limit: number,
  signal?: AbortSignal,
): Promise<{ items: T[]; more: boolean }> {
  const items: T[] = []
  let cursor: string | null = null
  do {
    const page: Page<T> = await get<Page<T>>(
      path,
      { ...query, limit: Math.min(1000, limit - items.length), cursor },
      signal,
    )
    items.push(...page.items)
    cursor = page.next
  } while (cursor !== null && items.length < limit)
  return { items, more: cursor !== null }
}

async function request<T>(
  method: string,
  path: string,
  body?: unknown,
  signal?: AbortSignal,
): Promise<T> {
  for (let tries = 1; ; tries += 1) {
    try {
      return await requestOnce<T>(method, path, body, signal)
    } catch (error) {
      const isEarly = error instanceof ApiProblem && error.code === NOT_YET_RECORDED
      if (!isEarly || tries >= NOT_YET_TRIES) throw error
      await new Promise((resolve) => setTimeout(resolve, NOT_YET_WAIT_MS))
    }
  }
}

async function requestOnce<T>(
  method: string,
  path: string,
  body?: unknown,
  signal?: AbortSignal,
): Promise<T> {
  const response = await send(method, path, body, signal)
  if (response.ok) return (response.status === 204 ? undefined : await response.json()) as T
  const problem = await problemOf(response)
  if (response.status === 401 && path !== '/session') onUnauthorized()
  throw problem
}

/** For long work: the server tells how far it is, and at the end what came of it. */
export async function postWithProgress<T>(
  path: string,
  body: unknown,
  onProgress: (done: number, of: number) => void,
  signal: AbortSignal,
): Promise<T> {
  const response = await send('POST', path, body, signal, 'application/x-ndjson')
  if (!response.ok || response.body === null) throw await problemOf(response)
  let rest = ''
  for await (const text of textsOf(response.body)) {
    const lines = (rest + text).split('\n')
    rest = lines.pop() ?? ''
    for (const line of lines) {
      const said = JSON.parse(line) as {
        progress?: { events: number; ofEvents: number }
        result?: T
        error?: { detail: string }
      }
      if (said.progress) onProgress(said.progress.events, said.progress.ofEvents)
      if (said.error) throw new ApiProblem(500, 'failed', said.error.detail)
      if (said.result !== undefined) return said.result
    }
  }
  throw new ApiProblem(0, 'unreachable', 'The server ended its answer before there was a result.')
}

async function* textsOf(body: ReadableStream<Uint8Array>): AsyncIterable<string> {
  const reader = body
    .pipeThrough(new TextDecoderStream() as TransformStream<Uint8Array, string>)
    .getReader()
  for (;;) {
    const { value, done } = await reader.read()
    if (done) return
    yield value
  }
}

async function send(
  method: string,
  path: string,
  body: unknown,
  signal: AbortSignal | undefined,
  accept = 'application/json',
): Promise<Response> {
  try {
    return await fetch(`/api/v1${path}`, {
      method,
      credentials: 'same-origin',
      headers: {
        accept,
        ...(body === undefined ? {} : { 'content-type': 'application/json' }),
      },
      ...(body === undefined ? {} : { body: JSON.stringify(body) }),
      ...(signal === undefined ? {} : { signal }),
    })
  } catch (error) {
    if (signal?.aborted) throw error
    throw new ApiProblem(0, 'unreachable', 'Outrider does not answer. Is the server running?')
  }
}

async function problemOf(response: Response): Promise<ApiProblem> {
  const fallback = `The server answered ${response.status} ${response.statusText}`.trim()
  try {
    const problem: unknown = await response.json()
    if (typeof problem !== 'object' || problem === null) throw new TypeError('no problem document')
    const { code, detail, title } = problem as { code?: unknown; detail?: unknown; title?: unknown }
    const message = [detail, title].find((text) => typeof text === 'string' && text !== '')
    return new ApiProblem(
      response.status,
      typeof code === 'string' ? code : 'unknown',
      typeof message === 'string' ? message : fallback,
    )
  } catch {
    return new ApiProblem(response.status, 'unknown', fallback)
  }
}

export function problemText(error: unknown): string {
  return error instanceof Error ? error.message : String(error)
}

export function isAborted(error: unknown): boolean {
  return error instanceof DOMException && error.name === 'AbortError'
}
