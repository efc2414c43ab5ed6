// One thing asked of the API: loading, loaded, failed; a newer question cancels the older.

import { isAborted, problemText } from './api/client.ts'
import { clock } from './clock.svelte.ts'

export class Resource<T> {
  value: T | undefined = $state.raw()
  /** Why the newest question failed; the value of an older answer stays. */
  failure: string | undefined = $state()
  isLoading = $state(false)
  /** When the value was answered. */
  askedAtMs = $state(0)
  #running: AbortController | undefined

  async load(ask: (signal: AbortSignal) => Promise<T>): Promise<void> {
    this.#running?.abort()
    const running = new AbortController()
    this.#running = running
    this.isLoading = true
    try {
      const value = await ask(running.signal)
      if (running.signal.aborted) return
      this.value = value
      this.failure = undefined
      this.askedAtMs = clock.readMs()
    } catch (error) {
      if (running.signal.aborted || isAborted(error)) return
      this.failure = problemText(error)
    }
    this.isLoading = false
  }

  /** Forgets the value: the next question is about something else. */
  clear(): void {
    this.#running?.abort()
    this.value = undefined
    this.failure = undefined
    this.isLoading = false
  }
}

/** Asks now and then every `everyMs` while the tab is seen. Returns what ends it. */
export function repeat(everyMs: number, ask: () => void): () => void {
  ask()
  const timer = setInterval(() => {
    if (!document.hidden) ask()
  }, everyMs)
  return () => clearInterval(timer)
}
