// Several statements in one round trip: the fence, the rows of COPY after it, and the end of the
// transaction where nothing follows. pg sees an ordinary query.

import type { Connection } from 'pg'

/** Counted by the tag that a statement ends with, such as `UPDATE 1`. */
const TAG = /^([A-Z]+).* (\d+)$/
const COPY_HEADER = Buffer.concat([Buffer.from('PGCOPY\n\xff\r\n\0', 'latin1'), Buffer.alloc(8)])
const COPY_TRAILER = Buffer.from([0xff, 0xff])
const COPY_DATA = 0x64
const COPY_DONE = Buffer.from([0x63, 0, 0, 0, 4])
const COPY_FAIL = Buffer.concat([Buffer.from([0x66, 0, 0, 0, 11]), Buffer.from('fenced\0')])
/** Longest body of one message; the server refuses a gigabyte, and takes whole messages into memory. */
const MAX_MESSAGE_BYTES = 4 * 1024 * 1024

/** Rows of one COPY in binary form, without header and trailer. */
export type CopyRows = readonly Buffer[]

export interface CopyBatch {
  /** Statements, the fence being the first UPDATE; as many COPY … FROM STDIN as there are `copies`. */
  readonly sql: string
  /** Rows that the fence must move. */
  readonly fences: number
  readonly copies: readonly CopyRows[]
}

export type CopyBatchOutcome = 'done' | 'fenced'

/**
 * A query for pg's `client.query()`; `outcome` settles once the server has answered to all of it.
 *
 * Where the fence moved fewer rows than it must, nothing is sent and the outcome is `fenced`: the transaction is then
 * open and failed, and the caller rolls it back.
 */
export class CopyBatchQuery {
  readonly outcome: Promise<CopyBatchOutcome>
  /** pg replaces it to learn that the query ended, and calls it with an error at its time limit. */
  callback: (error?: Error) => void = () => undefined
  readonly #batch: CopyBatch
  #copies = 0
  #fenced = false
  #resolve: (outcome: CopyBatchOutcome) => void = () => undefined
  #reject: (error: Error) => void = () => undefined

  constructor(batch: CopyBatch) {
    this.#batch = batch
    this.outcome = new Promise((resolve, reject) => {
      this.#resolve = resolve
      this.#reject = reject
    })
  }

  submit(connection: Connection): void {
    connection.query(this.#batch.sql)
  }

  handleCommandComplete(message: { readonly text: string }): void {
    const [, command, count] = TAG.exec(message.text) ?? []
    if (command === 'UPDATE' && Number(count) < this.#batch.fences) this.#fenced = true
  }

  /** What a fence returns tells nothing that its tag does not. */
  handleRowDescription(): void {}

  handleDataRow(): void {}

  handleCopyInResponse(connection: Connection): void {
    const rows = this.#batch.copies[this.#copies++]
    if (this.#fenced || rows === undefined) connection.stream.write(COPY_FAIL)
    else sendRows(connection, rows)
  }

  handleError(error: Error): void {
    this.callback()
    if (this.#fenced) this.#resolve('fenced')
    else this.#reject(error)
  }

  handleReadyForQuery(): void {
    this.callback()
    this.#resolve(this.#fenced ? 'fenced' : 'done')
  }
}

/** All of it in one write: a small batch is one packet. */
function sendRows({ stream }: Connection, rows: CopyRows): void {
  stream.cork()
  let message: Buffer[] = [COPY_HEADER]
  let bytes = COPY_HEADER.length
  for (const piece of [...rows, COPY_TRAILER]) {
    if (bytes + piece.length > MAX_MESSAGE_BYTES) {
      sendMessage(stream, message, bytes)
      message = []
      bytes = 0
    }
    message.push(piece)
    bytes += piece.length
  }
  sendMessage(stream, message, bytes)
  stream.write(COPY_DONE)
  stream.uncork()
}

function sendMessage(stream: Connection['stream'], pieces: readonly Buffer[], bytes: number): void {
  const head = Buffer.alloc(5)
  head[0] = COPY_DATA
  head.writeUInt32BE(bytes + 4, 1)
  stream.write(head)
  for (const piece of pieces) stream.write(piece)
}
