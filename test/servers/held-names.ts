// Names that one process of this machine holds at a time. The kernel frees them when the process ends, however
// it does: nothing is left over, as with files. Only Linux has such names; elsewhere everybody gets them.

import { createServer, type Server } from 'node:net'

const POLL_MS = 100

export interface HeldName {
  release(): Promise<void>
}

const HELD_BY_ALL: HeldName = { release: async () => undefined }

/** Undefined where another process, or somebody else in this one, holds it. */
export async function holdName(name: string): Promise<HeldName | undefined> {
  if (process.platform !== 'linux') return HELD_BY_ALL
  const server = await listen({ path: `\0outrider-${name}` })
  if (server === undefined) return undefined
  server.unref()
  return { release: () => closed(server) }
}

/** One at a time; the others wait. */
export async function holding<T>(name: string, work: () => Promise<T>): Promise<T> {
  let held = await holdName(name)
  while (held === undefined) {
    await new Promise((resolve) => setTimeout(resolve, POLL_MS))
    held = await holdName(name)
  }
  try {
    return await work()
  } finally {
    await held.release()
  }
}

export async function isFreePort(port: number): Promise<boolean> {
  const probe = await listen({ port, host: '127.0.0.1' })
  if (probe !== undefined) await closed(probe)
  return probe !== undefined
}

function listen(
  where: { readonly path: string } | { readonly port: number; readonly host: string },
): Promise<Server | undefined> {
  return new Promise((resolve) => {
    const server = createServer()
    server.once('error', () => resolve(undefined))
    server.listen(where, () => resolve(server))
  })
}

function closed(server: Server): Promise<void> {
  return new Promise((resolve) => server.close(() => resolve()))
}
