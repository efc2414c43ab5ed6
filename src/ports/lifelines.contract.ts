// What every keeper of lifelines promises, as one suite that each adapter's own test runs.

import { deepEqual } from 'node:assert/strict'
import { describe, type TestContext, test } from 'node:test'
import type { Lifelines } from './lifelines.ts'

export interface LifelinesUnderTest {
  /** One more process that holds a name and looks at those of others. */
  open(): Lifelines
  /** Takes what holds this name away from a process that lives, as a cut connection does. */
  cut(name: string): Promise<void>
  untilHeld(name: string): Promise<void>
  untilFree(name: string): Promise<void>
  /** Moves the clock of all of them by more than it takes to notice an end. */
  advance(): void
}

const LOOKS = 3

let used = 0
const newName = (): string => `member-${process.pid}-${++used}`

/** Registers the suite. */
export function lifelinesContract(
  keeper: string,
  setUp: (t: TestContext) => Promise<LifelinesUnderTest>,
): void {
  describe(`${keeper}: lifelines`, () => {
    test('a name that its holder let go of has ended, which is said once', async (t) => {
      const { open, untilFree, advance } = await setUp(t)
      const [one, two] = [open(), open()]
      const [first, second, never] = [newName(), newName(), newName()]
      await one.hold(first)
      await two.hold(second)
      const others = [second, never]
      deepEqual(await one.ended(others), [])
      await two.close()
      await untilFree(second)
      deepEqual(await one.ended(others), [], 'it may only have lost its connection')
      advance()
      deepEqual(await one.ended(others), [second])
      await staysSilent(one, others, advance)
    })

    test('a name that was given up for another has ended', async (t) => {
      const { open, advance } = await setUp(t)
      const [one, two] = [open(), open()]
      const [first, former, later] = [newName(), newName(), newName()]
      await one.hold(first)
      await two.hold(former)
      const others = [former, later]
      deepEqual(await one.ended(others), [])
      await two.hold(later)
      deepEqual(await one.ended(others), [])
      advance()
      deepEqual(await one.ended(others), [former])
      await staysSilent(one, others, advance)
    })

    test('whoever lives and loses its hold takes it again, and has not ended', async (t) => {
      const { open, cut, untilHeld, advance } = await setUp(t)
      const [one, two] = [open(), open()]
      const [first, second] = [newName(), newName()]
      await one.hold(first)
      await two.hold(second)
      deepEqual(await one.ended([second]), [])
      await cut(second)
      await untilHeld(second)
      await staysSilent(one, [second], advance)
    })

    test('after our own hold was lost, those who were not seen since have not ended', async (t) => {
      const { open, cut, untilFree, untilHeld, advance } = await setUp(t)
      const [one, two] = [open(), open()]
      const [first, second] = [newName(), newName()]
      await one.hold(first)
      await two.hold(second)
      deepEqual(await one.ended([second]), [])
      await two.close()
      await untilFree(second)
      await cut(first)
      await untilHeld(first)
      await staysSilent(one, [second], advance)
    })
  })
}

async function staysSilent(
  one: Lifelines,
  names: readonly string[],
  advance: () => void,
): Promise<void> {
  for (let look = 0; look < LOOKS; look++) {
    deepEqual(await one.ended(names), [])
    advance()
  }
}
