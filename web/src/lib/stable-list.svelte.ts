// A list that live updates may not move while a person is in it.
//
// While the pointer or the focus is inside, rows keep their places: what is new waits and is counted,
// what left the filter stays, and the rest is taken in when the person leaves or asks for it.

export class StableList<T> {
  /** What is on screen, in its order. */
  rows: readonly T[] = $state.raw([])
  /** New rows that wait. */
  waiting = $state(0)

  #keyOf: (item: T) => string
  #held = false
  #newest: readonly T[] = []
  /** The same as `rows`, for reading without following it. */
  #shown: readonly T[] = []

  constructor(keyOf: (item: T) => string) {
    this.#keyOf = keyOf
  }

  /** Takes the newest items in their natural order. `find` gives a shown item that left the filter. */
  update(items: readonly T[], find: (key: string) => T | undefined): void {
    this.#newest = items
    if (!this.#held || this.#shown.length === 0) {
      this.release()
      return
    }
    const byKey = new Map(items.map((item) => [this.#keyOf(item), item]))
    const keys = new Set<string>()
    this.#show(
      this.#shown.map((row) => {
        const key = this.#keyOf(row)
        keys.add(key)
        return byKey.get(key) ?? find(key) ?? row
      }),
    )
    this.waiting = items.reduce((sum, item) => sum + (keys.has(this.#keyOf(item)) ? 0 : 1), 0)
  }

  hold(): void {
    this.#held = true
  }

  letGo(): void {
    this.#held = false
    this.release()
  }

  /** Shows everything in its natural order now. */
  release(): void {
    this.#show(this.#newest)
    this.waiting = 0
  }

  #show(rows: readonly T[]): void {
    this.#shown = rows
    this.rows = rows
  }
}

/** Holds a list while pointer or focus is inside the element. */
export function holding(list: { hold(): void; letGo(): void }) {
  return (element: HTMLElement) => {
    let pointer = false
    let focus = false
    const settle = () => (pointer || focus ? list.hold() : list.letGo())
    const watch: Record<string, () => void> = {
      pointerenter: () => {
        pointer = true
        settle()
      },
      pointerleave: () => {
        pointer = false
        settle()
      },
      focusin: () => {
        focus = true
        settle()
      },
      focusout: () => {
        focus = false
        settle()
      },
    }
    for (const [name, listener] of Object.entries(watch)) element.addEventListener(name, listener)
    return () => {
      for (const [name, listener] of Object.entries(watch)) {
        element.removeEventListener(name, listener)
      }
    }
  }
}
