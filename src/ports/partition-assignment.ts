// Which partitions a member of the program works on. With one process that is all of them; with several, a
// group decides, and nobody relies on it for more than that: the checkpoint store fences whoever is late.

/** Partitions by topic, as the log calls it. */
export type Assigned = ReadonlyMap<string, readonly number[]>

export interface PartitionProgress {
  readonly topic: string
  readonly partition: number
  /** The first offset that is not committed. */
  readonly offset: number
}

export interface PartitionAssignment {
  /**
   * Calls `take` with everything that is ours, at first and whenever it changes. What is missing from a call
   * is lost; once `take` resolves nothing works on it any more, and others may have it.
   * On abort all is given up in the same way, then the group is left.
   */
  run(take: (assigned: Assigned) => Promise<void>, signal: AbortSignal): Promise<void>
  /**
   * Resolves once it is known anew what is ours, or on abort. Whoever was fenced waits for it, so that one
   * who woke from a long pause does not take back what others have by now.
   */
  confirmed(signal: AbortSignal): Promise<void>
  /** Shows committed offsets to tools that watch the lag of the group. Nobody reads them back. */
  mirror(progress: readonly PartitionProgress[]): Promise<void>
}
