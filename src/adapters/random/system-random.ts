// Chance from the runtime: the only place that draws it.

import type { Random } from '../../ports/random.ts'

/** Unseeded and not for secrets. */
export function systemRandom(): Random {
  return { next: () => Math.random() }
}
