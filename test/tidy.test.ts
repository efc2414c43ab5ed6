// House rules that a compiler does not know: who may import whom, and where clock and chance may be.

import assert from 'node:assert/strict'
import { readdirSync, readFileSync } from 'node:fs'
import { dirname, join, relative, resolve } from 'node:path'
import { test } from 'node:test'
import { fileURLToPath } from 'node:url'

const root = fileURLToPath(new URL('..', import.meta.url))

/** Folders of `src` that each folder may import, besides itself. */
const MAY_IMPORT: Readonly<Record<string, readonly string[]>> = {
  kernel: [],
  ports: ['kernel'],
  streams: ['kernel', 'ports'],
  rules: ['kernel', 'ports', 'streams'],
  adapters: ['kernel', 'ports'],
  driving: ['kernel', 'ports', 'streams'],
  domains: ['kernel', 'ports', 'streams', 'rules', 'driving'],
  doors: ['kernel', 'ports', 'streams', 'rules', 'domains'],
  workflows: ['kernel', 'ports', 'streams', 'rules', 'domains'],
  api: ['kernel', 'ports', 'streams', 'rules', 'driving', 'domains'],
  app: ['kernel', 'ports', 'streams', 'rules', 'domains', 'doors', 'workflows', 'api', 'adapters'],
}

/** Time and chance enter by a port; only these folders touch the real ones. */
const CLOCK_AND_CHANCE = ['src/adapters/clock/', 'src/adapters/random/']
const FORBIDDEN =
  /\b(?:Date\.now|performance\.now|process\.hrtime|Math\.random|setTimeout|setInterval|randomUUID)\b|\bnew Date\(\)/

const DOUBTFUL_NAME = /(?:^|[-/])(?:utils?|common|helpers?|managers?|misc)(?:[-./]|$)/

interface Source {
  /** From the root, with forward slashes. */
  readonly path: string
  readonly text: string
}

function sources(folder: string): readonly Source[] {
  return readdirSync(join(root, folder), { recursive: true, encoding: 'utf8' })
    .filter((path) => path.endsWith('.ts'))
    .map((path) => join(folder, path))
    .map((path) => ({ path, text: readFileSync(join(root, path), 'utf8') }))
}

function isTest(path: string): boolean {
  return path.endsWith('.test.ts') || path.endsWith('.contract.ts')
}

function importsOf({ path, text }: Source): readonly string[] {
  const found = text.matchAll(/(?:from|import)\s*\(?\s*'(\.[^']+)'/g)
  return [...found].map((match) => relative(root, resolve(root, dirname(path), match[1] ?? '')))
}

function partsOf(path: string): { readonly folder: string; readonly member: string } {
  const [, folder = '', member = ''] = path.split('/')
  return { folder, member }
}

function breach(from: string, to: string): string | undefined {
  if (!to.startsWith('src/')) return `${from} imports ${to}, which is outside of src`
  const here = partsOf(from)
  const there = partsOf(to)
  if (here.folder !== there.folder) {
    const allowed = MAY_IMPORT[here.folder]
    if (allowed === undefined) return `${from}: folder ${here.folder} is not in DESIGN's layout`
    return allowed.includes(there.folder)
      ? undefined
      : `${here.folder} may not import ${to} (${from})`
  }
  if (here.folder === 'adapters' && here.member !== there.member) {
    return `adapter ${here.member} may not import its sibling ${to} (${from})`
  }
  const betweenDomains =
    here.folder === 'domains' &&
    here.member !== there.member &&
    !here.member.endsWith('.ts') &&
    !there.member.endsWith('.ts')
  if (betweenDomains && !to.endsWith('/events.ts')) {
    return `domain ${here.member} may read only events.ts of another (${from} imports ${to})`
  }
  return undefined
}

test('imports follow the arrows of the architecture', () => {
  const breaches = sources('src')
    .filter(({ path }) => !isTest(path))
    .flatMap((source) => importsOf(source).map((to) => breach(source.path, to)))
    .filter((found) => found !== undefined)
  assert.deepEqual(breaches, [])
})

test('the arrows of the architecture are enforced', () => {
  assert.ok(breach('src/kernel/time.ts', 'src/ports/log.ts'))
  assert.ok(breach('src/domains/trips/pipeline.ts', 'src/domains/vehicles/pipeline.ts'))
  assert.ok(breach('src/adapters/log/lmdb-log.ts', 'src/adapters/postgres/pool.ts'))
  assert.equal(breach('src/domains/trips/pipeline.ts', 'src/domains/vehicles/events.ts'), undefined)
})

test('clock and chance appear only in their adapters', () => {
  const breaches = sources('src')
    .filter(({ path }) => !isTest(path))
    .filter(({ path }) => !CLOCK_AND_CHANCE.some((folder) => path.startsWith(folder)))
    .flatMap(({ path, text }) =>
      text
        .split('\n')
        .map((line, index) => ({ line: line.replace(/\/\/.*|^\s*\*.*/, ''), at: index + 1 }))
        .filter(({ line }) => FORBIDDEN.test(line))
        .map(({ line, at }) => `${path}:${at}: ${line.trim()}`),
    )
  assert.deepEqual(breaches, [])
})

test('no file is named for being left over', () => {
  const paths = ['src', 'test', 'bench'].flatMap(sources).map(({ path }) => path)
  assert.deepEqual(
    paths.filter((path) => DOUBTFUL_NAME.test(path)),
    [],
  )
})

test('engine, rules and ports never speak of a domain', () => {
  const words = /\b(?:shipments?|trips?|trucks?|merchants?|reefer)\b/i
  const breaches = ['src/kernel', 'src/ports', 'src/streams']
    .flatMap(sources)
    .filter(({ path }) => !isTest(path))
    .flatMap(({ path, text }) =>
      text
        .split('\n')
        .filter((line) => words.test(line.replace(/\/\/.*|^\s*\/?\*.*/, '')))
        .map((line) => `${path}: ${line.trim()}`),
    )
  assert.deepEqual(breaches, [])
})
