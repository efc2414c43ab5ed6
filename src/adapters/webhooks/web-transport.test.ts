import { createServer } from 'node:http'
import { describeMessageTransport } from '../../ports/message-transport.contract.ts'
import { systemClock } from '../clock/system-clock.ts'
import { createWebTransport } from './web-transport.ts'

const STATUSES = { takes: 204, busy: 503, refuses: 422 } as const
const SECRET = `whsec_${Buffer.alloc(32, 5).toString('base64')}`

describeMessageTransport('a webhook', async (t) => {
  const taken: string[] = []
  let mode: keyof typeof STATUSES = 'takes'
  const server = createServer((request, response) => {
    request.resume()
    if (mode === 'takes') taken.push(String(request.headers['webhook-id']))
    response.writeHead(STATUSES[mode], mode === 'takes' ? {} : { 'content-type': 'text/plain' })
    response.end()
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', () => resolve()))
  const transport = createWebTransport({
    clock: systemClock(),
    channel: () => ({ secret: SECRET, allowPrivateAddress: true }),
  })
  const close = (): void => {
    server.closeAllConnections()
    server.close()
  }
  t.after(async () => {
    await transport.close()
    close()
  })
  return {
    transport,
    kind: 'webhook',
    address: `http://127.0.0.1:${Object(server.address()).port}/hook`,
    answer(given) {
      mode = given
    },
    taken: () => taken,
    disappear: async () => close(),
  }
})
