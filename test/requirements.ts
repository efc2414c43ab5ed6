// What a test needs from the machine: where it is missing the test is skipped with its reason, except
// where everything is required, as in CI, and a missing tool fails the test.

import type { TestContext } from 'node:test'

const REQUIRE_VARIABLE = 'OUTRIDER_TEST_REQUIRE'

/**
 * Returns true where the test may go on. Otherwise the test is skipped and the reason printed, or,
 * with `OUTRIDER_TEST_REQUIRE=all`, it fails.
 */
export function requireOrSkip(
  t: TestContext,
  name: string,
  available: boolean,
  reason: string,
): boolean {
  if (available) return true
  const message = `needs ${name}: ${reason}`
  if (process.env[REQUIRE_VARIABLE] === 'all') {
    throw new Error(`${REQUIRE_VARIABLE}=all, and this test ${message}`)
  }
  t.diagnostic(`skipped, ${message}`)
  t.skip(message)
  return false
}
