// What a test needs from the machine: where it is missing the test is skipped with its reason, except
// where everything is required, as in CI, and a missing tool fails the test.

import { existsSync } from 'node:fs'
import { join } from 'node:path'
import type { TestContext } from 'node:test'
import { fileURLToPath } from 'node:url'

const REQUIRE_VARIABLE = 'OUTRIDER_TEST_REQUIRE'
/** Data of others that is not ours to pass on, beside the checkout. */
const SHARED_DATA = fileURLToPath(new URL('../../shared/data', import.meta.url))

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

/**
 * The path of a file of the shared data, or undefined where it is not beside this checkout: then the test
 * is skipped and the reason printed, everywhere, since no clean clone has it and nothing can install it.
 */
export function sharedDataOrSkip(t: TestContext, file: string): string | undefined {
  const path = join(SHARED_DATA, file)
  if (existsSync(path)) return path
  const message = `${path} is not there`
  t.diagnostic(`skipped, ${message}`)
  t.skip(message)
  return undefined
}
