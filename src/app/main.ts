// Where the program begins: what was compiled once is kept beside the packages, so that commands and threads
// start in half the time. Without the right to write there, or in another Node, all works as well.

import { enableCompileCache } from 'node:module'
import { fileURLToPath } from 'node:url'

const CACHE = fileURLToPath(new URL('../../node_modules/.cache/outrider', import.meta.url))

// Threads look for it in the environment.
process.env.NODE_COMPILE_CACHE ??= CACHE
enableCompileCache(process.env.NODE_COMPILE_CACHE)

await import('./program.ts')
