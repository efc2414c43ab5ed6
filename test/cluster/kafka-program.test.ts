// The real program on a real Kafka: what others write, what is killed, what is reset, what is cut away.

import assert from 'node:assert/strict'
import { after, before, describe, it } from 'node:test'
import { Producer } from '@platformatic/kafka'
import { systemClock } from '../../src/adapters/clock/system-clock.ts'
import { KafkaCluster } from '../../src/adapters/kafka/kafka-cluster.ts'
import type { PartitionAudit } from '../../src/app/verify.ts'
import { partitionOf } from '../../src/kernel/partitioner.ts'
import {
  type Program,
  type ProgramPlace,
  runCommand,
  startProgram,
  temporaryDataDir,
} from '../program.ts'
import { startKafka, type TestKafka } from '../servers/kafka.ts'
import { kafkaMissing } from '../servers/kafka-jars.ts'
import { until } from '../waiting.ts'
import { deleteTo, readTopic } from './topic-reader.ts'

const missing = kafkaMissing()
const TOPIC = 'truck-readings'

let minute = 0

function reading(truckId: string, temperatureC: number): string {
  minute += 1
  const recordedAt = new Date(Date.UTC(2026, 0, 1) + minute * 60_000).toISOString()
  return JSON.stringify({ truckId, recordedAt, temperatureC, profile: 'vaccine' })
}

async function send(address: string, events: readonly string[]): Promise<void> {
  const response = await fetch(`${address}/api/v1/events/${TOPIC}`, {
    method: 'POST',
    headers: { 'content-type': 'application/x-ndjson' },
    body: events.join('\n'),
  })
  assert.equal(response.status, 202, await response.text())
}

async function items(address: string, path: string): Promise<readonly Record<string, unknown>[]> {
  const response = await fetch(`${address}/api/v1/${path}`)
  return Object(await response.json()).items ?? []
}

