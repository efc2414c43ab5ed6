// Serves the built dashboard: its files, and its one page for every address that the page itself routes.

import { createHash } from 'node:crypto'
import { readdirSync, readFileSync, statSync } from 'node:fs'
import { join, sep } from 'node:path'
import fastifyStatic from '@fastify/static'
import type { FastifyInstance } from 'fastify'
import { notFoundRoute } from './problems.ts'

/** Files that a build may have. */
const MAX_FILES = 5_000
/** Files under this folder carry their hash in the name. */
const IMMUTABLE = '/_app/immutable/'
const YEAR_S = 31_536_000

export interface Dashboard {
  /** Hashes of the inline scripts and styles of the page, for the content security policy. */
  readonly scriptHashes: readonly string[]
  readonly styleHashes: readonly string[]
  register(app: FastifyInstance): void
}

export function loadDashboard(folder: string | null): Dashboard {
  const page = folder === null ? undefined : readPage(join(folder, 'index.html'))
  if (folder === null || page === undefined) return withoutDashboard()
  const files = filesOf(folder)
  return {
    scriptHashes: inlineHashes(page, 'script'),
    styleHashes: inlineHashes(page, 'style'),
    register(app) {
      app.register(fastifyStatic, { root: folder, serve: false, preCompressed: true })
      app.get('/*', { config: { access: 'public' }, schema: { hide: true } }, (request, reply) => {
        const path = pathOf(request.url)
        if (path !== undefined && files.has(path)) {
          const immutable = path.startsWith(IMMUTABLE)
          return reply.sendFile(path.slice(1), {
            immutable,
            maxAge: immutable ? YEAR_S * 1_000 : 0,
            cacheControl: true,
          })
        }
        if (path === undefined || isForMachines(path, request.headers.accept))
          throw notFoundRoute(request)
        return reply.sendFile('index.html', { maxAge: 0 })
      })
    },
  }
}

function withoutDashboard(): Dashboard {
  return {
    scriptHashes: [],
    styleHashes: [],
    register(app) {
      app.get('/', { config: { access: 'public' }, schema: { hide: true } }, (_request, reply) =>
        reply
          .type('text/plain; charset=utf-8')
          .send('Outrider runs. The dashboard is not built here: run `npm run build`.\n'),
      )
    },
  }
}

function readPage(file: string): string | undefined {
  return statSync(file, { throwIfNoEntry: false })?.isFile()
    ? readFileSync(file, 'utf8')
    : undefined
}

/** Their addresses. Listed once, so that nothing outside of the build can ever be asked for. */
function filesOf(folder: string): ReadonlySet<string> {
  const entries = readdirSync(folder, { recursive: true, withFileTypes: true })
  const files = entries.filter((entry) => entry.isFile()).slice(0, MAX_FILES)
  return new Set(
    files.map((file) => join(file.parentPath, file.name).slice(folder.length).split(sep).join('/')),
  )
}

function pathOf(url: string): string | undefined {
  try {
    return decodeURIComponent(url.split('?', 1)[0] ?? '/')
  } catch {
    return undefined
  }
}

/** A missing file or route is an error; only an address of the dashboard gets its page. */
function isForMachines(path: string, accept: string | undefined): boolean {
  if (path.startsWith('/api/') || path.startsWith('/_app/')) return true
  return /\.[a-z0-9]{1,8}$/i.test(path) && accept?.includes('text/html') !== true
}

function inlineHashes(page: string, element: 'script' | 'style'): readonly string[] {
  const inline = new RegExp(`<${element}(?![^>]*\\bsrc=)[^>]*>([\\s\\S]*?)</${element}>`, 'g')
  return [...page.matchAll(inline)].map((match) => {
    const hash = createHash('sha256').update(match[1] ?? '')
    return `'sha256-${hash.digest('base64')}'`
  })
}
