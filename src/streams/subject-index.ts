// Which keys of a task a record of a broadcast topic concerns: from subjects to keys, kept while keys change
// what they listen to.

export class SubjectIndex<K> {
  readonly #listeners = new Map<string, Set<K>>()
  readonly #subjects = new Map<K, readonly string[]>()

  /** Costs nothing where the array is the same as the last time. */
  listen(key: K, subjects: readonly string[]): void {
    const before = this.#subjects.get(key)
    if (before === subjects) return
    if (before !== undefined) this.#leave(key, before)
    if (subjects.length === 0) {
      this.#subjects.delete(key)
      return
    }
    this.#subjects.set(key, subjects)
    for (const subject of subjects) {
      const known = this.#listeners.get(subject)
      if (known === undefined) this.#listeners.set(subject, new Set([key]))
      else known.add(key)
    }
  }

  forget(key: K): void {
    this.#leave(key, this.#subjects.get(key) ?? [])
    this.#subjects.delete(key)
  }

  listenersOf(subject: string): readonly K[] {
    const found = this.#listeners.get(subject)
    return found === undefined ? [] : [...found]
  }

  #leave(key: K, subjects: readonly string[]): void {
    for (const subject of subjects) {
      const known = this.#listeners.get(subject)
      known?.delete(key)
      if (known?.size === 0) this.#listeners.delete(subject)
    }
  }
}
