// Keyboard commands. Screens register what they answer to; the shell listens and shows the help.

import { onDestroy } from 'svelte'

/** A second key of a pair such as `g m` must follow within this time. */
const PAIR_WITHIN_MS = 1_200

export interface Command {
  /** One key as in KeyboardEvent.key, or two with a space between. */
  readonly keys: string
  readonly does: string
  readonly run: () => void
}

interface Group {
  readonly title: string
  readonly commands: readonly Command[]
}

class Keyboard {
  /** For the help. */
  groups: readonly Group[] = $state.raw([])
  /** The same, not reactive: a component that goes away would read the state of before its change. */
  #groups: readonly Group[] = []
  #first: { key: string; atMs: number } | undefined

  /** Call while a component is set up; the commands go with the component. */
  register(title: string, commands: readonly Command[]): void {
    const group = { title, commands }
    this.#keep([...this.#groups, group])
    onDestroy(() => this.#keep(this.#groups.filter((each) => each !== group)))
  }

  handle(event: KeyboardEvent): void {
    if (event.defaultPrevented || event.ctrlKey || event.metaKey || event.altKey) return
    if (isTyping(event.target) || document.querySelector('dialog[open]') !== null) return
    const first = this.#first
    this.#first = undefined
    if (first !== undefined && event.timeStamp - first.atMs < PAIR_WITHIN_MS) {
      if (this.#run(`${first.key} ${event.key}`)) {
        event.preventDefault()
        return
      }
    }
    if (this.#run(event.key)) event.preventDefault()
    else if (this.#all().some((command) => command.keys.startsWith(`${event.key} `))) {
      this.#first = { key: event.key, atMs: event.timeStamp }
    }
  }

  #keep(groups: readonly Group[]): void {
    this.#groups = groups
    this.groups = groups
  }

  #all(): readonly Command[] {
    return this.#groups.flatMap((group) => group.commands)
  }

  /** The latest registered wins: a drawer over its page. */
  #run(keys: string): boolean {
    const command = this.#all().findLast((each) => each.keys === keys)
    command?.run()
    return command !== undefined
  }
}

export const keyboard = new Keyboard()

function isTyping(target: EventTarget | null): boolean {
  if (!(target instanceof HTMLElement)) return false
  if (target.isContentEditable || target instanceof HTMLTextAreaElement) return true
  if (target instanceof HTMLSelectElement) return true
  return (
    target instanceof HTMLInputElement && !['checkbox', 'radio', 'button'].includes(target.type)
  )
}
