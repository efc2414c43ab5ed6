// The real program as a child process, on a free port and a data directory of its own.

import { type ChildProcess, type ChildProcessByStdio, spawn } from 'node:child_process'
import { chmodSync, mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { Readable } from 'node:stream'
import type { TestContext } from 'node:test'
import { fileURLToPath } from 'node:url'
import { watchOver } from './servers/watchdog.ts'

const MAIN = fileURLToPath(new URL('../src/app/main.ts', import.meta.url))
const START_TIMEOUT_MS = 60_000
const COMMAND_TIMEOUT_MS = 180_000

export interface ProgramPlace {
  /** Where relative paths begin and outrider.yaml is looked for (default: the temporary folder). */
  readonly cwd?: string
  /** As somebody else than ourselves, which needs root. */
  readonly user?: { readonly uid: number; readonly gid: number }
  /** Program and first arguments (default: this Node and `src/app/main.ts`). */
  readonly program?: readonly [string, ...string[]]
  /** In a process group of its own, so that a signal can be sent to all of it. */
  readonly ownGroup?: true
  /** It is not expected to become ready: only its address is waited for. */
  readonly neverReady?: true
}

export interface Program {
  readonly address: string
  readonly process: ChildProcess
  /** SIGKILL; resolves once it is gone. */
  kill(): Promise<void>
  /** SIGTERM; resolves with the exit code. */
  stop(): Promise<number | null>
  /** What it printed so far. */
  output(): string
}

/** A data directory that the database's user can enter where we are root; removed after the test. */
export function temporaryDataDir(t: Pick<TestContext, 'after'>): string {
  const folder = mkdtempSync(join(tmpdir(), 'outrider-program-'))
  chmodSync(folder, 0o755)
  t.after(() => rmSync(folder, { recursive: true, force: true, maxRetries: 5 }))
  return join(folder, 'data')
}

/** Starts and waits until it is ready; rejects with its output where it ends before. */
export async function startProgram(
  dataDir: string,
  args: readonly string[] = ['--no-simulate'],
  environment: NodeJS.ProcessEnv = {},
  place: ProgramPlace = {},
): Promise<Program> {
  const flags = ['start', '--port', '0', '--data-dir', dataDir, ...args]
  const child = spawnProgram(flags, environment, place)
  watchOver(child, 'stop')
  let output = ''
  child.stdout.on('data', (text: Buffer) => {
    output += text
  })
  child.stderr.on('data', (text: Buffer) => {
    output += text
  })
  const exited = new Promise<number | null>((resolve) => child.once('exit', resolve))
  const address = await printedAddress(child, exited, () => output)
  if (place.neverReady !== true) await untilReady(address, () => output)
  return {
    address,
    process: child,
    output: () => output,
    async kill() {
      child.kill('SIGKILL')
      await exited
    },
    stop() {
      child.kill('SIGTERM')
      return exited
    },
  }
}

export interface CommandResult {
  readonly code: number | null
  readonly stdout: string
  readonly stderr: string
}

/** Runs another command of the program to its end, which must come in time. */
export function runCommand(
  args: readonly string[],
  environment: NodeJS.ProcessEnv = {},
  place: ProgramPlace = {},
): Promise<CommandResult> {
  return new Promise((resolve, reject) => {
    const child = spawnProgram(args, environment, place)
    let stdout = ''
    let stderr = ''
    child.stdout.on('data', (text: Buffer) => {
      stdout += text
    })
    child.stderr.on('data', (text: Buffer) => {
      stderr += text
    })
    const late = setTimeout(() => {
      child.kill('SIGTERM')
      reject(new Error(`outrider ${args.join(' ')} did not end:\n${stdout}${stderr}`))
    }, COMMAND_TIMEOUT_MS)
    child.once('error', reject)
    child.once('close', (code) => {
      clearTimeout(late)
      resolve({ code, stdout, stderr })
    })
  })
}

function spawnProgram(
  args: readonly string[],
  environment: NodeJS.ProcessEnv,
  { cwd = tmpdir(), user, program = [process.execPath, MAIN], ownGroup }: ProgramPlace,
): ChildProcessByStdio<null, Readable, Readable> {
  const [command, ...first] = program
  return spawn(command, [...first, ...args], {
    stdio: ['ignore', 'pipe', 'pipe'],
    env: { ...process.env, ...environment },
    cwd,
    detached: ownGroup === true,
    ...user,
  })
}

async function printedAddress(
  child: ChildProcess,
  exited: Promise<number | null>,
  output: () => string,
): Promise<string> {
  const printed = new Promise<string>((resolve) => {
    child.stdout?.on('data', () => {
      const found = /running at (http:\S+)/.exec(output())?.[1]
      if (found !== undefined) resolve(found)
    })
  })
  const failed = exited.then((code) => {
    throw new Error(`The program ended with ${code} before it was ready:\n${output()}`)
  })
  return Promise.race([printed, failed])
}

async function untilReady(address: string, output: () => string): Promise<void> {
  const deadline = performance.now() + START_TIMEOUT_MS
  while (performance.now() < deadline) {
    const response = await fetch(`${address}/readyz`).catch(() => undefined)
    await response?.arrayBuffer()
    if (response?.status === 200) return
    await new Promise((resolve) => setTimeout(resolve, 20))
  }
  throw new Error(`The program was not ready in time:\n${output()}`)
}
