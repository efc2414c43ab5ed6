// Names that end with the process that holds them, however it ends, seen by the others at once: a lock that
// somebody who was killed can't keep. Said of those who ended, and never of one who is only slow.

export interface Lifelines {
  /** Holds this name from now on, and no other; again where it was lost. */
  hold(name: string): Promise<void>
  /**
   * Those of the names that were held and are not any more, each said once. One that nobody was ever seen to hold is
   * not among them, nor is any that went together with our own: then it is the keeper of names that was away.
   */
  ended(names: readonly string[]): Promise<readonly string[]>
  close(): Promise<void>
}
