// A real SMTP server in a thread of its own, so that taking mails is no work of whoever measures: it tells when it
// had taken each, by its receiver.

import type { AddressInfo } from 'node:net'
import { type MessagePort, parentPort } from 'node:worker_threads'
import { SMTPServer } from 'smtp-server'

export type FromMailSink =
  | { readonly type: 'listening'; readonly url: string }
  /** Wall time of the acceptance. */
  | { readonly type: 'taken'; readonly to: string; readonly atMs: number }

if (parentPort !== null) takeMails(parentPort)

function takeMails(port: MessagePort): void {
  const tell = (message: FromMailSink): void => port.postMessage(message)
  const server = new SMTPServer({
    authOptional: true,
    disabledCommands: ['AUTH', 'STARTTLS'],
    logger: false,
    onData(stream, session, callback) {
      stream.resume()
      stream.once('end', () => {
        const atMs = performance.timeOrigin + performance.now()
        for (const { address } of session.envelope.rcptTo)
          tell({ type: 'taken', to: address, atMs })
        callback()
      })
    },
  })
  server.listen(0, '127.0.0.1', () => {
    const address: AddressInfo | string | null = server.server.address()
    if (address === null || typeof address === 'string') throw new Error('It has no port.')
    tell({ type: 'listening', url: `smtp://127.0.0.1:${address.port}` })
  })
}
