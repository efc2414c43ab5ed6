// Where the program begins: what was compiled once is kept beside the packages, so that commands and threads
// start in half the time. Without the right to write there, or in another Node, all works as well.
//
// Here also begins how memory is collected, before any thread does.

import { enableCompileCache } from 'node:module'
import { fileURLToPath } from 'node:url'
import { setFlagsFromString } from 'node:v8'

const COLLECTION = [
  // What lies in buffers counts with the rest of memory. By itself it has a limit of 64 MB above what was left after
  // the last full collection: events pass that every second or two, and each time all live state was marked again.
  '--external-memory-accounted-in-global-limit',
  // One thread marks beside the program. Seven on a small machine left it no core for as long as they worked.
  '--concurrent-marking-max-worker-num=1',
  // What a place in the code makes is not taken to grow old because what it made once did: the first event of each key
  // stays for long, and after a start all later ones would begin among what only full collections free.
  '--no-allocation-site-pretenuring',
]
for (const flag of COLLECTION) setFlagsFromString(flag)

const CACHE = fileURLToPath(new URL('../../node_modules/.cache/outrider', import.meta.url))

// Threads look for it in the environment.
process.env.NODE_COMPILE_CACHE ??= CACHE
enableCompileCache(process.env.NODE_COMPILE_CACHE)

await import('./program.ts')
