// What rules are called: asked once, names stand in until the answer is there.

import { get } from './api/client.ts'
import type { Page, Rule } from './api/types.ts'
import { session } from './session.svelte.ts'

class Rules {
  #byName: ReadonlyMap<string, Rule> = $state.raw(new Map())
  #isAsked = false

  get(name: string): Rule | undefined {
    void this.#ask()
    return this.#byName.get(name)
  }

  title(name: string): string {
    return sentence(this.get(name)?.title ?? name.replaceAll('-', ' '))
  }

  async #ask(): Promise<void> {
    // Rules are the operator's; a merchant is shown their names.
    if (this.#isAsked || !session.may('read')) return
    this.#isAsked = true
    try {
      const { items } = await get<Page<Rule>>('/rules')
      this.#byName = new Map(items.map((rule) => [rule.name, rule]))
    } catch {
      this.#isAsked = false
    }
  }
}

export const rules = new Rules()

/** `fuel drop` → `Fuel drop`. */
function sentence(words: string): string {
  return words.charAt(0).toUpperCase() + words.slice(1)
}
