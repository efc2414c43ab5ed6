// Sends record batches to brokers: one request under way to each, with the batches of all partitions that wait for
// it. A broker answers the requests of a connection one after the other anyway, and most of what a request
// costs, there and at its replicas, it costs once, however many partitions it carries.

import { type Reader, Writer } from '@platformatic/kafka'
import type { KafkaCluster, Leader } from './kafka-cluster.ts'
import { placeName } from './record-watch.ts'

const PRODUCE = { key: 0, version: 9, acksOfAll: -1, timeoutMs: 8_000 } as const
/** A request is closed before it is longer; brokers take 100 MiB. */
const MAX_REQUEST_BYTES = 8 * 1024 * 1024

export interface Parcel {
  readonly topic: string
  readonly partition: number
  /** One record batch. */
  readonly bytes: Buffer
}

interface Sending extends Parcel {
  readonly resolve: (code: number) => void
  readonly reject: (error: unknown) => void
}

/** What waits for a broker. */
interface Dispatch {
  waiting: Sending[]
  busy: boolean
}

export class ProduceRequests {
  readonly #cluster: KafkaCluster
  readonly #dispatches = new Map<number, Dispatch>()

  constructor(cluster: KafkaCluster) {
    this.#cluster = cluster
  }

  /**
   * Resolves with the code that the broker answered for the partition; rejects where there was no answer, and then
   * it may have been written. Of each partition one parcel at a time.
   */
  send(leader: Leader, parcel: Parcel): Promise<number> {
    let dispatch = this.#dispatches.get(leader.id)
    if (dispatch === undefined) {
      dispatch = { waiting: [], busy: false }
      this.#dispatches.set(leader.id, dispatch)
    }
    const { waiting, busy } = dispatch
    const sent = new Promise<number>((resolve, reject) => {
      waiting.push({ ...parcel, resolve, reject })
    })
    if (!busy) {
      dispatch.busy = true
      // What comes in the same turn of the event loop goes with it.
      setImmediate(() => void this.#empty(leader, dispatch))
    }
    return sent
  }

  async #empty(leader: Leader, dispatch: Dispatch): Promise<void> {
    while (dispatch.waiting.length > 0) {
      const sendings = takeRequest(dispatch)
      try {
        const codes = await this.#request(leader, sendings)
        for (const { topic, partition, resolve, reject } of sendings) {
          const code = codes.get(placeName(topic, partition))
          if (code !== undefined) resolve(code)
          else reject(new Error(`The broker said nothing about "${topic}" partition ${partition}.`))
        }
      } catch (error) {
        // What waits has not been sent, and its partition may have another leader by now.
        for (const { reject } of [...sendings, ...dispatch.waiting.splice(0)]) reject(error)
      }
    }
    dispatch.busy = false
  }

  async #request(
    leader: Leader,
    sendings: readonly Parcel[],
  ): Promise<ReadonlyMap<string, number>> {
    const connection = await this.#cluster.connection('produce', leader)
    return new Promise((resolve, reject) => {
      connection.send(
        PRODUCE.key,
        PRODUCE.version,
        () => produceRequest(sendings),
        (_correlation, _key, _version, reader) => readAnswer(reader),
        true,
        true,
        (error, codes) => (error === null ? resolve(codes ?? new Map()) : reject(error)),
      )
    })
  }
}

function takeRequest(dispatch: Dispatch): readonly Sending[] {
  let bytes = 0
  let count = 0
  for (const parcel of dispatch.waiting) {
    bytes += parcel.bytes.length
    if (count > 0 && bytes > MAX_REQUEST_BYTES) break
    count++
  }
  const taken = dispatch.waiting.slice(0, count)
  dispatch.waiting = dispatch.waiting.slice(count)
  return taken
}

function produceRequest(parcels: readonly Parcel[]): Writer {
  const topics = [...Map.groupBy(parcels, ({ topic }) => topic)]
  return Writer.create()
    .appendString(null)
    .appendInt16(PRODUCE.acksOfAll)
    .appendInt32(PRODUCE.timeoutMs)
    .appendArray(topics, (writer, [topic, its]) => {
      writer.appendString(topic).appendArray(its, (partitions, { partition, bytes }) => {
        partitions
          .appendInt32(partition)
          .appendUnsignedVarInt(bytes.length + 1)
          .append(bytes)
      })
    })
    .appendTaggedFields()
}

/** Codes by partition. */
function readAnswer(reader: Reader): ReadonlyMap<string, number> {
  const codes = new Map<string, number>()
  reader.readArray((topicReader) => {
    const topic = topicReader.readString()
    topicReader.readArray((r) => {
      const partition = r.readInt32()
      const code = r.readInt16()
      r.readInt64()
      r.readInt64()
      r.readInt64()
      r.readArray((errors) => {
        errors.readInt32()
        return errors.readNullableString()
      }, true)
      r.readNullableString()
      codes.set(placeName(topic, partition), code)
      return code
    }, true)
    return topic
  }, true)
  return codes
}
