import type { AddressInfo } from 'node:net'
import { SMTPServer } from 'smtp-server'
import { describeMessageTransport } from '../../ports/message-transport.contract.ts'
import { createMailTransport } from './mail-transport.ts'

const REFUSALS = {
  busy: Object.assign(new Error('Try later'), { responseCode: 451 }),
  refuses: Object.assign(new Error('No such user'), { responseCode: 550 }),
} as const

describeMessageTransport('SMTP', async (t) => {
  const taken: string[] = []
  let mode: 'takes' | 'busy' | 'refuses' = 'takes'
  const server = new SMTPServer({
    authOptional: true,
    disabledCommands: ['AUTH', 'STARTTLS'],
    logger: false,
    closeTimeout: 100,
    onData(stream, _session, callback) {
      const chunks: Buffer[] = []
      stream.on('data', (chunk: Buffer) => chunks.push(chunk))
      stream.on('end', () => {
        if (mode !== 'takes') return callback(REFUSALS[mode])
        taken.push(/^Message-ID: (.*)$/im.exec(Buffer.concat(chunks).toString())?.[1] ?? '')
        callback()
      })
    },
  })
  server.on('error', () => undefined)
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', () => resolve()))
  const address: AddressInfo | string | null = server.server.address()
  const transport = createMailTransport({
    url: `smtp://127.0.0.1:${Object(address).port}`,
    from: 'Outrider <outrider@test.example>',
  })
  const close = () => new Promise<void>((resolve) => server.close(() => resolve()))
  t.after(async () => {
    await transport.close()
    await close()
  })
  return {
    transport,
    kind: 'email',
    address: 'ada@example.org',
    answer(given) {
      mode = given
    },
    taken: () => taken,
    disappear: close,
  }
})
