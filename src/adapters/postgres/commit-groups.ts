// Puts checkpoints of several tasks into one transaction. A transaction costs the same whether it holds ten
// rows or a thousand, and many tasks with a few rows each are the usual case: what comes while one is under way,
// or shortly after it began, goes together into the next.

import type { DurationMs } from '../../kernel/time.ts'
import type { Checkpoint, CommitOutcome } from '../../ports/checkpoint-store.ts'
import type { Clock } from '../../ports/clock.ts'

/** A group of so many bytes is large: others may run beside it, and nothing is added to it. */
export const LARGE_GROUP_BYTES = 1024 * 1024

interface Waiting {
  readonly checkpoint: Checkpoint
  readonly settle: (outcome: Promise<CommitOutcome>) => void
}

interface Group {
  readonly members: readonly Waiting[]
  readonly small: boolean
}

export interface CommitGroupsOptions {
  /** Transactions at a time. */
  readonly most: number
  /** Small groups begin so far apart; null where each begins as soon as it may. */
  readonly apart: { readonly clock: Clock; readonly intervalMs: DurationMs } | null
  /** All or nothing; `fenced` where any of them is. */
  commitTogether(group: readonly Checkpoint[]): Promise<CommitOutcome>
  commitAlone(checkpoint: Checkpoint): Promise<CommitOutcome>
}

export class CommitGroups {
  readonly #options: CommitGroupsOptions
  #waiting: Waiting[] = []
  #waitingBytes = 0
  #running = 0
  #smallRuns = false
  #nextSmallMs: DurationMs = 0
  /** Ends the wait of a small group; null where none waits. */
  #wait: AbortController | null = null

  constructor(options: CommitGroupsOptions) {
    this.#options = options
  }

  /** A task has one commit under way at a time. */
  commit(checkpoint: Checkpoint): Promise<CommitOutcome> {
    return new Promise((resolve) => {
      this.#waiting.push({ checkpoint, settle: resolve })
      this.#waitingBytes += checkpoint.bytes
      this.#start()
    })
  }

  /** Somebody waits for what was committed last: it goes without waiting for company. */
  hurry(): void {
    this.#wait?.abort()
  }

  #start(): void {
    while (this.#waiting.length > 0 && this.#running < this.#options.most) {
      if (this.#waitingBytes < LARGE_GROUP_BYTES && !this.#maySmallStart()) return
      void this.#run(this.#take())
    }
  }

  /** Else it starts later by itself. */
  #maySmallStart(): boolean {
    if (this.#smallRuns || this.#wait !== null) return false
    const { apart } = this.#options
    if (apart === null) return true
    const nowMs = apart.clock.monotonicMs()
    if (nowMs >= this.#nextSmallMs) {
      this.#nextSmallMs = nowMs + apart.intervalMs
      return true
    }
    void this.#startLater(apart.clock, this.#nextSmallMs - nowMs)
    return false
  }

  async #startLater(clock: Clock, waitMs: DurationMs): Promise<void> {
    const wait = new AbortController()
    this.#wait = wait
    await clock.sleep(waitMs, wait.signal)
    this.#wait = null
    this.#nextSmallMs = 0
    this.#start()
  }

  #take(): Group {
    let bytes = 0
    let count = 0
    for (const { checkpoint } of this.#waiting) {
      if (bytes >= LARGE_GROUP_BYTES) break
      bytes += checkpoint.bytes
      count++
    }
    this.#waitingBytes -= bytes
    return { members: this.#waiting.splice(0, count), small: bytes < LARGE_GROUP_BYTES }
  }

  async #run({ members, small }: Group): Promise<void> {
    this.#running++
    if (small) this.#smallRuns = true
    await this.#commit(members)
    this.#running--
    if (small) this.#smallRuns = false
    this.#start()
  }

  /** What fails together is tried alone, so that each task learns what became of its own. */
  async #commit(group: readonly Waiting[]): Promise<void> {
    const together = group.length > 1 && (await this.#together(group))
    await Promise.all(
      group.map(async ({ checkpoint, settle }) => {
        const outcome: Promise<CommitOutcome> = together
          ? Promise.resolve('committed')
          : this.#options.commitAlone(checkpoint)
        settle(outcome)
        await outcome.catch(() => undefined)
      }),
    )
  }

  async #together(group: readonly Waiting[]): Promise<boolean> {
    try {
      const outcome = await this.#options.commitTogether(group.map(({ checkpoint }) => checkpoint))
      return outcome === 'committed'
    } catch {
      return false
    }
  }
}
