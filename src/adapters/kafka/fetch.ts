// The two questions that reading asks a broker: what is there from an offset on, and where a partition
// begins and ends. Without a fetch session, so that an answer depends on nothing but the question.
//
// Version 12 of Fetch is in every broker from 2.7 on and names topics by name. Its records are decoded here and
// not by the client, which checks no checksum and lets records of failed transactions through where
// one producer had several, or where their end has not come yet.

import { type Connection, fetchV12, listOffsetsV7, type Reader } from '@platformatic/kafka'
import type { DurationMs } from '../../kernel/time.ts'
import type { AbortedTransaction } from './record-batch.ts'

const FETCH = { key: 1, version: 12 } as const
const READ_COMMITTED = 1
const NO_SESSION = { id: 0, epoch: -1 } as const
const ANY_EPOCH = -1

export interface FetchPlace {
  readonly topic: string
  readonly partition: number
  readonly offset: number
  readonly maxBytes: number
}

export interface FetchQuestion {
  /** How long the broker waits for a first record. */
  readonly maxWaitMs: DurationMs
  readonly maxBytes: number
  readonly places: readonly FetchPlace[]
}

export interface FetchedPartition {
  readonly topic: string
  readonly partition: number
  readonly errorCode: number
  readonly aborted: readonly AbortedTransaction[]
  /** Record batches; the first may begin before the offset asked for. */
  readonly bytes: Buffer
}

export function fetchRecords(
  connection: Connection,
  { maxWaitMs, maxBytes, places }: FetchQuestion,
): Promise<readonly FetchedPartition[]> {
  const topics = [...Map.groupBy(places, ({ topic }) => topic)].map(([topicId, wanted]) => ({
    topicId,
    partitions: wanted.map((place) => ({
      partition: place.partition,
      currentLeaderEpoch: ANY_EPOCH,
      fetchOffset: BigInt(place.offset),
      lastFetchedEpoch: ANY_EPOCH,
      partitionMaxBytes: place.maxBytes,
    })),
  }))
  const { id, epoch } = NO_SESSION
  return new Promise((resolve, reject) => {
    connection.send(
      FETCH.key,
      FETCH.version,
      () =>
        fetchV12.createRequest(maxWaitMs, 1, maxBytes, READ_COMMITTED, id, epoch, topics, [], ''),
      (_correlation, _key, _version, reader) => readAnswer(reader),
      true,
      true,
      (error, answer) => (error === null ? resolve(answer ?? []) : reject(error)),
    )
  })
}

function readAnswer(reader: Reader): readonly FetchedPartition[] {
  reader.readInt32()
  const errorCode = reader.readInt16()
  reader.readInt32()
  const found: FetchedPartition[] = []
  reader.readArray((topicReader) => {
    const topic = topicReader.readString()
    topicReader.readArray((r) => {
      const partition = readPartition(r, topic)
      found.push(errorCode === 0 ? partition : { ...partition, errorCode })
      return partition
    }, true)
    return topic
  }, true)
  return found
}

function readPartition(reader: Reader, topic: string): FetchedPartition {
  const partition = reader.readInt32()
  const errorCode = reader.readInt16()
  reader.readInt64()
  reader.readInt64()
  reader.readInt64()
  const aborted =
    reader.readNullableArray((r) => ({
      producerId: Number(r.readInt64()),
      firstOffset: Number(r.readInt64()),
    })) ?? []
  reader.readInt32()
  const size = Math.max(0, reader.readUnsignedVarInt() - 1)
  const bytes = reader.buffer.slice(reader.position, reader.position + size)
  reader.skip(size)
  return { topic, partition, errorCode, aborted, bytes }
}

/** First kept, or next to be written as far as committed transactions go. */
export type OffsetKind = 'earliest' | 'latest'

const TIMESTAMP: Readonly<Record<OffsetKind, bigint>> = { earliest: -2n, latest: -1n }

export interface FoundOffset {
  readonly errorCode: number
  readonly offset: number
}

export async function findOffset(
  connection: Connection,
  place: { readonly topic: string; readonly partition: number },
  kind: OffsetKind,
): Promise<FoundOffset> {
  const places = { topic: place.topic, partitions: [place.partition] }
  const [found] = await findOffsets(connection, places, kind)
  return { errorCode: found?.errorCode ?? 0, offset: found?.offset ?? -1 }
}

/** Of several partitions that the broker leads; rejects as a whole where it refuses one of them. */
export async function findOffsets(
  connection: Connection,
  { topic, partitions }: { readonly topic: string; readonly partitions: readonly number[] },
  kind: OffsetKind,
): Promise<readonly (FoundOffset & { readonly partition: number })[]> {
  const { topics } = await listOffsetsV7.api.async(connection, -1, READ_COMMITTED, [
    {
      name: topic,
      partitions: partitions.map((partitionIndex) => ({
        ...{ partitionIndex, currentLeaderEpoch: ANY_EPOCH, timestamp: TIMESTAMP[kind] },
      })),
    },
  ])
  return (topics[0]?.partitions ?? []).map(({ partitionIndex, errorCode, offset }) => ({
    ...{ partition: partitionIndex, errorCode, offset: Number(offset) },
  }))
}
