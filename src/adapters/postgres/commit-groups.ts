// Puts checkpoints of several tasks into one transaction. A transaction costs the same whether it holds ten
// rows or a thousand, and many tasks with a few rows each are the usual case: what comes while one is under way
// goes together into the next.

import type { Checkpoint, CommitOutcome } from '../../ports/checkpoint-store.ts'

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

  #start(): void {
    while (this.#waiting.length > 0 && this.#running < this.#options.most) {
      if (this.#smallRuns && this.#waitingBytes < LARGE_GROUP_BYTES) return
      void this.#run(this.#take())
    }
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
