// Where the program begins: what was compiled once is kept beside the packages, so that commands and threads
// start in half the time. Without the right to write there, or in another Node, all works as well.

import { enableCompileCache, getCompileCacheDir } from 'node:module'
import { fileURLToPath } from 'node:url'

const CACHE = fileURLToPath(new URL('../../node_modules/.cache/outrider', import.meta.url))

enableCompileCache(process.env.NODE_COMPILE_CACHE ?? CACHE)
const kept = getCompileCacheDir()
// Threads look for it in the environment.
if (kept !== undefined) process.env.NODE_COMPILE_CACHE ??= CACHE

await import('./program.ts')
