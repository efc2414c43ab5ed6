import assert from 'node:assert/strict'
import { createServer } from 'node:net'
import { test } from 'node:test'
import { freePorts } from './free-ports.ts'
import { holding, holdName, isFreePort } from './held-names.ts'

const linux = process.platform === 'linux'

test('a name is held by one at a time, and free again once it is let go', {
  skip: linux ? false : 'only Linux has such names',
}, async () => {
  const name = `test-${process.pid}`
  const first = await holdName(name)
  assert.ok(first !== undefined)
  assert.equal(await holdName(name), undefined)
  const order: string[] = []
  const waiting = holding(name, async () => order.push('second'))
  order.push('first')
  await first.release()
  await waiting
  assert.deepEqual(order, ['first', 'second'])
  const third = await holdName(name)
  assert.ok(third !== undefined)
  await third.release()
})

test('ports are all different, free, and not among those the kernel gives away', async () => {
  const lists = await Promise.all(Array.from({ length: 5 }, () => freePorts(20)))
  const ports = lists.flat()
  assert.equal(new Set(ports).size, 100)
  const anyPort = createServer()
  await new Promise<void>((resolve) => anyPort.listen(0, '127.0.0.1', resolve))
  const address = anyPort.address()
  const given = typeof address === 'object' && address !== null ? address.port : 0
  assert.equal(await isFreePort(given), false)
  await new Promise((resolve) => anyPort.close(resolve))
  if (linux) assert.ok(ports.every((port) => port < given))
  for (const port of ports) assert.equal(await isFreePort(port), true, String(port))
})
