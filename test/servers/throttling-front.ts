// An HTTP front for DynamoDB Local, which never refuses for want of capacity as DynamoDB does: this one takes
// so many writes a second and answers the rest as DynamoDB answers them.

import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import { text } from 'node:stream/consumers'

const PREFIX = 'com.amazonaws.dynamodb.v20120810#'
const TARGET = 'x-amz-target'

export interface ThrottlingFront {
  readonly endpoint: string
  /** Writes that were refused. */
  readonly refused: number
  /** From now on; Infinity: all of them. */
  allow(writesPerSecond: number): void
  close(): Promise<void>
}

export async function openThrottlingFront(server: string): Promise<ThrottlingFront> {
  let rate = Number.POSITIVE_INFINITY
  let room = 0
  let filledMs = performance.now()
  let refused = 0
  const takes = (): boolean => {
    if (rate === Number.POSITIVE_INFINITY) return true
    const nowMs = performance.now()
    room = Math.min(rate, room + ((nowMs - filledMs) / 1_000) * rate)
    filledMs = nowMs
    if (room < 1) {
      refused += 1
      return false
    }
    room -= 1
    return true
  }
  const pass = async (request: IncomingMessage, body: string): Promise<[number, string]> => {
    const headers = Object.fromEntries(
      Object.entries(request.headers).flatMap(([name, value]) =>
        ['host', 'connection', 'content-length'].includes(name) ? [] : [[name, String(value)]],
      ),
    )
    const answer = await fetch(server, { method: 'POST', headers, body })
    return [answer.status, await answer.text()]
  }
  const answerOf = async (request: IncomingMessage, body: string): Promise<[number, string]> => {
    const operation = String(request.headers[TARGET]).split('.').at(-1)
    if (operation === 'BatchExecuteStatement') return batch(request, body)
    if (!/^(?:PutItem|UpdateItem|DeleteItem)$/.test(operation ?? '') || takes()) {
      return pass(request, body)
    }
    const type = `${PREFIX}ProvisionedThroughputExceededException`
    return [400, JSON.stringify({ __type: type, message: 'The level of throughput was exceeded.' })]
  }
  const batch = async (request: IncomingMessage, body: string): Promise<[number, string]> => {
    const whole = JSON.parse(body)
    const taken: boolean[] = whole.Statements.map(() => takes())
    const statements = whole.Statements.filter((_: unknown, index: number) => taken[index])
    const [status, text] =
      statements.length === 0
        ? [200, '{"Responses":[]}']
        : await pass(request, JSON.stringify({ ...whole, Statements: statements }))
    if (status !== 200) return [status, text]
    const answers = JSON.parse(text).Responses
    const error = { Code: 'ThrottlingError', Message: 'Throughput exceeds the current capacity.' }
    return [
      200,
      JSON.stringify({ Responses: taken.map((is) => (is ? answers.shift() : { Error: error })) }),
    ]
  }
  const http = createServer((request: IncomingMessage, response: ServerResponse) => {
    text(request)
      .then((body) => answerOf(request, body))
      .then(([status, body]) => {
        response.writeHead(status, { 'content-type': 'application/x-amz-json-1.0' }).end(body)
      })
      .catch(() => response.destroy())
  })
  await new Promise<void>((resolve) => http.listen(0, '127.0.0.1', resolve))
  const address = http.address()
  const port = typeof address === 'object' && address !== null ? address.port : 0
  return {
    endpoint: `http://127.0.0.1:${port}`,
    get refused() {
      return refused
    },
    allow(writesPerSecond) {
      rate = writesPerSecond
      room = 0
      filledMs = performance.now()
    },
    close() {
      http.closeAllConnections()
      return new Promise((done) => http.close(() => done()))
    },
  }
}
