// Who of a group gets which partitions: each topic dealt out evenly by itself, and as many as possible left where
// they are. Counted over all topics together, as assignors of Kafka do, one member may get the whole of the
// one topic that is busy, and further members add nothing.

export interface GroupMember {
  readonly topics: ReadonlySet<string>
  /** What it held, by topic. */
  readonly owned: ReadonlyMap<string, readonly number[]>
  /** Of the assignment it holds that from; an older one than the others' counts for nothing. */
  readonly generation: number
}

/** By member, then by topic. */
export type Shares = ReadonlyMap<string, ReadonlyMap<string, readonly number[]>>

/**
 * A partition that moves is given to nobody this time: its owner lets go of it, joins again, and then the new
 * owner gets it. So nobody has it before its last owner is done (the cooperative protocol, KIP-429). The same
 * members with the same partitions are given the same again.
 */
export function sharePartitions(
  members: ReadonlyMap<string, GroupMember>,
  partitionCounts: ReadonlyMap<string, number>,
): Shares {
  const ids = [...members.keys()].sort()
  const newest = Math.max(-1, ...Array.from(members.values(), ({ generation }) => generation))
  const shares = new Map(ids.map((id) => [id, new Map<string, readonly number[]>()]))
  const totals = new Map(ids.map((id) => [id, 0]))
  for (const [topic, count] of [...partitionCounts].sort(([a], [b]) => (a < b ? -1 : 1))) {
    const readers = ids.filter((id) => members.get(id)?.topics.has(topic) === true)
    if (readers.length === 0) continue
    const claims = claimsOf(topic, count, members, newest)
    for (const [id, partitions] of dealOut(readers, count, claims, totals)) {
      totals.set(id, (totals.get(id) ?? 0) + partitions.length)
      const free = partitions.filter((partition) =>
        (claims[partition] ?? []).every((owner) => owner === id),
      )
      if (free.length > 0) shares.get(id)?.set(topic, free)
    }
  }
  return shares
}

/** Which members say that they hold each partition; more than one where the group lost track. */
function claimsOf(
  topic: string,
  count: number,
  members: ReadonlyMap<string, GroupMember>,
  newest: number,
): readonly (readonly string[])[] {
  const claims: string[][] = Array.from({ length: count }, () => [])
  for (const [id, { owned, generation }] of members) {
    if (generation < newest) continue
    for (const partition of owned.get(topic) ?? []) claims[partition]?.push(id)
  }
  return claims
}

/** All partitions of a topic among its readers, none with more than one above another. */
function dealOut(
  readers: readonly string[],
  count: number,
  claims: readonly (readonly string[])[],
  totals: ReadonlyMap<string, number>,
): ReadonlyMap<string, readonly number[]> {
  const held = new Map(readers.map((id) => [id, [] as number[]]))
  const open: number[] = []
  for (let partition = 0; partition < count; partition++) {
    const [owner, ...others] = claims[partition] ?? []
    const holder = owner === undefined || others.length > 0 ? undefined : held.get(owner)
    if (holder === undefined) open.push(partition)
    else holder.push(partition)
  }
  // What can't be dealt out evenly goes where least is in all, and of those where most of it is already.
  const order = [...readers].sort(
    (a, b) =>
      (totals.get(a) ?? 0) - (totals.get(b) ?? 0) ||
      (held.get(b)?.length ?? 0) - (held.get(a)?.length ?? 0) ||
      (a < b ? -1 : 1),
  )
  const quotas = new Map(
    order.map((id, place) => [
      id,
      Math.floor(count / readers.length) + (place < count % readers.length ? 1 : 0),
    ]),
  )
  for (const id of order) open.push(...(held.get(id)?.splice(quotas.get(id) ?? 0) ?? []))
  open.sort((a, b) => a - b)
  for (const id of order) {
    const partitions = held.get(id) ?? []
    partitions.push(...open.splice(0, (quotas.get(id) ?? 0) - partitions.length))
    partitions.sort((a, b) => a - b)
  }
  return held
}
