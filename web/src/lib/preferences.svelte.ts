// What this person prefers to see, kept in this browser only.

import { formatter } from './format.ts'

const STORAGE_KEY = 'outrider.preferences'

export interface Preferences {
  theme: 'system' | 'light' | 'dark'
  density: 'dense' | 'comfortable'
  temperature: 'C' | 'F'
  distance: 'km' | 'mi'
  /** `local` for the zone of this machine, else an IANA name. */
  timeZone: string
}

const choices: { readonly [K in keyof Preferences]?: readonly Preferences[K][] } = {
  theme: ['system', 'light', 'dark'],
  density: ['dense', 'comfortable'],
  temperature: ['C', 'F'],
  distance: ['km', 'mi'],
}

const defaults: Preferences = {
  theme: 'system',
  density: 'dense',
  temperature: 'C',
  distance: 'km',
  timeZone: 'local',
}

class PreferenceStore {
  #values: Preferences = $state(stored())

  /** The formatting module under these preferences. */
  show = $derived.by(() =>
    formatter({
      temperature: this.#values.temperature,
      distance: this.#values.distance,
      timeZone: zoneName(this.#values.timeZone),
    }),
  )

  get values(): Readonly<Preferences> {
    return this.#values
  }

  set<K extends keyof Preferences>(name: K, value: Preferences[K]): void {
    this.#values[name] = value
    try {
      localStorage.setItem(STORAGE_KEY, JSON.stringify(this.#values))
    } catch {
      // Storage is blocked: the choice holds for this visit.
    }
    this.apply()
  }

  /** Puts theme and density on the document, where the style sheet reads them. */
  apply(): void {
    const { theme, density } = this.#values
    const root = document.documentElement
    if (theme === 'system') delete root.dataset.theme
    else root.dataset.theme = theme
    root.dataset.density = density
  }
}

export const preferences = new PreferenceStore()

function zoneName(choice: string): string {
  return choice === 'local' ? Intl.DateTimeFormat().resolvedOptions().timeZone : choice
}

function stored(): Preferences {
  const values = { ...defaults }
  try {
    const found: unknown = JSON.parse(localStorage.getItem(STORAGE_KEY) ?? '{}')
    if (typeof found !== 'object' || found === null) return values
    for (const name of Object.keys(defaults) as (keyof Preferences)[]) {
      const value: unknown = (found as Record<string, unknown>)[name]
      const allowed: readonly unknown[] | undefined = choices[name]
      if (typeof value === 'string' && (allowed === undefined || allowed.includes(value))) {
        Object.assign(values, { [name]: value })
      }
    }
    new Intl.DateTimeFormat('en', { timeZone: zoneName(values.timeZone) })
  } catch {
    return { ...defaults }
  }
  return values
}
