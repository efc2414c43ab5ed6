import { equal, ok } from 'node:assert/strict'
import { test } from 'node:test'
import { murmur2, partitionOf } from './partitioner.ts'

// Source: Apache Kafka, clients/src/test/java/org/apache/kafka/common/utils/UtilsTest.java, testMurmur2.
const VECTORS: readonly (readonly [string, number])[] = [
  ['21', -973932308],
  ['foobar', -790332482],
  ['a-little-bit-long-string', -985981536],
  ['a-little-bit-longer-string', -1486304829],
  ['lkjh234lh9fiuh90y23oiuhsafujhadof229phr9h19h89h8', -58897971],
  ['abc', 479470107],
]

for (const [key, hash] of VECTORS) {
  test(`murmur2 of "${key}" is what Kafka's own clients compute`, () => {
    equal(murmur2(new TextEncoder().encode(key)), hash)
  })
}

test('a key belongs to the positive hash modulo the number of partitions', () => {
  for (const [key, hash] of VECTORS) {
    for (const partitions of [1, 2, 7, 8, 100]) {
      equal(partitionOf(key, partitions), (hash & 0x7fffffff) % partitions)
    }
  }
})

test('a key outside ASCII is hashed by its UTF-8 bytes', () => {
  const bytes = Buffer.from('Kühlwagen-Ñ-東京')
  equal(partitionOf('Kühlwagen-Ñ-東京', 1_000), (murmur2(bytes) & 0x7fffffff) % 1_000)
})

test('ordinary keys spread over all partitions', () => {
  const counts = new Array<number>(8).fill(0)
  for (let truck = 0; truck < 8_000; truck++) {
    const partition = partitionOf(`truck-${truck}`, 8)
    counts[partition] = (counts[partition] ?? 0) + 1
  }
  for (const count of counts) ok(count > 800 && count < 1_200, `${counts}`)
})
