// The only place of the dashboard that reads the wall clock: ages on screen move with it, once a second.

class WallClock {
  #nowMs = $state(Date.now())

  constructor() {
    setInterval(() => {
      this.#nowMs = Date.now()
    }, 1000)
    document.addEventListener('visibilitychange', () => {
      this.#nowMs = Date.now()
    })
  }

  /** Reactive, one-second steps. */
  get nowMs(): number {
    return this.#nowMs
  }

  /** The exact instant, not reactive. */
  readMs(): number {
    return Date.now()
  }
}

export const clock = new WallClock()
