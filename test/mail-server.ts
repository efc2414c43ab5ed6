// A real SMTP server on this machine, that keeps what it took.

import type { AddressInfo } from 'node:net'
import type { TestContext } from 'node:test'
import { SMTPServer } from 'smtp-server'

export interface TakenMail {
  readonly to: readonly string[]
  /** As it came, headers first. */
  readonly raw: string
  readonly messageId: string
  readonly subject: string
  readonly takenAtMs: number
}

export interface MailServer {
  readonly url: string
  readonly mails: readonly TakenMail[]
  /** What the next mails are answered; null: taken. */
  refuse(answer: { readonly code: number; readonly text: string } | null): void
}

export async function startMailServer(t: Pick<TestContext, 'after'>): Promise<MailServer> {
  const mails: TakenMail[] = []
  let refusal: { readonly code: number; readonly text: string } | null = null
  const server = new SMTPServer({
    authOptional: true,
    disabledCommands: ['AUTH', 'STARTTLS'],
    logger: false,
    // Pools keep their connections open: they are not waited for.
    closeTimeout: 200,
    onData(stream, session, callback) {
      const chunks: Buffer[] = []
      stream.on('data', (chunk: Buffer) => chunks.push(chunk))
      stream.on('end', () => {
        if (refusal !== null) {
          callback(Object.assign(new Error(refusal.text), { responseCode: refusal.code }))
          return
        }
        const raw = Buffer.concat(chunks).toString('utf8')
        const to = session.envelope.rcptTo.map(({ address }) => address)
        mails.push({
          to,
          raw,
          messageId: header(raw, 'Message-ID'),
          subject: header(raw, 'Subject'),
          takenAtMs: Date.now(),
        })
        callback()
      })
    },
  })
  server.on('error', () => undefined)
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', () => resolve()))
  t.after(() => new Promise<void>((resolve) => server.close(() => resolve())))
  const address: AddressInfo | string | null = server.server.address()
  const port = typeof address === 'object' && address !== null ? address.port : 0
  return {
    url: `smtp://127.0.0.1:${port}`,
    mails,
    refuse(answer) {
      refusal = answer
    },
  }
}

function header(raw: string, name: string): string {
  const head = raw.slice(0, raw.indexOf('\r\n\r\n')).replaceAll(/\r\n[ \t]+/g, ' ')
  return new RegExp(`^${name}: (.*)$`, 'im').exec(head)?.[1] ?? ''
}
