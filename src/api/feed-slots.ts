// The newest message of every key of the live feed, each in a numbered slot, and for each stream one bit a
// slot: changed since it was sent. So a stream that lags costs an eighth of a byte a key, gets the newest
// state when it reads again, and no key can starve another.

/** Messages about keys that are gone and still told to whoever comes back; the oldest is forgotten first. */
export const MAX_GONE_SLOTS = 10_000

export interface Message {
  /** Grows; messages that came together have the same. A message may be brought up to date in place. */
  readonly sequence: number
  readonly view: string
  readonly key: string
  readonly tenantId: string
  /** The key has nothing to show any more: a removed entity, a resolved alert. */
  readonly gone: boolean
  /** Whose it is; null where it is no merchant's. */
  merchantId(): string | null
  /** The server-sent event. */
  chunk(): string
}

export class SlotTable {
  /** Messages up to this one may be missing, because their keys were gone and are forgotten. */
  forgottenSequence = 0
  readonly #slots: Message[] = []
  readonly #indexes = new Map<string, number>()
  readonly #gone: Message[] = []
  readonly #free: number[] = []
  readonly #onForget: (index: number) => void

  /** `onForget` hears of a slot that is about to be used for another key. */
  constructor(onForget: (index: number) => void) {
    this.#onForget = onForget
  }

  /** Slots there are; indexes are below it. */
  get size(): number {
    return this.#slots.length
  }

  at(index: number): Message | undefined {
    return this.#slots[index]
  }

  /** The slot of a key's message; undefined where it has none. */
  slotOf(entity: Pick<Message, 'view' | 'tenantId' | 'key'>): number | undefined {
    return this.#indexes.get(nameOf(entity))
  }

  /** Replaces the message of the key, and returns its slot. */
  put(message: Message): number {
    const name = nameOf(message)
    const index = this.#indexes.get(name) ?? this.#free.pop() ?? this.#slots.length
    this.#indexes.set(name, index)
    this.#slots[index] = message
    if (message.gone) this.#noteGone(message)
    return index
  }

  #noteGone(message: Message): void {
    this.#gone.push(message)
    if (this.#gone.length <= MAX_GONE_SLOTS) return
    const oldest = this.#gone.shift()
    if (oldest === undefined) return
    const name = nameOf(oldest)
    const index = this.#indexes.get(name)
    // The key may have come back since.
    if (index === undefined || this.#slots[index] !== oldest) return
    this.forgottenSequence = Math.max(this.forgottenSequence, oldest.sequence)
    this.#onForget(index)
    this.#indexes.delete(name)
    this.#free.push(index)
  }
}

function nameOf({ view, tenantId, key }: Pick<Message, 'view' | 'tenantId' | 'key'>): string {
  return `${view}\n${tenantId}\n${key}`
}

const WORD_BITS = 32

/** A set of slots that is emptied round robin. */
export class DirtySlots {
  count = 0
  /** How often the round began anew. */
  rounds = 0
  #words = new Uint32Array(4)
  #next = 0

  /** The slot from which the round goes on. */
  get position(): number {
    return this.#next
  }

  has(index: number): boolean {
    return ((this.#words[index >>> 5] ?? 0) & bitOf(index)) !== 0
  }

  add(index: number): void {
    const word = index >>> 5
    if (word >= this.#words.length) this.#grow(word)
    const before = this.#words[word] ?? 0
    const after = (before | bitOf(index)) >>> 0
    if (after === before) return
    this.#words[word] = after
    this.count += 1
  }

  /** Takes the next slot of the round; undefined where the set is empty. */
  take(): number | undefined {
    if (this.count === 0) return undefined
    for (;;) {
      const index = this.#firstFrom(this.#next)
      if (index !== undefined) {
        this.#words[index >>> 5] = ((this.#words[index >>> 5] ?? 0) & ~bitOf(index)) >>> 0
        this.#next = index + 1
        this.count -= 1
        return index
      }
      this.#next = 0
      this.rounds += 1
    }
  }

  #firstFrom(start: number): number | undefined {
    let word = start >>> 5
    // Bits below the start do not count in its own word.
    let bits = (this.#words[word] ?? 0) & (-1 << (start & (WORD_BITS - 1)))
    while (bits === 0) {
      word += 1
      if (word >= this.#words.length) return undefined
      bits = this.#words[word] ?? 0
    }
    return word * WORD_BITS + (WORD_BITS - 1 - Math.clz32(bits & -bits))
  }

  #grow(word: number): void {
    const grown = new Uint32Array(Math.max(word + 1, this.#words.length * 2))
    grown.set(this.#words)
    this.#words = grown
  }
}

function bitOf(index: number): number {
  return 1 << (index & (WORD_BITS - 1))
}
