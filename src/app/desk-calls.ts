// The desk of appointments, reached from the thread of workflows: what it changes is also told to the log, which
// the main thread writes.

import type { MessagePort, Worker } from 'node:worker_threads'
import type { ArrivalDesk, Refusal } from '../domains/arrivals/desk.ts'
import { PlatformError } from '../kernel/errors.ts'
import { Slab } from '../kernel/slab.ts'

export type WorkDesk = Pick<ArrivalDesk, 'joinOnline' | 'recordDecision' | 'reschedule'>

type DeskRequest =
  | { readonly method: 'joinOnline'; readonly args: Parameters<ArrivalDesk['joinOnline']> }
  | { readonly method: 'recordDecision'; readonly args: Parameters<ArrivalDesk['recordDecision']> }
  | { readonly method: 'reschedule'; readonly args: Parameters<ArrivalDesk['reschedule']> }

interface DeskCallMessage {
  readonly type: 'desk'
  readonly number: number
  readonly request: DeskRequest
}

interface DeskAnswer {
  readonly type: 'desk-answer'
  readonly number: number
  readonly refusal: Refusal | null
  /** Null where it worked. */
  readonly error: string | null
}

export type ToWorkThread = { readonly type: 'stop' } | DeskAnswer

/** In the thread: each call resolves once the main thread has done it; rejections may pass. */
export function remoteDesk(main: MessagePort): WorkDesk {
  const waiting = new Slab<(answer: DeskAnswer) => void>()
  main.on('message', (message: ToWorkThread) => {
    if (message.type !== 'desk-answer') return
    waiting.take(message.number)?.(message)
  })
  const call = (request: DeskRequest): Promise<Refusal | null> =>
    new Promise((resolve, reject) => {
      const number = waiting.add(({ refusal, error }) => {
        if (error === null) resolve(refusal)
        else reject(new PlatformError('log-unavailable', error, { retry: 'later' }))
      })
      const message: DeskCallMessage = { type: 'desk', number, request }
      main.postMessage(message)
    })
  return {
    joinOnline: (...args) => call({ method: 'joinOnline', args }),
    recordDecision: (...args) => call({ method: 'recordDecision', args }),
    reschedule: (...args) => call({ method: 'reschedule', args }),
  }
}

/** In the main thread. */
export function answerDeskCalls(worker: Worker, desk: WorkDesk | null): void {
  worker.on('message', ({ type, number, request }: DeskCallMessage) => {
    if (type !== 'desk') return
    const answer = (refusal: Refusal | null, error: string | null): void => {
      const message: DeskAnswer = { type: 'desk-answer', number, refusal, error }
      worker.postMessage(message)
    }
    carryOut(request, desk).then(
      (refusal) => answer(refusal, null),
      (error: unknown) => answer(null, error instanceof Error ? error.message : String(error)),
    )
  })
}

async function carryOut(request: DeskRequest, desk: WorkDesk | null): Promise<Refusal | null> {
  if (desk === null) {
    throw new PlatformError(
      'log-unavailable',
      'This process cannot write the log. Run the role work where doors or tasks run, or use Apache Kafka.',
      { retry: 'later' },
    )
  }
  switch (request.method) {
    case 'joinOnline':
      return desk.joinOnline(...request.args)
    case 'recordDecision':
      return desk.recordDecision(...request.args)
    case 'reschedule':
      return desk.reschedule(...request.args)
  }
}
