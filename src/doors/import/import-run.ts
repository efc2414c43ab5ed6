// One import: rows become events, events go out in batches, and what came of them is counted.

import { hash } from 'node:crypto'
import type { EpochMs } from '../../kernel/time.ts'
import type { Clock } from '../../ports/clock.ts'
import type { Rejection } from '../../streams/topic.ts'
import type { DeliveryOutcome } from '../ingest.ts'
import type { FileMapper, MappedRow, Mapping } from '../mapping.ts'
import type { EventSink, Settled } from './event-sink.ts'
import { type ByteSource, type Damage, openBytes } from './file-bytes.ts'
import type { ImportPosition, ImportProgress } from './import-progress.ts'
import { Pacer } from './pacer.ts'
import { openRows, type RowItem, UnreadableFile } from './rows.ts'

/** Events, and bytes, that are sent together. */
export const MAX_BATCH_EVENTS = 1_000
export const MAX_BATCH_BYTES = 1024 * 1024
/** Refused rows that the report names. */
export const MAX_REPORTED_ROWS = 10

export interface ImportOptions {
  /** Null: standard input. */
  readonly file: string | null
  /** As patterns of the mapping and the report see it. */
  readonly fileName: string
  readonly standardInput: AsyncIterable<Buffer>
  readonly mapping: Mapping
  readonly sink: EventSink
  readonly clock: Clock
  /** Event time passes so many times as fast as the clock; null: as fast as it goes. */
  readonly speedup: number | null
  /** Null where it cannot be resumed. */
  readonly progress: ImportProgress | null
  /** Begin anew, whatever an earlier try did. */
  readonly restart: boolean
  /** Stops between two batches. */
  readonly signal: AbortSignal
  readonly onProgress?: (state: ImportState) => void
}

export interface ImportState extends ImportPosition {
  /** Of the file itself. */
  readonly readBytes: number
}

export interface RefusedRow {
  /** From 1, the header not counted. */
  readonly row: number
  readonly code: string
  readonly message: string
  readonly path: string
}

export interface ImportReport extends ImportPosition {
  readonly refused: readonly RefusedRow[]
  readonly settled: Settled
  readonly resumedAfterRow: number
  readonly damage: Damage | null
  /** Bytes of a last row that a damaged file cut off. */
  readonly droppedBytes: number
  readonly interrupted: boolean
}

/** Rejects with `UnreadableFile` where nothing can be imported, and as the sink does. */
export async function runImport(options: ImportOptions): Promise<ImportReport> {
  const mapper = options.mapping.forFile(options.fileName)
  if (!mapper.ok) throw new UnreadableFile(`The mapping does not fit its name: ${mapper.error}.`)
  return new ImportRun(options, mapper.value).run()
}

interface Outgoing {
  readonly bytes: Buffer
  readonly row: number
  /** Why the row is no event, where we know before the door says so. */
  readonly reason: Rejection | UnmappableReason | null
  readonly recordedAtMs: EpochMs | null
  /** Fields that hold words. */
  readonly words: readonly string[]
}

interface UnmappableReason {
  readonly code: 'unmappable'
  readonly message: string
  readonly path: string
}

class ImportRun {
  readonly #options: ImportOptions
  readonly #mapper: FileMapper
  readonly #pacer: Pacer | null
  readonly #refused: RefusedRow[] = []
  #position: ImportPosition = { rows: 0, accepted: 0, rejected: 0, skipped: 0, words: {} }
  #tag: string | undefined
  #mapsEventId = false
  #first: EpochMs = Number.POSITIVE_INFINITY
  #last: EpochMs = Number.NEGATIVE_INFINITY
  #batch: Outgoing[] = []
  #batchBytes = 0
  #skipped = 0
  /** By this try alone. */
  #acceptedNow = 0
  /** The newest row that is in a batch, or was skipped. */
  #takenRow = 0
  /** The batch on its way; the next one is made meanwhile. */
  #onTheWay: Promise<void> = Promise.resolve()

  constructor(options: ImportOptions, mapper: FileMapper) {
    this.#options = options
    this.#mapper = mapper
    this.#pacer = options.speedup === null ? null : new Pacer(options.clock, options.speedup)
  }

