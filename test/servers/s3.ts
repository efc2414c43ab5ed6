// An S3 server for tests: Versity's gateway over a folder, built by Go where the machine has it.

import { execFile } from 'node:child_process'
import { existsSync, mkdirSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { TestContext } from 'node:test'
import { promisify } from 'node:util'
import { requireOrSkip } from '../requirements.ts'
import { freePorts } from './free-ports.ts'
import { programPath, removeFolder, serverFolder, startNode, type TestServer } from './server.ts'

const VERSION = 'v1.8.0'
const PACKAGE = 'github.com/versity/versitygw/cmd/versitygw'
/** Built once, and found again by later runs. */
const BUILT = join(tmpdir(), `outrider-versitygw-${VERSION}`)
const BUILD_TIMEOUT_MS = 600_000

export interface TestS3 extends TestServer {
  readonly endpoint: string
  readonly accessKeyId: string
  readonly secretAccessKey: string
}

/** Undefined, the test skipped, where neither the server nor Go is on the machine. */
export async function s3OrSkip(t: TestContext): Promise<TestS3 | undefined> {
  const present = programPath('versitygw') ?? existing(join(BUILT, 'versitygw'))
  const go = programPath('go') ?? existing('/usr/local/go/bin/go')
  const available = present !== undefined || go !== undefined
  if (!requireOrSkip(t, 'versitygw', available, 'neither versitygw nor go is on the PATH')) return
  const program = present ?? (await build(t, go ?? 'go'))
  return program === undefined ? undefined : start(program)
}

function existing(path: string): string | undefined {
  return existsSync(path) ? path : undefined
}

async function build(t: TestContext, go: string): Promise<string | undefined> {
  mkdirSync(BUILT, { recursive: true })
  const failure = await promisify(execFile)(go, ['install', `${PACKAGE}@${VERSION}`], {
    env: { ...process.env, GOBIN: BUILT },
    timeout: BUILD_TIMEOUT_MS,
  }).then(
    () => undefined,
    (error: Error) => error.message,
  )
  if (!requireOrSkip(t, 'versitygw', failure === undefined, failure ?? '')) return undefined
  return join(BUILT, 'versitygw')
}

async function start(program: string): Promise<TestS3> {
  const folder = serverFolder('s3')
  mkdirSync(join(folder, 'data'))
  const [port = 0] = await freePorts(1)
  const endpoint = `http://127.0.0.1:${port}`
  const accessKeyId = 'outrider-test'
  const secretAccessKey = 'outrider-test-secret'
  const node = await startNode({
    name: 'versitygw',
    command: program,
    args: ['--port', `127.0.0.1:${port}`, 'posix', '--sidecar', folder, join(folder, 'data')],
    env: { ROOT_ACCESS_KEY: accessKeyId, ROOT_SECRET_KEY: secretAccessKey },
    folder,
    // Any answer will do: without a signature it is a refusal.
    answers: async () => (await fetch(endpoint)).status > 0,
  })
  return {
    name: 'versitygw',
    endpoint,
    accessKeyId,
    secretAccessKey,
    settings: { S3_ENDPOINT: endpoint },
    async stop() {
      await node.end()
      removeFolder(folder)
    },
  }
}
