// What was measured must be whole: the command that finds out, as a user runs it.

import type { Findings } from './findings.ts'
import { runCommand } from './program.ts'

export async function verifyArchive(
  { say, problem }: Findings,
  dataDir: string,
  what: string,
): Promise<void> {
  say(`verifying ${what}`)
  const { exitCode } = await runCommand(['verify'], dataDir)
  if (exitCode !== 0) problem(`verify found the archive of ${what} not to be complete.`)
}
