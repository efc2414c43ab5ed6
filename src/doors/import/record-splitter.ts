// Cuts a stream of bytes into records: lines, or rows of CSV whose quotes may hold line ends. Works on
// bytes, so that a record can be kept as it came, and bounds what one broken record can cost.
//
// A quote that is never closed would swallow the rest of the file. Where a row grows beyond the limit
// inside quotes, or the file ends there, its first line alone is refused and the next line begins anew.

/** Largest record. */
export const MAX_RECORD_BYTES = 256 * 1024

export interface RawRecord {
  readonly bytes: Buffer
  /** Why it cannot be a row; null where it may be one. */
  readonly problem: string | null
}

const NEWLINE = 0x0a
const CARRIAGE_RETURN = 0x0d
const QUOTE = 0x22
const SPACE = 0x20

/** Where in a row of CSV the next byte stands; `quote-seen` is right behind a quote within quotes. */
type State = 'field-start' | 'field' | 'quoted' | 'quote-seen'

export interface SplitterOptions {
  /** The byte between fields, where quotes count; null where lines are all there is. */
  readonly delimiter: number | null
}

export class RecordSplitter {
  readonly #delimiter: number | null
  /** Bytes from the start of the record that is not complete. */
  #rest: Buffer = Buffer.alloc(0)
  /** How far `#rest` has been looked at, and what state it ended in. */
  #seen = 0
  #state: State = 'field-start'
  /** Within a record that is too large, up to the next line end. */
  #skipping = false

  constructor(options: SplitterOptions) {
    this.#delimiter = options.delimiter
  }

  /** Complete records; blank lines are left out. */
  push(chunk: Buffer): RawRecord[] {
    this.#rest = this.#rest.length === 0 ? chunk : Buffer.concat([this.#rest, chunk])
    return this.#cut(false)
  }

  /** The last record, which needs no line end. */
  end(): RawRecord[] {
    return this.#cut(true)
  }

  /** For a stream that was cut: forgets the record that is not complete; returns its bytes so far. */
  drop(): number {
    const bytes = this.#rest.length
    this.#forget()
    return bytes
  }

  #cut(ended: boolean): RawRecord[] {
    const records: RawRecord[] = []
    let start = 0
    for (;;) {
      const end = this.#recordEnd(start)
      if (end === -1) {
        if (this.#skipping) {
          start = this.#rest.length
          break
        }
        const open = this.#rest.length - start
        const tooLarge = open > MAX_RECORD_BYTES
        if (open === 0 || (!tooLarge && !ended)) break
        if (this.#state === 'quoted') {
          start = this.#refuseFirstLine(start, records)
          continue
        }
        if (tooLarge) this.#refuseLarge(start, this.#rest.length, records)
        else this.#add(start, this.#rest.length, records)
        this.#skipping = tooLarge
        this.#state = 'field-start'
        start = this.#rest.length
        break
      }
      if (this.#skipping) this.#skipping = false
      else if (end - start > MAX_RECORD_BYTES) this.#refuseLarge(start, end, records)
      else this.#add(start, end, records)
      start = end + 1
    }
    this.#rest = start === 0 ? this.#rest : this.#rest.subarray(start)
    this.#seen = Math.max(0, this.#seen - start)
    return records
  }

  /** Index of the line end that closes the record at `start`; -1 where it is not there yet. */
  #recordEnd(start: number): number {
    if (this.#delimiter === null || this.#skipping) return this.#rest.indexOf(NEWLINE, start)
    for (let index = Math.max(start, this.#seen); index < this.#rest.length; index++) {
      const byte = this.#rest[index] ?? 0
      if (this.#state !== 'quoted' && byte === NEWLINE) {
        this.#state = 'field-start'
        this.#seen = index + 1
        return index
      }
      this.#state = this.#after(byte)
    }
    this.#seen = this.#rest.length
    return -1
  }

  /** A quote opens a field at its start only; within quotes two of them stand for one. */
  #after(byte: number): State {
    switch (this.#state) {
      case 'quoted':
        return byte === QUOTE ? 'quote-seen' : 'quoted'
      case 'quote-seen':
        if (byte === QUOTE) return 'quoted'
        break
      case 'field-start':
        if (byte === QUOTE) return 'quoted'
        if (byte === SPACE) return 'field-start'
        break
      case 'field':
        break
    }
    return byte === this.#delimiter ? 'field-start' : 'field'
  }

  #refuseFirstLine(start: number, records: RawRecord[]): number {
    const lineEnd = this.#rest.indexOf(NEWLINE, start)
    const end = lineEnd === -1 ? this.#rest.length : lineEnd
    const bytes = this.#rest.subarray(start, Math.min(end, start + MAX_RECORD_BYTES))
    records.push({ bytes, problem: 'a quote is opened and never closed' })
    this.#state = 'field-start'
    this.#skipping = lineEnd === -1
    this.#seen = Math.min(end + 1, this.#rest.length)
    return this.#seen
  }

  #refuseLarge(start: number, end: number, records: RawRecord[]): void {
    const problem = `a row may have ${MAX_RECORD_BYTES} bytes`
    records.push({
      bytes: this.#rest.subarray(start, Math.min(end, start + MAX_RECORD_BYTES)),
      problem,
    })
  }

  #add(start: number, end: number, records: RawRecord[]): void {
    const stop = end > start && this.#rest[end - 1] === CARRIAGE_RETURN ? end - 1 : end
    const bytes = this.#rest.subarray(start, stop)
    if (!isBlank(bytes)) records.push({ bytes, problem: null })
  }

  #forget(): void {
    this.#rest = Buffer.alloc(0)
    this.#seen = 0
    this.#state = 'field-start'
    this.#skipping = false
  }
}

function isBlank(bytes: Buffer): boolean {
  for (const byte of bytes)
    if (byte !== 0x20 && byte !== 0x09 && byte !== CARRIAGE_RETURN) return false
  return true
}
