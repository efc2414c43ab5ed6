import { deepEqual, equal, ok } from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { type GroupMember, type Shares, sharePartitions } from './partition-shares.ts'

const TOPICS = new Map([
  ['alerts', 8],
  ['trips', 8],
  ['truck-readings', 8],
])

type Owned = Readonly<Record<string, readonly number[]>>

function member(owned: Owned = {}, generation = 1): GroupMember {
  return { topics: new Set(TOPICS.keys()), owned: new Map(Object.entries(owned)), generation }
}

/** Members go on with what they were given until nothing moves any more. */
function settle(ids: readonly string[], from: Shares = new Map(), topics = TOPICS): Shares {
  let shares = from
  for (let round = 1; ; round++) {
    ok(round < 10, 'it settles')
    const members = new Map(
      ids.map((id) => {
        const owned = shares.get(id) ?? new Map<string, readonly number[]>()
        return [
          id,
          { topics: new Set(topics.keys()), owned, generation: owned.size > 0 ? round : -1 },
        ]
      }),
    )
    const next = sharePartitions(members, topics)
    if (textOf(next) === textOf(shares)) return next
    shares = next
  }
}

function textOf(shares: Shares): string {
  return JSON.stringify([...shares].map(([id, topics]) => [id, [...topics].sort()]).sort())
}

test('each topic is dealt out evenly, also to a member that comes later', () => {
  const two = settle(['one', 'two'], settle(['one']))
  for (const topic of TOPICS.keys()) {
    equal(two.get('one')?.get(topic)?.length, 4, topic)
    equal(two.get('two')?.get(topic)?.length, 4, topic)
  }
  const four = settle(['one', 'two', 'three', 'four'], two)
  for (const shares of four.values()) {
    for (const topic of TOPICS.keys()) equal(shares.get(topic)?.length, 2, topic)
  }
})

test('a partition that moves is nobody’s until its owner has let go of it', () => {
  const all = { 'truck-readings': [0, 1, 2, 3, 4, 5, 6, 7] }
  const first = sharePartitions(
    new Map([
      ['one', member(all)],
      ['two', member({}, -1)],
    ]),
    new Map([['truck-readings', 8]]),
  )
  deepEqual(first.get('one')?.get('truck-readings'), [0, 1, 2, 3])
  equal(first.get('two')?.get('truck-readings'), undefined)
})

test('one that two members claim is given to nobody at first', () => {
  const shares = sharePartitions(
    new Map([
      ['one', member({ trips: [0, 1] })],
      ['two', member({ trips: [1] })],
    ]),
    new Map([['trips', 2]]),
  )
  deepEqual(
    [...shares.values()].flatMap((topics) => topics.get('trips') ?? []),
    [0],
  )
})

test('what a member held before it was given up counts for nothing', () => {
  const shares = sharePartitions(
    new Map([
      ['one', member({ trips: [0, 1, 2] }, 7)],
      ['two', member({ trips: [0, 1, 2, 3] }, 6)],
    ]),
    new Map([['trips', 4]]),
  )
  deepEqual(shares.get('one')?.get('trips'), [0, 1])
  deepEqual(shares.get('two')?.get('trips'), [3])
})

test('whoever remains keeps what it has', () => {
  const three = settle(['one', 'two', 'three'])
  const two = settle(['one', 'three'], three)
  for (const id of ['one', 'three']) {
    for (const [topic, partitions] of three.get(id) ?? []) {
      const kept = two.get(id)?.get(topic) ?? []
      ok(
        partitions.every((partition) => kept.includes(partition)),
        `${id} ${topic}`,
      )
    }
  }
})

test('whoever comes and goes, all partitions have one owner and none has two more than another', () => {
  const group = fc.uniqueArray(fc.constantFrom('a', 'b', 'c', 'd', 'e'), { minLength: 1 })
  const counts = fc.array(fc.integer({ min: 1, max: 9 }), { minLength: 1, maxLength: 5 })
  fc.assert(
    fc.property(fc.array(group, { minLength: 1, maxLength: 6 }), counts, (groups, partitions) => {
      const topics = new Map(partitions.map((count, index) => [`topic-${index}`, count]))
      let shares: Shares = new Map()
      for (const ids of groups) {
        shares = settle(ids, shares, topics)
        for (const [topic, count] of topics) {
          const sizes = ids.map((id) => shares.get(id)?.get(topic)?.length ?? 0)
          ok(Math.max(...sizes) - Math.min(...sizes) <= 1)
          const given = ids.flatMap((id) => shares.get(id)?.get(topic) ?? [])
          deepEqual(
            given.sort((a, b) => a - b),
            Array.from({ length: count }, (_, partition) => partition),
          )
        }
        const totals = ids.map((id) =>
          [...(shares.get(id)?.values() ?? [])].reduce((sum, { length }) => sum + length, 0),
        )
        ok(Math.max(...totals) - Math.min(...totals) <= 1, 'also in all')
      }
    }),
  )
})
