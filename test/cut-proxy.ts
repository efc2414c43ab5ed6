// A TCP proxy in front of a server, which a test can cut and mend.

import { connect, createServer, type Socket } from 'node:net'

export interface CutProxy {
  readonly port: number
  /** Ends every connection and refuses new ones until mended. */
  cut(): void
  mend(): void
  close(): Promise<void>
}

export function openCutProxy(target: {
  readonly host: string
  readonly port: number
}): Promise<CutProxy> {
  const sockets = new Set<Socket>()
  let whole = true
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
    near.pipe(far).pipe(near)
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
        mend() {
          whole = true
        },
        close() {
          cut()
          return new Promise((done) => server.close(() => done()))
        },
      })
    })
  })
}