  async run(): Promise<ImportReport> {
    const { options } = { options: this.#options }
    const bytes = openBytes(options.file, options.standardInput)
    const rows = openRows(bytes, { mapping: options.mapping, columns: this.#mapper.columns })
    const resumedAfterRow = await this.#resume()
    await options.sink.begin(options.mapping.topic.name)
    let read = 0
    for await (const items of rows.batches) {
      for (const item of items) {
        read++
        await this.#take(item, resumedAfterRow)
        if (options.signal.aborted) break
      }
      options.onProgress?.({ ...this.#position, readBytes: bytes.readBytes })
      if (options.signal.aborted) break
    }
    await this.#flush()
    await this.#onTheWay
    if (read === 0) throw emptyFile(bytes)
    return this.#report(resumedAfterRow, bytes.damage, rows.droppedBytes)
  }

  async #resume(): Promise<number> {
    const { progress, restart } = this.#options
    if (progress === null) return 0
    if (restart) await progress.remove()
    const position = await progress.load()
    if (position === null) return 0
    this.#position = position
    this.#skipped = position.skipped
    return position.rows
  }

  async #take(item: RowItem, resumedAfterRow: number): Promise<void> {
    const number = item.kind === 'row' ? item.row.number : item.number
    const mapped: MappedRow | null = item.kind === 'row' ? this.#mapper.map(item.row) : null
    this.#tag ??= tagOf(this.#options.mapping.name, item, mapped)
    if (number <= resumedAfterRow) return
    if (mapped?.kind === 'skipped') {
      this.#takenRow = number
      this.#skipped++
      return
    }
    const outgoing =
      item.kind === 'broken' ? this.#broken(item) : this.#outgoing(mapped, number, this.#tag)
    await this.#pace(outgoing)
    this.#batch.push(outgoing)
    this.#batchBytes += outgoing.bytes.length
    this.#takenRow = number
    if (this.#batch.length >= MAX_BATCH_EVENTS || this.#batchBytes >= MAX_BATCH_BYTES) {
      await this.#flush()
    }
  }

  #outgoing(mapped: MappedRow | null, row: number, tag: string): Outgoing {
    const fields = mapped === null || mapped.kind === 'skipped' ? {} : mapped.event
    if (mapped?.kind === 'unmappable') {
      const { field, message } = mapped
      const reason = {
        code: 'unmappable',
        message: `${field}: ${message}`,
        path: `/${field}`,
      } as const
      return this.#refusedRow(this.#withMarker(fields, field, message), row, reason)
    }
    if (fields.eventId !== undefined) this.#mapsEventId = true
    const event = { ...fields, eventId: fields.eventId ?? eventIdOf(fields, row, tag) }
    const judged = this.#options.mapping.topic.parse(event)
    if (!judged.ok) return this.#refusedRow(event, row, judged.error)
    const bytes = Buffer.from(JSON.stringify(event))
    const words = mapped?.kind === 'event' ? mapped.words : []
    return { bytes, row, reason: null, recordedAtMs: judged.value.recordedAtMs, words }
  }

  /** A problem outside any field, such as a condition that fails, must still make the door refuse it. */
  #withMarker(
    fields: Readonly<Record<string, unknown>>,
    field: string,
    reason: string,
  ): Readonly<Record<string, unknown>> {
    if (field in fields) return fields
    return { ...fields, [this.#options.mapping.mandatoryField]: { unmapped: null, reason } }
  }

  #broken({ number, problem, bytes }: Extract<RowItem, { kind: 'broken' }>): Outgoing {
    const unmapped = bytes.toString('utf8')
    const event = { [this.#options.mapping.mandatoryField]: { unmapped, reason: problem } }
    return this.#refusedRow(event, number, { code: 'unmappable', message: problem, path: '' })
  }

  #refusedRow(
    event: Readonly<Record<string, unknown>>,
    row: number,
    reason: Rejection | UnmappableReason,
  ): Outgoing {
    const importedFrom = { file: this.#options.fileName, row }
    const bytes = Buffer.from(JSON.stringify({ importedFrom, ...event }))
    return { bytes, row, reason, recordedAtMs: null, words: [] }
  }

  async #pace({ recordedAtMs }: Outgoing): Promise<void> {
    if (this.#pacer === null || recordedAtMs === null) return
    const waitMs = this.#pacer.waitMs(recordedAtMs)
    if (waitMs <= 0) return
    await this.#flush()
    await this.#options.clock.sleep(waitMs, this.#options.signal)
  }

  async #flush(): Promise<void> {
    await this.#onTheWay
    const batch = this.#batch
    if (batch.length === 0) return
    this.#batch = []
    this.#batchBytes = 0
    this.#onTheWay = this.#send(batch, this.#takenRow, this.#skipped)
    // Seen by whoever awaits it next; until then it must not count as unhandled.
    this.#onTheWay.catch(() => {})
  }

  async #send(batch: readonly Outgoing[], lastRow: number, skipped: number): Promise<void> {
    const { sink, mapping, progress } = this.#options
    const outcome = await sink.send(
      mapping.topic.name,
      batch.map(({ bytes }) => bytes),
    )
    const words = this.#countTimes(batch, outcome)
    this.#acceptedNow += outcome.accepted
    this.#position = {
      rows: lastRow,
      accepted: this.#position.accepted + outcome.accepted,
      rejected: this.#position.rejected + outcome.rejected.length,
      skipped,
      words,
    }
    await progress?.save(this.#position)
  }

  /** Returns how many rows hold words so far. */
  #countTimes(batch: readonly Outgoing[], { rejected }: DeliveryOutcome): ImportPosition['words'] {
    const refused = new Set<number>()
    for (const { index, code, message, path } of rejected) {
      refused.add(index)
      const outgoing = batch[index]
      if (outgoing === undefined || this.#refused.length >= MAX_REPORTED_ROWS) continue
      this.#refused.push({ row: outgoing.row, ...(outgoing.reason ?? { code, message, path }) })
    }
    const counts: Record<string, number> = { ...this.#position.words }
    batch.forEach(({ recordedAtMs, words }, index) => {
      if (recordedAtMs === null || refused.has(index)) return
      for (const field of words) counts[field] = (counts[field] ?? 0) + 1
      this.#first = Math.min(this.#first, recordedAtMs)
      this.#last = Math.max(this.#last, recordedAtMs)
    })
    return counts
  }

  async #report(
    resumedAfterRow: number,
    damage: Damage | null,
    droppedBytes: number,
  ): Promise<ImportReport> {
    const { sink, mapping, progress, signal } = this.#options
    const interrupted = signal.aborted
    if (!interrupted) await progress?.remove()
    const sentSome = this.#last >= this.#first
    const settled = interrupted
      ? { duplicates: null, note: 'Not counted: the import was interrupted.' }
      : await sink.settle({
          topic: mapping.topic.name,
          accepted: this.#acceptedNow,
          eventIdPrefix: this.#mapsEventId || this.#tag === undefined ? null : `${this.#tag}-`,
          recordedAtMs: sentSome ? { first: this.#first, last: this.#last } : null,
        })
    return {
      ...this.#position,
      skipped: this.#skipped,
      refused: this.#refused,
      settled,
      resumedAfterRow,
      damage,
      droppedBytes,
      interrupted,
    }
  }
}

function emptyFile(bytes: ByteSource): UnreadableFile {
  if (bytes.damage !== null)
    return new UnreadableFile('Its gzip is damaged before the first row ends.')
  return new UnreadableFile(bytes.readBytes === 0 ? 'It is empty.' : 'It holds no rows.')
}

/** Marks the events of one file, as far as its first row tells it from others. */
function tagOf(mapping: string, item: RowItem, mapped: MappedRow | null): string {
  const first = item.kind === 'broken' ? item.bytes.toString('latin1') : JSON.stringify(mapped)
  return hash('sha256', `${mapping}\n${first}`, 'base64url').slice(0, 8)
}

/**
 * The same row at the same place of the same file has the same id, so that importing it again, or a file
 * that has grown, repeats it. A row of another content, or one that another mapping reads differently,
 * has another id: it is not the same event.
 */
function eventIdOf(fields: Readonly<Record<string, unknown>>, row: number, tag: string): string {
  const content = hash('sha256', JSON.stringify(fields), 'base64url').slice(0, 16)
  return `${tag}-${row}-${content}`
}
