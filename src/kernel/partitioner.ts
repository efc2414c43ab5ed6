// Key to partition as Apache Kafka's own clients do it, so that a key keeps its partition on any log.

/** Murmur2 over the UTF-8 bytes of a key, as a signed 32-bit integer. Source: Kafka's `Utils.murmur2`. */
export function murmur2(bytes: Uint8Array): number {
  const length = bytes.length
  const mixer = 0x5bd1e995
  let hash = 0x9747b28c ^ length
  const words = length >> 2
  for (let word = 0; word < words; word++) {
    const at = word << 2
    let k = byteAt(bytes, at) | (byteAt(bytes, at + 1) << 8) | (byteAt(bytes, at + 2) << 16)
    k |= byteAt(bytes, at + 3) << 24
    k = Math.imul(k, mixer)
    k ^= k >>> 24
    hash = Math.imul(hash, mixer) ^ Math.imul(k, mixer)
  }
  const tail = length & ~3
  const left = length & 3
  if (left >= 3) hash ^= byteAt(bytes, tail + 2) << 16
  if (left >= 2) hash ^= byteAt(bytes, tail + 1) << 8
  if (left >= 1) {
    hash ^= byteAt(bytes, tail)
    hash = Math.imul(hash, mixer)
  }
  hash ^= hash >>> 13
  hash = Math.imul(hash, mixer)
  return hash ^ (hash >>> 15)
}

function byteAt(bytes: Uint8Array, index: number): number {
  return bytes[index] ?? 0
}

const encoder = new TextEncoder()

/** The partition, 0 to `partitions` − 1, that a key belongs to. */
export function partitionOf(key: string, partitions: number): number {
  return (murmur2(encoder.encode(key)) & 0x7fffffff) % partitions
}
