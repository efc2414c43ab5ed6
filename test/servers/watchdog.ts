// Ends a process that was started here where ours is killed before it could do so.

import { type ChildProcess, spawn } from 'node:child_process'

/** `how` is what a shell does to the process `$1` then. */
export function watchOver(child: ChildProcess, how: 'kill' | 'stop'): void {
  if (child.pid === undefined) return
  const end = how === 'kill' ? 'kill -9 "$1"' : 'kill -TERM "$1"; kill -CONT "$1"'
  const script = `read -r word; [ "$word" = over ] || { ${end}; } 2>/dev/null`
  const watchdog = spawn('sh', ['-c', script, 'watchdog', String(child.pid)], {
    stdio: ['pipe', 'ignore', 'ignore'],
    // A Ctrl-C at the terminal is for us, not for it.
    detached: true,
  })
  // Its standard input ends without the word when ours is gone.
  watchdog.stdin?.on('error', () => undefined)
  watchdog.unref()
  child.once('exit', () => watchdog.stdin?.end('over\n'))
}
