import { equal, match, ok, rejects } from 'node:assert/strict'
import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { chmodSync, chownSync, existsSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { type TestContext, test } from 'node:test'
import { fileURLToPath } from 'node:url'
import { PlatformError } from '../../kernel/errors.ts'
import { lockDataDir } from './data-dir-lock.ts'

const MODULE = fileURLToPath(new URL('./data-dir-lock.ts', import.meta.url))
/** Nobody's uid and gid on Debian. */
const NOBODY = 65_534

function temporaryDirectory(t: TestContext): string {
  const directory = mkdtempSync(join(tmpdir(), 'outrider-lock-'))
  t.after(() => rmSync(directory, { recursive: true, force: true }))
  return directory
}

/** Takes the lock in a process of its own, which says `held` or why not, and then waits. */
async function lockElsewhere(
  t: TestContext,
  directory: string,
  user: { readonly uid?: number; readonly gid?: number } = {},
): Promise<{ readonly child: ChildProcess; readonly said: string }> {
  const program = `
    const { lockDataDir } = await import(${JSON.stringify(MODULE)})
    try {
      await lockDataDir(${JSON.stringify(directory)})
      console.log('held')
    } catch (error) {
      console.log(error.code + ': ' + error.message)
    }
    setInterval(() => {}, 1000)`
  const child = spawn(process.execPath, ['--input-type=module', '-e', program], {
    stdio: ['ignore', 'pipe', 'inherit'],
    ...user,
  })
  t.after(() => child.kill('SIGKILL'))
  const [said] = await once(child.stdout.setEncoding('utf8'), 'data')
  return { child, said: String(said).trim() }
}

test('a second process is refused with the pid of the first and what to do', async (t) => {
  const directory = temporaryDirectory(t)
  const lock = await lockDataDir(directory)
  const { said } = await lockElsewhere(t, directory)
  match(said, /^data-dir-locked: /)
  ok(said.includes(`process ${process.pid}`), said)
  ok(said.includes(directory) && said.includes('--data-dir'), said)
  await lock.release()
})

test('this process gets to know which other process holds the lock', async (t) => {
  const directory = temporaryDirectory(t)
  const { child, said } = await lockElsewhere(t, directory)
  equal(said, 'held')
  await rejects(lockDataDir(directory), (error) => {
    ok(error instanceof PlatformError)
    equal(error.code, 'data-dir-locked')
    equal(error.retry, 'later')
    equal(error.details.pid, child.pid)
    return true
  })
})

test('the lock of a process that was killed is free at once', async (t) => {
  const directory = temporaryDirectory(t)
  for (let round = 0; round < 3; round++) {
    const { child, said } = await lockElsewhere(t, directory)
    equal(said, 'held')
    const exited = once(child, 'exit')
    child.kill('SIGKILL')
    await exited
    await (await lockDataDir(directory)).release()
  }
})

test('a pid that was left behind says nothing, whoever has it now', async (t) => {
  const directory = temporaryDirectory(t)
  // The pid of a living process that never held the lock: this one.
  writeFileSync(join(directory, 'outrider.pid'), `${process.pid}\n`)
  await (await lockDataDir(directory)).release()
  writeFileSync(join(directory, 'outrider.pid'), 'not a pid')
  const lock = await lockDataDir(directory)
  await lock.release()
})

test('one process takes the lock once at a time, and again after giving it back', async (t) => {
  const directory = temporaryDirectory(t)
  const lock = await lockDataDir(directory)
  await rejects(lockDataDir(directory), { code: 'data-dir-locked' })
  await lock.release()
  await lock.release()
  const again = await lockDataDir(directory)
  await again.release()
  equal(existsSync(join(directory, 'outrider.pid')), false)
})

test('the lock is kept while the directory is used in every other way', async (t) => {
  const directory = temporaryDirectory(t)
  const lock = await lockDataDir(directory)
  writeFileSync(join(directory, 'other'), 'x')
  rmSync(join(directory, 'other'))
  await rejects(lockDataDir(directory), { code: 'data-dir-locked' })
  const { said } = await lockElsewhere(t, directory)
  match(said, /^data-dir-locked: /)
  await lock.release()
})

test('a directory that is missing is made, however deep', async (t) => {
  const directory = join(temporaryDirectory(t), 'a', 'b')
  await (await lockDataDir(directory)).release()
})

test('a directory that can not be written is refused with what to do', async (t) => {
  const file = join(temporaryDirectory(t), 'file')
  writeFileSync(file, '')
  for (const directory of [file, join(file, 'below')]) {
    await rejects(lockDataDir(directory), { code: 'bad-setting', retry: 'never' })
  }
})

test('an ordinary user locks a directory of theirs, and is refused one that root holds', async (t) => {
  if (process.getuid?.() !== 0) {
    t.skip('not root, so all the other tests ran as an ordinary user')
    return
  }
  const own = temporaryDirectory(t)
  chownSync(own, NOBODY, NOBODY)
  const user = { uid: NOBODY, gid: NOBODY }
  if (!(await canRunAs(user))) {
    t.diagnostic('skipped: the user nobody can not run this program from here')
    t.skip('the user nobody can not run this program from here')
    return
  }
  const { said } = await lockElsewhere(t, own, user)
  equal(said, 'held')
  await rejects(lockDataDir(own), { code: 'data-dir-locked' })
  const roots = temporaryDirectory(t)
  chmodSync(roots, 0o755)
  const lock = await lockDataDir(roots)
  const refused = await lockElsewhere(t, roots, user)
  match(refused.said, /^(bad-setting|data-dir-locked): /)
  await lock.release()
})

async function canRunAs(user: { readonly uid: number; readonly gid: number }): Promise<boolean> {
  const program = `await import(${JSON.stringify(MODULE)})`
  const child = spawn(process.execPath, ['--input-type=module', '-e', program], {
    stdio: 'ignore',
    ...user,
  })
  return new Promise((resolve) => {
    child.once('error', () => resolve(false))
    child.once('exit', (code) => resolve(code === 0))
  })
}
