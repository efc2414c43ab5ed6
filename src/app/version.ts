// The version of the program, as its package says.

import { readFileSync } from 'node:fs'

const PACKAGE = new URL('../../package.json', import.meta.url)

export function programVersion(): string {
  const { version }: { readonly version?: unknown } = JSON.parse(readFileSync(PACKAGE, 'utf8'))
  return String(version)
}
