// Short messages about what was just done, with a way back; and sentences for screen readers.

/** Long enough to read and to reach for Undo. */
const NOTICE_MS = 8_000
/** Live updates are summed up at most this often, so that a screen reader is not flooded. */
const ANNOUNCE_EVERY_MS = 10_000

export interface Notice {
  readonly id: number
  readonly text: string
  readonly tone: 'done' | 'failed'
  readonly undo: (() => void) | undefined
}

class Notices {
  shown: readonly Notice[] = $state.raw([])
  #nextId = 1

  done(text: string, undo?: () => void): void {
    this.#show({ id: this.#nextId++, text, tone: 'done', undo })
  }

  failed(text: string): void {
    this.#show({ id: this.#nextId++, text, tone: 'failed', undo: undefined })
  }

  dismiss(id: number): void {
    this.shown = this.shown.filter((notice) => notice.id !== id)
  }

  #show(notice: Notice): void {
    this.shown = [...this.shown.slice(-2), notice]
    setTimeout(() => this.dismiss(notice.id), NOTICE_MS)
  }
}

class Announcer {
  text = $state('')
  #waiting: string | undefined
  #timer: ReturnType<typeof setTimeout> | undefined

  /** Says it now, or after the pause; of several that wait only the last is said. */
  say(text: string): void {
    this.#waiting = text
    if (this.#timer === undefined) this.#flush()
  }

  #flush(): void {
    this.#timer = undefined
    if (this.#waiting === undefined) return
    this.text = this.#waiting
    this.#waiting = undefined
    this.#timer = setTimeout(() => this.#flush(), ANNOUNCE_EVERY_MS)
  }
}

export const notices = new Notices()
export const announcer = new Announcer()
