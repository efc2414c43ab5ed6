// Starts the thread that sends, so that it does not share an event loop with what is measured.

import { once } from 'node:events'
import { Worker } from 'node:worker_threads'
import type { LoadOrder, LoadResult } from './load-thread.ts'

export type { LoadOrder, LoadResult } from './load-thread.ts'

export async function sendLoad(order: LoadOrder): Promise<LoadResult> {
  const worker = new Worker(new URL('./load-thread.ts', import.meta.url), {
    workerData: order,
    name: 'bench-load',
  })
  const failed = once(worker, 'error').then(([error]) => {
    throw error
  })
  const answered = once(worker, 'message').then(([result]) => result as LoadResult)
  const result = await Promise.race([answered, failed])
  await worker.terminate()
  return result
}
