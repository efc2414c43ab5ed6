// How every server of the tests is run: a process on a free port, in a folder of its own, which ends with
// the test, and also where the test's process is killed.

import { spawn } from 'node:child_process'
import { chmodSync, existsSync, mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { delimiter, join } from 'node:path'
import { watchOver } from './watchdog.ts'

/** A server that does not answer for so long did not start. */
const START_TIMEOUT_MS = 60_000
const STOP_TIMEOUT_MS = 10_000
/** Output kept for the message of a failed start. */
const MAX_OUTPUT_CHARACTERS = 20_000
const POLL_MS = 50

export interface ServerCommand {
  /** What it is called in messages. */
  readonly name: string
  readonly command: string
  readonly args: readonly string[]
  readonly env?: NodeJS.ProcessEnv
  /** Its own folder, removed at the end. */
  readonly folder: string
  /** As somebody else, for servers that refuse root. */
  readonly user?: { readonly uid: number; readonly gid: number }
  /** True once it answers; asked again and again. May throw while it does not. */
  readonly answers: (output: string) => boolean | Promise<boolean>
}

/** One process of a server, which faults can be done to. */
export interface ServerNode {
  readonly pid: number
  readonly output: () => string
  running(): boolean
  /** SIGKILL; resolves once it is gone. Its data stay. */
  kill(): Promise<void>
  /** SIGTERM, and SIGKILL where that takes too long. Its data stay. */
  end(): Promise<void>
  /** SIGSTOP and SIGCONT. */
  pause(): void
  resume(): void
}

/** Something that tests use and that must be stopped after them. */
export interface TestServer {
  readonly name: string
  /** Where clients find it, as the settings of Outrider name it. */
  readonly settings: Readonly<Record<string, string>>
  /** Ends all its processes and removes their data. */
  stop(): Promise<void>
}

/** Starts a process and resolves once it answers; rejects with its output where it ends before. */
export async function startNode(command: ServerCommand): Promise<ServerNode> {
  const child = spawn(command.command, command.args, {
    cwd: command.folder,
    env: { ...process.env, ...command.env },
    stdio: ['ignore', 'pipe', 'pipe'],
    ...command.user,
  })
  let output = ''
  const keep = (text: Buffer): void => {
    output = (output + text).slice(-MAX_OUTPUT_CHARACTERS)
  }
  child.stdout.on('data', keep)
  child.stderr.on('data', keep)
  let failure = ''
  child.once('error', (error) => {
    failure = error.message
  })
  const gone = new Promise<void>((resolve) => child.once('close', () => resolve()))
  const running = (): boolean =>
    child.pid !== undefined && child.exitCode === null && child.signalCode === null
  watchOver(child, 'kill')
  const node: ServerNode = {
    pid: child.pid ?? 0,
    output: () => output,
    running,
    async kill() {
      child.kill('SIGKILL')
      await gone
    },
    async end() {
      child.kill('SIGCONT')
      child.kill('SIGTERM')
      const late = setTimeout(() => child.kill('SIGKILL'), STOP_TIMEOUT_MS)
      await gone
      clearTimeout(late)
    },
    pause: () => void child.kill('SIGSTOP'),
    resume: () => void child.kill('SIGCONT'),
  }
  try {
    await untilAnswers(command, node, () => failure)
  } catch (error) {
    if (running()) await node.kill()
    throw error
  }
  return node
}

async function untilAnswers(
  { name, answers }: ServerCommand,
  node: ServerNode,
  failure: () => string,
): Promise<void> {
  const deadline = performance.now() + START_TIMEOUT_MS
  while (performance.now() < deadline) {
    if (failure() !== '') throw new Error(`${name} could not be started: ${failure()}`)
    if (!node.running()) throw new Error(`${name} ended before it answered:\n${node.output()}`)
    if (await Promise.resolve(answers(node.output())).catch(() => false)) return
    await new Promise((resolve) => setTimeout(resolve, POLL_MS))
  }
  throw new Error(`${name} did not answer within ${START_TIMEOUT_MS} ms:\n${node.output()}`)
}

/** A folder for a server's data, which another user can enter too; the caller removes it. */
export function serverFolder(name: string): string {
  const folder = mkdtempSync(join(tmpdir(), `outrider-${name}-`))
  chmodSync(folder, 0o755)
  return folder
}

export function removeFolder(folder: string): void {
  rmSync(folder, { recursive: true, force: true, maxRetries: 5 })
}

/** The path of a program, or undefined where the machine does not have it. */
export function programPath(name: string): string | undefined {
  return (process.env.PATH ?? '')
    .split(delimiter)
    .map((folder) => join(folder, name))
    .find((path) => existsSync(path))
}
