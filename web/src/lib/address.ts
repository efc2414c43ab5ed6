// The address bar is the state. Filters replace the entry in the history; opening something adds one.

import { goto } from '$app/navigation'
import { page } from '$app/state'

type Changes = Readonly<Record<string, string | null>>

/** The current address with some parameters changed; null removes one. */
export function addressWith(changes: Changes): string {
  const parameters = new URLSearchParams(page.url.searchParams)
  for (const [name, value] of Object.entries(changes)) {
    if (value === null || value === '') parameters.delete(name)
    else parameters.set(name, value)
  }
  const text = parameters.toString()
  return text === '' ? page.url.pathname : `${page.url.pathname}?${text}`
}

export function refine(changes: Changes): void {
  void goto(addressWith(changes), { replaceState: true, keepFocus: true, noScroll: true })
}

export function open(changes: Changes): void {
  void goto(addressWith(changes), { keepFocus: true, noScroll: true })
}
