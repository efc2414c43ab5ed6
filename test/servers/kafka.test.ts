import { equal, ok } from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { existsSync, readlinkSync } from 'node:fs'
import { test } from 'node:test'
import { Admin } from '@platformatic/kafka'
import { startKafka } from './kafka.ts'
import { kafkaOrSkip } from './shared-kafka.ts'

const MODULE = new URL('./kafka.ts', import.meta.url).href
const TIMEOUT_MS = 120_000

test('three brokers form one cluster, lose one and take it back', {
  timeout: TIMEOUT_MS,
}, async (t) => {
  if (!kafkaOrSkip(t)) return
  const kafka = await startKafka({ brokers: 3 })
  t.after(() => kafka.stop())
  const admin = new Admin({ clientId: 'test', bootstrapBrokers: [...kafka.addresses], retries: 20 })
  t.after(() => admin.close())
  const known = async (): Promise<number> => {
    const { brokers } = await admin.metadata({ topics: [], forceUpdate: true })
    return brokers.size
  }
  const until = async (count: number): Promise<void> => {
    while ((await known()) !== count) await new Promise((resolve) => setTimeout(resolve, 100))
  }
  await until(3)
  await kafka.brokers[2]?.node().kill()
  equal(kafka.brokers[2]?.node().running(), false)
  await until(2)
  await kafka.brokers[2]?.restart()
  await until(3)
})

test('a server ends when the process that started it is killed', {
  timeout: TIMEOUT_MS,
}, async (t) => {
  if (!kafkaOrSkip(t)) return
  const program = `
    const { startKafka } = await import(${JSON.stringify(MODULE)})
    const kafka = await startKafka()
    console.log('pid', kafka.brokers[0].node().pid)
    setInterval(() => undefined, 1000)`
  const { NODE_TEST_CONTEXT: _, ...env } = process.env
  const child = spawn(process.execPath, ['--input-type=module', '-e', program], { env })
  t.after(() => child.kill('SIGKILL'))
  let output = ''
  for (const stream of [child.stdout, child.stderr]) {
    stream.on('data', (text: Buffer) => {
      output += text
    })
  }
  const until = async (what: () => boolean): Promise<void> => {
    while (!what()) await new Promise((resolve) => setTimeout(resolve, 50))
  }
  await until(() => /pid \d+/.test(output) || child.exitCode !== null)
  const pid = Number(/pid (\d+)/.exec(output)?.[1])
  ok(pid > 0, output)
  child.kill('SIGKILL')
  await until(() => !isRunning(pid))
})

function isRunning(pid: number): boolean {
  try {
    process.kill(pid, 0)
    // A dead process that nobody has waited for has no program any more.
    return !existsSync('/proc') || readlinkSync(`/proc/${pid}/exe`) !== ''
  } catch {
    return false
  }
}
