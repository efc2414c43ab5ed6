// The program as somebody meets it: any user, any folder, a wrong setting, a taken port, a second start,
// Ctrl-C, a kill. Whatever ends it, no database server stays behind.

import assert from 'node:assert/strict'
import { execFileSync } from 'node:child_process'
import {
  chmodSync,
  chownSync,
  cpSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from 'node:fs'
import { createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { delimiter, join } from 'node:path'
import { type TestContext, test } from 'node:test'
import { fileURLToPath } from 'node:url'
import {
  type Program,
  type ProgramPlace,
  runCommand,
  startProgram,
  temporaryDataDir,
} from '../program.ts'
import { requireOrSkip } from '../requirements.ts'

const ROOT = fileURLToPath(new URL('../..', import.meta.url))
const WRAPPER = 'bin/outrider.js'
const NOBODY = { uid: 65_534, gid: 65_534 }
const STOP_MS = 10_000
const SERVER_ENDS_MS = 5_000
const isRoot = process.getuid?.() === 0

function folder(t: TestContext, mode = 0o755): string {
  const made = mkdtempSync(join(tmpdir(), 'outrider-start-'))
  chmodSync(made, mode)
  t.after(() => rmSync(made, { recursive: true, force: true, maxRetries: 5 }))
  return made
}

/** Where the database of a data directory lies, which may be outside of it; undefined where there is none. */
function databaseHome(dataDir: string): string | undefined {
  const file = join(dataDir, 'postgres.json')
  if (!existsSync(file)) return undefined
  const { home }: { readonly home?: unknown } = JSON.parse(readFileSync(file, 'utf8'))
  assert.ok(typeof home === 'string')
  return home
}

/** Ids of processes whose command line names the folder. */
function processesOn(path: string): readonly string[] {
  return readdirSync('/proc')
    .filter((name) => /^\d+$/.test(name) && Number(name) !== process.pid)
    .filter((pid) => commandOf(pid).includes(path))
}

function commandOf(pid: string): string {
  try {
    return readFileSync(`/proc/${pid}/cmdline`, 'utf8').replaceAll('\0', ' ')
  } catch {
    return ''
  }
}

async function untilNothingRuns(dataDir: string): Promise<void> {
  if (!existsSync('/proc')) return
  const home = databaseHome(dataDir) ?? dataDir
  const deadline = performance.now() + SERVER_ENDS_MS
  while (processesOn(home).length > 0 && performance.now() < deadline) {
    await new Promise((resolve) => setTimeout(resolve, 20))
  }
  assert.deepEqual(processesOn(home).map(commandOf), [])
}

/** Ends by the signals given, all at once, in time and cleanly. */
async function stopsCleanly(program: Program, dataDir: string, stop: () => void): Promise<void> {
  const exited = new Promise<number | null>((resolve) => program.process.once('exit', resolve))
  const begunMs = performance.now()
  stop()
  assert.equal(await exited, 0, program.output())
  assert.ok(performance.now() - begunMs < STOP_MS, 'it stopped in time')
  assert.match(program.output(), /Stopped\./)
  await untilNothingRuns(dataDir)
}

async function runsWell(
  dataDir: string,
  place: ProgramPlace & { readonly home?: string } = {},
  at = dataDir,
): Promise<void> {
  const { home, ...rest } = place
  const program = await startProgram(at, ['--no-simulate'], home ? { HOME: home } : {}, rest)
  const sent = await fetch(`${program.address}/api/v1/events/truck-readings`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify({ truckId: 'T', recordedAt: '2026-01-01T00:00:00Z', temperatureC: 4 }),
  })
  assert.equal(sent.status, 202, await sent.text())
  await stopsCleanly(program, dataDir, () => program.process.kill('SIGTERM'))
}

test('an ordinary user starts and stops it in a folder of his own', async (t) => {
  const home = folder(t)
  if (!isRoot) return runsWell(join(home, 'data'), { home, cwd: home })
  chownSync(home, NOBODY.uid, NOBODY.gid)
  const main = join(readableCheckout(t), 'src/app/main.ts')
  const dataDir = join(home, 'data')
  await runsWell(dataDir, { home, cwd: home, user: NOBODY, program: [process.execPath, main] })
})

/** Root may have checked out where nobody else can look: then a copy is what an ordinary user would have. */
function readableCheckout(t: TestContext): string {
  const canRead = (path: string): boolean => {
    try {
      execFileSync('/bin/cat', [path], { ...NOBODY, stdio: 'ignore', cwd: '/' })
      return true
    } catch {
      return false
    }
  }
  if (canRead(process.execPath) && canRead(join(ROOT, 'src/app/main.ts'))) return ROOT
  const copy = folder(t)
  for (const name of ['src', 'bin', 'package.json', 'node_modules']) {
    execFileSync('cp', ['-a', join(ROOT, name), copy])
  }
  execFileSync('chmod', ['-R', 'a+rX', copy])
  t.diagnostic(`the checkout is closed to others, so a copy in ${copy} is used`)
  return copy
}

test('it starts where only its own user can enter', async (t) => {
  const closed = folder(t, 0o700)
  const dataDir = join(closed, 'data')
  await runsWell(dataDir)
  const home = databaseHome(dataDir)
  assert.ok(home)
  if (!home.startsWith(closed)) rmSync(home, { recursive: true, force: true })
})

test('a relative data directory lies where the program was started', async (t) => {
  const cwd = folder(t)
  await runsWell(join(cwd, 'here/data'), { cwd }, 'here/data')
  assert.ok(existsSync(join(cwd, 'here/data/log')))
})

test('a path may have spaces, quotes and letters of any script', async (t) => {
  const dataDir = join(folder(t), `Müller's "cold chain" 東京 ${'long '.repeat(20)}`, 'данные')
  await runsWell(dataDir)
})

test('a second start on the same data directory is refused, and names the first', async (t) => {
  const dataDir = temporaryDataDir(t)
  const program = await startProgram(dataDir)
  const second = await runCommand(['start', '--port', '0', '--data-dir', dataDir, '--no-simulate'])
  assert.equal(second.code, 1, second.stdout)
  assert.match(second.stderr, new RegExp(`process ${program.process.pid} is using it`))
  assert.equal((await fetch(`${program.address}/readyz`)).status, 200, 'the first one goes on')
  await stopsCleanly(program, dataDir, () => program.process.kill('SIGTERM'))
})

test('a port that is taken is named, and nothing is left running', async (t) => {
  const dataDir = temporaryDataDir(t)
  const taken = createServer()
  await new Promise<void>((resolve) => taken.listen(0, '127.0.0.1', resolve))
  t.after(() => taken.close())
  const address = taken.address()
  assert.ok(address !== null && typeof address === 'object')
  const flags = ['--port', String(address.port), '--data-dir', dataDir]
  const refused = await runCommand(['start', ...flags])
  assert.equal(refused.code, 1)
  assert.match(refused.stderr, new RegExp(`Cannot listen on 127.0.0.1:${address.port}`))
  assert.match(refused.stderr, /--port or OUTRIDER_PORT/)
  await untilNothingRuns(dataDir)
  await runsWell(dataDir)
})

const SECRET = 'not-long-enough-secret'

const WRONG: readonly {
  readonly what: string
  readonly says: RegExp
  readonly environment?: NodeJS.ProcessEnv
  readonly yaml?: string
}[] = [
  { what: 'unknown', environment: { OUTRIDER_PROT: '1' }, says: /OUTRIDER_PROT \(from the env/ },
  { what: 'a port of letters', environment: { OUTRIDER_PORT: 'http' }, says: /OUTRIDER_PORT/ },
  { what: 'a port too high', environment: { OUTRIDER_PORT: '65536' }, says: /OUTRIDER_PORT/ },
  { what: 'a short token', environment: { OUTRIDER_ADMIN_TOKEN: SECRET }, says: /ADMIN_TOKEN/ },
  {
    what: 'a database of another kind',
    environment: { OUTRIDER_DATABASE_URL: `mysql://me:${SECRET}@host/name` },
    says: /OUTRIDER_DATABASE_URL/,
  },
  { what: 'a file that is not YAML', yaml: 'PORT: [80', says: /outrider\.yaml is not YAML/ },
  { what: 'unknown in the file', yaml: 'COLOUR: red', says: /OUTRIDER_COLOUR \(from outrider/ },
  { what: 'of a later version', environment: { OUTRIDER_MQTT_PORT: '1' }, says: /MQTT_PORT/ },
]

for (const { what, says, environment = {}, yaml } of WRONG) {
  test(`a setting that is wrong (${what}) is refused by name before anything starts`, async (t) => {
    const cwd = folder(t)
    if (yaml !== undefined) writeFileSync(join(cwd, 'outrider.yaml'), yaml)
    const whole = { OUTRIDER_PORT: '0', ...environment }
    const { code, stdout, stderr } = await runCommand(['start'], whole, { cwd })
    assert.equal(code, 2, stdout + stderr)
    assert.match(stderr, says)
    assert.ok(!`${stdout}${stderr}`.includes(SECRET), 'a secret is never printed')
    assert.ok(!existsSync(join(cwd, '.outrider')), 'nothing was made')
  })
}

test('Ctrl-C that arrives twice at once, from a terminal and a wrapper, stops it cleanly', async (t) => {
  const dataDir = temporaryDataDir(t)
  const program = await startProgram(dataDir, ['--vehicles', '20'])
  await stopsCleanly(program, dataDir, () => {
    program.process.kill('SIGINT')
    program.process.kill('SIGINT')
  })
})

test('it starts again after it was killed, and stops cleanly then', async (t) => {
  const dataDir = temporaryDataDir(t)
  const killed = await startProgram(dataDir)
  await killed.kill()
  await runsWell(dataDir)
})

/** The node of the shell, which may be older than ours. */
function shellNode(): string | undefined {
  return (process.env.PATH ?? '')
    .split(delimiter)
    .filter((dir) => !dir.includes('node_modules'))
    .map((dir) => join(dir, 'node'))
    .find((path) => existsSync(path))
}

test('the wrapper runs under the node of the shell, and passes signals and exit codes on', async (t) => {
  const node = shellNode()
  const why = 'there is none on the PATH'
  if (!requireOrSkip(t, 'a node of the shell', node !== undefined, why) || !node) return
  t.diagnostic(`${node} is ${execFileSync(node, ['--version'], { encoding: 'utf8' }).trim()}`)
  const place: ProgramPlace = { program: [node, join(ROOT, WRAPPER)] }
  const code = async (...args: string[]) => (await runCommand(args, {}, place)).code
  assert.equal(await code('--version'), 0)
  assert.equal(await code('frobnicate'), 2)
  assert.equal(await code('verify', '--data-dir', join(folder(t), 'nothing')), 1)

  const dataDir = temporaryDataDir(t)
  const group = await startProgram(dataDir, ['--no-simulate'], {}, { ...place, ownGroup: true })
  await stopsCleanly(group, dataDir, () => process.kill(-(group.process.pid ?? 0), 'SIGINT'))
  const alone = await startProgram(dataDir, ['--no-simulate'], {}, place)
  await stopsCleanly(alone, dataDir, () => alone.process.kill('SIGTERM'))
})

test('the wrapper says by its exit code that the program was killed', async (t) => {
  const there = existsSync(`/proc/${process.pid}/task/${process.pid}/children`)
  if (!requireOrSkip(t, '/proc', there, 'this system does not list children there')) return
  const dataDir = temporaryDataDir(t)
  const program = [shellNode() ?? process.execPath, join(ROOT, WRAPPER)] as const
  const wrapped = await startProgram(dataDir, ['--no-simulate'], {}, { program })
  const pid = wrapped.process.pid
  const children = readFileSync(`/proc/${pid}/task/${pid}/children`, 'utf8').trim().split(' ')
  const exited = new Promise<number | null>((resolve) => wrapped.process.once('exit', resolve))
  for (const child of children) process.kill(Number(child), 'SIGKILL')
  assert.equal(await exited, 128 + 9)
  await runsWell(dataDir)
})

test('without its packages the program says what to run', async (t) => {
  const bare = folder(t)
  for (const name of ['bin', 'src/app/main.ts', 'package.json']) {
    mkdirSync(join(bare, name, '..'), { recursive: true })
    cpSync(join(ROOT, name), join(bare, name), { recursive: true })
  }
  const program = [shellNode() ?? process.execPath, join(bare, WRAPPER)] as const
  const { code, stderr } = await runCommand(['start'], {}, { program })
  assert.equal(code, 1)
  assert.match(stderr, /not installed in .*Run "npm ci" there/)
})

const COMMANDS = ['start', 'simulate', 'import', 'verify', 'replay', 'doctor', 'bench'] as const
const NEEDS: Readonly<Record<string, readonly string[]>> = {
  simulate: [],
  import: ['file.csv'],
  replay: [],
}

for (const command of COMMANDS) {
  test(`${command} ends with 2 where it is called wrongly, and with 0 where it is asked for help`, async () => {
    const run = (...args: string[]) => runCommand([command, ...args])
    assert.equal((await run('--help')).code, 0)
    const unknown = await run('--frobnicate')
    assert.equal(unknown.code, 2)
    assert.match(unknown.stderr, /unknown option|not specified|missing required argument/)
    assert.equal((await run('a', 'b', 'c')).code, 2)
    const missing = NEEDS[command]
    if (missing === undefined) return
    const incomplete = await run(...missing)
    assert.equal(incomplete.code, 2)
    assert.match(incomplete.stderr, /missing required argument|required option/)
  })
}

test('bench measures the parts that are named, and refuses what is none', async () => {
  const { code, stdout } = await runCommand(['bench', '--quick', '--json', '--only', 'rules'])
  assert.equal(code, 0)
  const { figures }: { readonly figures: readonly { readonly id: string }[] } = JSON.parse(stdout)
  assert.deepEqual(
    figures.map(({ id }) => id),
    ['rules.few', 'rules.many', 'rules.ratio'],
  )
  const unknown = await runCommand(['bench', '--only', 'rules,frobnication'])
  assert.equal(unknown.code, 2)
  assert.match(unknown.stderr, /names what is no part\. There are archiving, /)
  assert.equal((await runCommand(['bench', '--cluster', '--only', 'rules'])).code, 2)
})

test('the program itself knows its version, its help, and no other words', async () => {
  const { version }: { readonly version?: unknown } = JSON.parse(
    readFileSync(join(ROOT, 'package.json'), 'utf8'),
  )
  const shown = await runCommand(['--version'])
  assert.deepEqual([shown.code, shown.stdout.trim()], [0, version])
  assert.equal((await runCommand(['--help'])).code, 0)
  assert.equal((await runCommand(['help', 'start'])).code, 0)
  assert.equal((await runCommand(['frobnicate'])).code, 2)
  assert.equal((await runCommand([])).code, 2)
})