describe('the program on Kafka', { skip: missing ?? false }, () => {
  const cleanups: (() => void)[] = []
  let kafka: TestKafka
  let cluster: KafkaCluster
  let program: Program
  let dataDir = ''
  const start = async (place: ProgramPlace = {}): Promise<void> => {
    program = await startProgram(dataDir, ['--no-simulate'], kafka.settings, place)
  }
  const audit = async (): Promise<Record<string, unknown>> => {
    const { code, stdout, stderr } = await runCommand(
      ['verify', '--json', '--data-dir', dataDir],
      kafka.settings,
    )
    assert.equal(code, 0, stdout + stderr)
    return Object(JSON.parse(stdout))
  }
  const archived = async (): Promise<number> => {
    const partitions = Object((await audit()).partitions)
    return partitions
      .filter(({ topic }: { topic: string }) => topic === TOPIC)
      .reduce((sum: number, { rows }: { rows: number }) => sum + rows, 0)
  }
  const foreign = async (values: readonly (string | Buffer)[], partition = 0): Promise<void> => {
    const producer = new Producer({ clientId: 'foreign', bootstrapBrokers: [...kafka.addresses] })
    await producer.send({
      messages: values.map((value) => ({ topic: TOPIC, partition, value: Buffer.from(value) })),
    })
    await producer.close()
  }

  before(async () => {
    dataDir = temporaryDataDir({ after: (work: () => void) => cleanups.push(work) })
    kafka = await startKafka()
    const address = { brokers: kafka.addresses, tls: null, sasl: null }
    cluster = new KafkaCluster(address, systemClock())
    await start()
  })
  after(async () => {
    await program?.stop()
    await cluster?.close()
    await kafka?.stop()
    for (const cleanup of cleanups) cleanup()
  })

  it('takes readings of other producers, keeps what is no reading, and goes on behind it', async () => {
    await foreign([
      reading('F-1', 9),
      'not a reading',
      Buffer.of(0, 159, 146, 150),
      reading('F-2', 5),
    ])
    await until('both readings are shown', async () => {
      const trucks = (await items(program.address, 'trucks')).map(({ truckId }) => truckId)
      return trucks.includes('F-1') && trucks.includes('F-2')
    })
    await until('the rest are dead letters', async () => {
      const letters = await items(program.address, 'dead-letters')
      return letters.filter(({ topic }) => topic === TOPIC).length === 2
    })
  })

  it('takes what is simulated into Kafka, by the keys of its cars, good and bad', async () => {
    const before = await audit()
    const flags = ['vehicles', '--to', 'kafka', '--count', '600', '--vehicles', '50']
    const options = ['--rate', '2000', '--faults', 'bad']
    const { code, stderr } = await runCommand(['simulate', ...flags, ...options], kafka.settings)
    assert.equal(code, 0, stderr)
    assert.match(stderr, /Sent 600 events .* 600 accepted, 0 rejected\./)
    const sum = (counts: Record<string, unknown>, of: 'rows' | 'deadLetters'): number =>
      Object(counts.partitions)
        .filter(({ topic }: { topic: string }) => topic === 'vehicle-telemetry')
        .reduce((total: number, each: Record<typeof of, number>) => total + each[of], 0)
    await until('all of it is archived or refused', async () => {
      const now = await audit()
      const rows = sum(now, 'rows') - sum(before, 'rows')
      const refused = sum(now, 'deadLetters') - sum(before, 'deadLetters')
      return rows > 500 && refused > 0 && rows + refused === 600
    })
    assert.equal((await items(program.address, 'vehicles?limit=500')).length, 50)
  })

  it('tells each alert to its topic, under a key by which a repeat is known', async () => {
    const found = await until('the alert', async () => {
      const [alert] = await items(program.address, 'alerts?entity=F-1')
      return alert !== undefined
    }).then(() => items(program.address, 'alerts?entity=F-1'))
    const id = String(found[0]?.id)
    await until('it is on the topic', async () => {
      const records = await readTopic(kafka, 'alerts')
      return records.some(
        ({ key, headers }) =>
          key === 'F-1' &&
          headers['outrider-alert-id'] === id &&
          headers['outrider-deduplication-key'] === `${id}:1`,
      )
    })
  })

  it('is found in order by doctor, and a wrong address is named', async () => {
    const examine = async (environment: NodeJS.ProcessEnv): Promise<string> => {
      const { stdout } = await runCommand(['doctor', '--data-dir', dataDir], environment)
      return stdout
    }
    assert.match(await examine(kafka.settings), /warning +kafka: 1 broker, (\d+) of \1 topics/)
    assert.match(
      await examine({ OUTRIDER_KAFKA_BROKERS: '127.0.0.1:1' }),
      /FAILED +kafka: .*127\.0\.0\.1:1 does not answer/,
    )
    assert.match(
      await examine({ ...kafka.settings, OUTRIDER_PARTITIONS: '9' }),
      /FAILED +kafka: Topic alerts has 8 partitions/,
    )
  })

  it('goes on at its checkpoint after a kill, whatever the group says', async () => {
    await send(
      program.address,
      Array.from({ length: 500 }, (_, n) => reading(`K-${n % 20}`, 5)),
    )
    await until('all is archived', async () => (await archived()) === 502)
    await program.kill()
    await send500AndKill()
    for (const offset of [0n, 10_000n]) {
      await until('the group is empty', async () => {
        await cluster.admin.alterConsumerGroupOffsets({
          groupId: 'outrider',
          topics: [
            {
              name: TOPIC,
              partitionOffsets: Array.from({ length: 8 }, (_, partition) => ({
                partition,
                offset,
              })),
            },
          ],
        })
        return true
      })
      await start()
      await until('all is archived', async () => (await archived()) === 1_002)
      await program.stop()
    }
    await start()
  })

  /** Acknowledged, and killed before it could be archived, or not. */
  async function send500AndKill(): Promise<void> {
    await start()
    await send(
      program.address,
      Array.from({ length: 500 }, (_, n) => reading(`K-${n % 20}`, 5)),
    )
    await program.kill()
  }

  it('says so where retention cut the log below a checkpoint, and the other partitions go on', async () => {
    // It lags while the records come and go, as a process would that was away for too long.
    program.process.kill('SIGSTOP')
    const { startOffset, other } = await cutPartition()
    program.process.kill('SIGCONT')
    await until('the reason is logged', () =>
      program.output().includes(`Kafka keeps ${startOffset} and later`),
    )
    await send(program.address, [reading(other, 3)])
    await until('the others go on', async () => {
      const trucks = await items(program.address, 'trucks')
      return trucks.some(({ truckId }) => truckId === other)
    })
    const verified = await run('verify')
    assert.equal(verified.code, 1)
    assert.equal(Object(JSON.parse(verified.stdout)).clean, false)
    const shown = await run('gaps')
    assert.equal(shown.code, 1)
    const [gap] = Object(JSON.parse(shown.stdout)).gaps
    assert.deepEqual(
      { ...gap, fromOffset: 0 },
      { pipeline: 'cold-chain', topic: TOPIC, partition: 0, fromOffset: 0, toOffset: startOffset },
    )
    assert.equal((await run('gaps', '--accept')).code, 0)
    await foreign([reading('C-1', 5)])
    await until('the task goes on behind the gap', async () => {
      const partition = partitionsOf(await run('verify')).find(
        (each) => each.topic === TOPIC && each.partition === 0,
      )
      return Number(partition?.committedOffset) > startOffset
    })
    const clean = await run('verify')
    assert.equal(clean.code, 0, clean.stdout)
    const kept = partitionsOf(clean).flatMap(({ accepted }) => accepted)
    assert.deepEqual(kept, [{ ...gap, acceptedAt: Object(kept[0]).acceptedAt }])
  })

  it('works on partitions that somebody adds, from their beginning', async () => {
    const topics = [{ name: TOPIC, count: 10 }]
    await cluster.admin.createPartitions({ topics })
    await foreign([reading('N-1', 5)], 9)
    await until('its reading is shown', async () => {
      const trucks = await items(program.address, 'trucks')
      return trucks.some(({ truckId }) => truckId === 'N-1')
    })
  })

  it('stops, and says so, where a topic was deleted and made again', async () => {
    await program.stop()
    await cluster.admin.deleteTopics({ topics: [TOPIC] })
    await start({ neverReady: true })
    await until('the reason is logged', () =>
      /database holds its events up to offset \d+, but the log of truck-readings ends at 0/.test(
        program.output(),
      ),
    )
    const response = await fetch(`${program.address}/readyz`)
    assert.equal(response.status, 503)
  })

  function run(command: string, ...flags: string[]): ReturnType<typeof runCommand> {
    return runCommand([command, ...flags, '--json', '--data-dir', dataDir], kafka.settings)
  }

  function partitionsOf({ stdout }: { readonly stdout: string }): readonly PartitionAudit[] {
    return Object(JSON.parse(stdout)).partitions
  }

  /** Records that nobody processed, deleted as retention would. */
  async function cutPartition(): Promise<{ startOffset: number; other: string }> {
    // What it asked for before it was stopped may bring it the first records, but nothing brings it those after.
    for (let round = 0; round < 2; round++) {
      await foreign(Array.from({ length: 10 }, () => reading('C-1', 5)))
    }
    const startOffset = await deleteTo(cluster, kafka, TOPIC, 0)
    const names = Array.from({ length: 100 }, (_, index) => `O-${index}`)
    const other = names.find((name) => partitionOf(name, 8) !== 0) ?? ''
    return { startOffset, other }
  }
})
