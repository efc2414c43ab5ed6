// A process that starts the embedded server of a data directory, says where it is, and waits to be
// killed, or for the end of its input, upon which it stops the server.

import { systemClock } from '../../src/adapters/clock/system-clock.ts'
import { startEmbeddedPostgres } from '../../src/adapters/postgres/embedded-server.ts'
import type { Logger } from '../../src/ports/logger.ts'

const warnings: string[] = []
const logger: Logger = {
  debug() {},
  info: (name) => warnings.push(name),
  warn: (name) => warnings.push(name),
  error: (name) => warnings.push(name),
}

// Ctrl-C reaches a whole group of processes; what the program does about it is not the matter here.
process.on('SIGINT', () => undefined)
const dataDir = process.argv[2] ?? ''
try {
  const server = await startEmbeddedPostgres({ dataDir, clock: systemClock(), logger })
  const { pid, address } = server
  process.stdout.write(`${JSON.stringify({ pid, address, logged: warnings })}\n`)
  process.stdin.resume()
  process.stdin.on('end', () => {
    void server.stop()
  })
} catch (error) {
  const message = error instanceof Error ? error.message : String(error)
  process.stdout.write(`${JSON.stringify({ failed: message })}\n`)
}
