// A TCP proxy in front of a server: cuts its connections, refuses new ones, or delays what goes through.

import { connect, createServer, type Socket } from 'node:net'
import { Transform } from 'node:stream'

export interface LinkProxy {
  readonly port: number
  /** Ends every connection and refuses new ones until mended. */
  cut(): void
  /** Holds everything back by so long, in each direction, until mended. */
  slow(delayMs: number): void
  mend(): void
  close(): Promise<void>
}

export function openLinkProxy(target: {
  readonly host: string
  readonly port: number
}): Promise<LinkProxy> {
  const sockets = new Set<Socket>()
  let whole = true
  let delayMs = 0
  const link = (): Transform =>
    new Transform({
      transform(chunk, _encoding, done) {
        if (delayMs === 0) done(null, chunk)
        else setTimeout(() => done(null, chunk), delayMs)
      },
    })
  const server = createServer((near) => {
    if (!whole) {
      near.destroy()
      return
    }
    const far = connect(target)
    for (const socket of [near, far]) {
      sockets.add(socket)
      socket.on('error', () => undefined)
      socket.on('close', () => {
        sockets.delete(socket)
        near.destroy()
        far.destroy()
      })
    }
    near.pipe(link()).pipe(far)
    far.pipe(link()).pipe(near)
  })
  const cut = (): void => {
    whole = false
    for (const socket of sockets) socket.destroy()
  }
  return new Promise((resolve, reject) => {
    server.once('error', reject)
    server.listen(0, '127.0.0.1', () => {
      const address = server.address()
      resolve({
        port: typeof address === 'object' && address !== null ? address.port : 0,
        cut,
        slow(ms) {
          delayMs = ms
        },
        mend() {
          whole = true
          delayMs = 0
        },
        close() {
          cut()
          return new Promise((done) => server.close(() => done()))
        },
      })
    })
  })
}
