// Every process of every role is restarted under load, then a task process is killed: nothing that was
// acknowledged is lost, every alert comes, and none waits longer than one reassignment of partitions.

import assert from 'node:assert/strict'
import { after, before, describe, it } from 'node:test'
import { runCommand } from '../program.ts'
import { requireOrSkip } from '../requirements.ts'
import { until } from '../waiting.ts'
import { type Cluster, type ClusterRole, clusterMissing, startCluster } from './cluster.ts'
import { startWarmTrucks, untilHeard, type WarmTrucks } from './warm-trucks.ts'

const PER_SECOND = 50
/** A member that leaves is replaced at once; one that is killed, after its session of six seconds. */
const REASSIGNMENT_MS = 10_000
const PATIENCE_MS = 30_000
const QUIET_MS = 3_000

const missing = clusterMissing()

describe('a cluster under load', { skip: missing ?? false }, () => {
  let cluster: Cluster
  let load: WarmTrucks

  before(async () => {
    cluster = await startCluster({ brokers: 1, doors: 2, tasks: 2, serve: 2 })
    const { address } = cluster.front
    load = startWarmTrucks({ doors: () => address, serve: () => address, perSecond: PER_SECOND })
  })
  after(() => cluster?.stop())

  const longestWait = async (work: () => Promise<void>): Promise<number> => {
    const fromMs = performance.now()
    await work()
    const toMs = performance.now()
    await untilHeard(load, toMs, PATIENCE_MS)
    return Math.max(...load.waitsMs(fromMs - QUIET_MS, toMs))
  }

  for (const role of ['doors', 'tasks', 'serve'] satisfies ClusterRole[]) {
    it(`restarts its ${role} one after the other, and no alert waits for longer than a reassignment`, async (t) => {
      const waitMs = await longestWait(async () => {
        for (const program of cluster.processes(role)) {
          const startedMs = performance.now()
          await cluster.remove(program, 'stop')
          assert.ok(performance.now() - startedMs < 10_000, 'it ended in time')
          assert.equal(program.process.exitCode, 0)
          await cluster.add(role)
        }
      })
      t.diagnostic(`longest wait of an alert while ${role} restarted: ${Math.round(waitMs)} ms`)
      assert.ok(waitMs < REASSIGNMENT_MS, `${waitMs} ms`)
    })
  }

  it('loses a task process by kill -9, and the other one takes over', async (t) => {
    const [victim] = cluster.processes('tasks')
    assert.ok(victim !== undefined)
    const waitMs = await longestWait(async () => {
      await cluster.remove(victim, 'kill')
      const sent = load.trucks.size
      await until('more was sent', () => load.trucks.size > sent + PER_SECOND * 3)
    })
    t.diagnostic(`longest wait of an alert after the kill: ${Math.round(waitMs)} ms`)
    assert.ok(waitMs < REASSIGNMENT_MS, `${waitMs} ms`)
  })

  it('has every alert and an archive without gap or repeat', async (t) => {
    await load.finish(PATIENCE_MS)
    const waits = [...load.waitsMs(0, Number.POSITIVE_INFINITY)].sort((a, b) => a - b)
    t.diagnostic(
      `${waits.length} alerts; median wait ${Math.round(waits[waits.length >> 1] ?? 0)} ms`,
    )
    const { ended, resumed } = load.reconnects
    t.diagnostic(`the feed ended ${ended} times and went on without a snapshot ${resumed} times`)
    assert.ok(ended >= 1, 'servers ended their streams')
    assert.ok(resumed >= 1, 'a client went on at another server')
    const verified = await runCommand(['verify', '--json'], { ...cluster.settings })
    assert.equal(verified.code, 0, verified.stdout + verified.stderr)
  })
})

it('a cluster needs its servers to be tested', (t) => {
  requireOrSkip(t, 'servers', missing === undefined, missing ?? '')
})
