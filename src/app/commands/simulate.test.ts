import assert from 'node:assert/strict'
import { type ChildProcessByStdio, spawn } from 'node:child_process'
import { once } from 'node:events'
import { createServer } from 'node:http'
import type { Readable } from 'node:stream'
import { text } from 'node:stream/consumers'
import { test } from 'node:test'
import { truckReadings } from '../../domains/cold-chain/events.ts'

const COMMAND = new URL('./simulate.ts', import.meta.url).href
const COMMANDER = import.meta.resolve('commander')
const ENTRY = `
  import { Command } from '${COMMANDER}'
  import { registerSimulate } from '${COMMAND}'
  const program = new Command('outrider')
  registerSimulate(program)
  await program.parseAsync(process.argv.slice(1), { from: 'user' })
`

function start(...args: readonly string[]): ChildProcessByStdio<null, Readable, Readable> {
  return spawn(process.execPath, ['--input-type=module', '-e', ENTRY, '--', 'simulate', ...args], {
    stdio: ['ignore', 'pipe', 'pipe'],
  })
}

async function run(...args: readonly string[]) {
  const child = start(...args)
  const [stdout, stderr, [code]] = await Promise.all([
    text(child.stdout),
    text(child.stderr),
    once(child, 'close'),
  ])
  return { stdout, stderr, code }
}

test('standard output has the events asked for, the same for the same seed', async () => {
  const args = ['cold-chain', '--to', '-', '--count', '5000', '--faults', 'late,duplicate']
  const [one, again, other] = await Promise.all([
    run(...args, '--seed', '5'),
    run(...args, '--seed', '5'),
    run(...args, '--seed', '6'),
  ])
  assert.equal(one.code, 0, one.stderr)
  const lines = one.stdout.split('\n').slice(0, -1)
  assert.equal(lines.length, 5_000)
  assert.ok(lines.every((line) => truckReadings.parse(JSON.parse(line)).ok))
  assert.equal(again.stdout, one.stdout)
  assert.notEqual(other.stdout, one.stdout)
})

test('wrong usage exits 2 and says what is wrong', async () => {
  const wrong: readonly (readonly [readonly string[], RegExp])[] = [
    [['boats'], /cannot simulate 'boats'; choose cold-chain, vehicles.*, all/],
    [['arrivals', '--to', 'kafka'], /makes appointments, which Kafka does not carry/],
    [['all', '--to', 'ftp://here'], /must be an http\(s\) URL/],
    [['all', '--rate', 'fast', '--count', '0'], /--rate must be.*--count must be/],
    [['all', '--faults', 'late,early'], /not 'early'/],
    [['all', '--vehicles', '0'], /--vehicles must be/],
    [['all', '--start', '2099-01-01T00:00:00Z'], /lies in the future/],
    [['cold-chain', '--rate', '10000/s', '--vehicles', '2'], /every 0\.2 ms/],
  ]
  await Promise.all(
    wrong.map(async ([args, message]) => {
      const { code, stderr, stdout } = await run(...args)
      assert.equal(code, 2, stderr)
      assert.match(stderr, message)
      assert.equal(stdout, '')
    }),
  )
})

test('a reader that goes away ends the command without an error', async () => {
  const child = start('all', '--to', '-')
  child.stdout.once('data', () => child.stdout.destroy())
  const [stderr, [code]] = await Promise.all([text(child.stderr), once(child, 'close')])
  assert.deepEqual([code, stderr], [0, ''])
})

test('events are posted to a server, and Ctrl-C ends with a summary', async () => {
  let events = 0
  const stop = new AbortController()
  const server = createServer((request, response) => {
    void text(request).then((body) => {
      const accepted = body.split('\n').length - 1
      events += accepted
      response.writeHead(202).end(JSON.stringify({ accepted, rejected: [] }))
      if (events > 100) stop.abort()
    })
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  const address = server.address()
  assert.ok(typeof address === 'object' && address !== null)
  const child = start('cold-chain', '--rate', '500/s', '--to', `http://127.0.0.1:${address.port}`)
  stop.signal.addEventListener('abort', () => child.kill('SIGINT'), { once: true })
  const [stderr, [code]] = await Promise.all([text(child.stderr), once(child, 'close')])
  server.closeAllConnections()
  server.close()
  assert.equal(code, 0, stderr)
  const summary = /^Sent ([\d,]+) events in .* ([\d,]+) accepted, 0 rejected\.\n$/.exec(stderr)
  assert.equal(Number(summary?.[1]?.replaceAll(',', '')), events)
  assert.equal(summary?.[2], summary?.[1])
})
