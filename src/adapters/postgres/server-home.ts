// Where a server of our own lives: its cluster, its socket, and the file that tells how to reach it.

import { execFileSync } from 'node:child_process'
import { randomBytes } from 'node:crypto'
import {
  chmodSync,
  chownSync,
  closeSync,
  existsSync,
  fsyncSync,
  lstatSync,
  mkdirSync,
  mkdtempSync,
  openSync,
  readFileSync,
  renameSync,
  writeSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { PlatformError } from '../../kernel/errors.ts'
import type { DatabaseAddress } from './address.ts'
import type { ServerUser } from './binaries.ts'

export const SUPERUSER = 'outrider'
export const DATABASE = 'outrider'

/** What other processes of ours need to reach the server; in a file that only we can read. */
export interface ServerFile {
  /** Kept from start to start where it is free, so that SQL tools find the server where it was. */
  readonly port: number
  readonly password: string
  /** Null where no folder has a path short enough for a socket. */
  readonly socketDir: string | null
  readonly home: string
  /** What the running server was started with: only the same is taken over. */
  readonly settings: string
}

const SERVER_FILE = 'postgres.json'
/** The same as one address, for `psql "$(cat postgres.url)"` and other tools. */
const URL_FILE = 'postgres.url'
/** In a home outside of the data directory: the data directory that it belongs to. */
const OWNER_FILE = 'data-dir'
/** Where the server's user can't enter the data directory, its files are kept here. */
const OUTSIDE = '/var/lib/outrider'
/** A socket's path has at most 107 characters on Linux and 103 on macOS; its name has up to 15 of them. */
const MAX_SOCKET_DIR = 85

export function readServerFile(dataDir: string): ServerFile | undefined {
  try {
    return JSON.parse(readFileSync(join(dataDir, SERVER_FILE), 'utf8')) as ServerFile
  } catch {
    return undefined
  }
}

export function writeServerFile(dataDir: string, file: ServerFile): void {
  writeWhole(join(dataDir, SERVER_FILE), `${JSON.stringify(file)}\n`)
  const url = `postgresql://${SUPERUSER}:${file.password}@127.0.0.1:${file.port}/${DATABASE}`
  writeWhole(join(dataDir, URL_FILE), `${url}\n`)
}

export function addressOf(file: ServerFile): DatabaseAddress {
  return {
    host: file.socketDir ?? '127.0.0.1',
    port: file.port,
    user: SUPERUSER,
    password: file.password,
    database: DATABASE,
  }
}

/**
 * The server's folder: in the data directory, or, where its user can't enter that (a checkout below
 * /root, say), a folder outside that the data directory remembers.
 */
export function findHome(
  dataDir: string,
  user: ServerUser | undefined,
  known: ServerFile | undefined,
): string {
  const inside = join(dataDir, 'postgres')
  if (user === undefined) return inside
  // A home inside another data directory is that of the folder that this one is a copy of.
  const outside = known !== undefined && dirname(known.home) === OUTSIDE ? known.home : undefined
  if (outside !== undefined && existsSync(outside)) return takeOver(outside, dataDir)
  makeDir(inside, user)
  if (canEnter(user, inside)) return inside
  const made = join(OUTSIDE, randomBytes(8).toString('hex'))
  mkdirSync(OUTSIDE, { recursive: true, mode: 0o755 })
  makeDir(made, user)
  if (!canEnter(user, made)) {
    throw new PlatformError(
      'bad-setting',
      'PostgreSQL does not run as root, and the user "nobody" that it runs as can enter neither ' +
        `${inside} nor ${made}. Make every folder above ${dataDir} searchable for others (chmod o+x), ` +
        'or choose another folder with --data-dir or OUTRIDER_DATA_DIR.',
      { retry: 'never', details: { inside, outside: made } },
    )
  }
  writeWhole(join(made, OWNER_FILE), dataDir)
  return made
}

/** A data directory that was moved keeps its home; a copy of one must not share it. */
function takeOver(home: string, dataDir: string): string {
  const file = join(home, OWNER_FILE)
  const owner = existsSync(file) ? readFileSync(file, 'utf8') : dataDir
  if (owner !== dataDir && readServerFile(owner)?.home === home) {
    throw new PlatformError(
      'data-dir-locked',
      `The database of ${dataDir} lies in ${home}, which belongs to ${owner}: the folder was copied. ` +
        `Start on ${owner}, or delete ${dataDir} and start there with nothing.`,
      { retry: 'never', details: { home, owner } },
    )
  }
  writeWhole(file, dataDir)
  return home
}

export function canEnter(user: ServerUser, dir: string): boolean {
  try {
    execFileSync('/bin/sh', ['-c', 'cd "$1"', 'sh', dir], { ...user, stdio: 'ignore', cwd: '/' })
    return true
  } catch {
    return false
  }
}

/** Nobody but the server's user enters; a link in its place is refused, since it could lead anywhere. */
export function makeDir(dir: string, user: ServerUser | undefined): void {
  mkdirSync(dir, { recursive: true, mode: 0o700 })
  if (!lstatSync(dir).isDirectory()) {
    throw new PlatformError('bad-setting', `${dir} is a link; a folder must be there.`, {
      retry: 'never',
    })
  }
  if (user !== undefined) chownSync(dir, user.uid, user.gid)
}

/** In the home, or where its path is too long in a folder of its own below the system's temporary one. */
export function findSocketDir(home: string, user: ServerUser | undefined): string | null {
  const inside = join(home, 'run')
  if (Buffer.byteLength(inside) <= MAX_SOCKET_DIR) {
    makeDir(inside, user)
    return inside
  }
  const short = join(tmpdir(), 'outrider-')
  if (Buffer.byteLength(short) + 6 > MAX_SOCKET_DIR) return null
  const made = mkdtempSync(short)
  if (user !== undefined) chownSync(made, user.uid, user.gid)
  return made
}

/** Readable for us alone, and never half written: the password in it is the only one there is. */
export function writeWhole(path: string, text: string): void {
  const unfinished = `${path}.unfinished`
  const file = openSync(unfinished, 'w', 0o600)
  try {
    chmodSync(unfinished, 0o600)
    writeSync(file, text)
    fsyncSync(file)
  } finally {
    closeSync(file)
  }
  renameSync(unfinished, path)
}
