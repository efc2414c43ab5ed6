// The cold-chain report as PDF. Each is set by a thread of its own that is bounded in time and memory, and
// only one at a time, so that paper never takes the machine from the warnings.

import { Worker } from 'node:worker_threads'
import { type DurationMs, SECOND_MS } from '../kernel/time.ts'
import type { Clock } from '../ports/clock.ts'
import { HttpProblem } from './problems.ts'
import type { PrintedReport } from './report-pages.ts'

/** The largest report takes about two seconds on a quiet machine. */
export const MAX_PRINT_MS: DurationMs = 30 * SECOND_MS
const MAX_THREAD_MEMORY_MB = 512
const RETRY_AFTER_S = 5

export interface ReportPrinter {
  /** Rejects with `busy` where the pages are not done in time. */
  print(report: PrintedReport): Promise<Buffer>
}

/** Callers are bounded by `HeavyReads`, and so is the queue here. */
export function createReportPrinter(clock: Clock, maxPrintMs = MAX_PRINT_MS): ReportPrinter {
  let before: Promise<unknown> = Promise.resolve()
  return {
    print(report) {
      const mine = before.then(() => printInThread(report, clock, maxPrintMs))
      before = mine.catch(() => undefined)
      return mine
    },
  }
}

async function printInThread(
  report: PrintedReport,
  clock: Clock,
  maxPrintMs: DurationMs,
): Promise<Buffer> {
  const worker = new Worker(new URL('./report-pdf-thread.ts', import.meta.url), {
    workerData: report,
    name: 'report-pdf',
    resourceLimits: { maxOldGenerationSizeMb: MAX_THREAD_MEMORY_MB },
  })
  // Nobody waits for paper when the program ends.
  worker.unref()
  const done = new AbortController()
  const printed = new Promise<Buffer>((resolve, reject) => {
    worker.once('message', (pdf: Uint8Array) => resolve(Buffer.from(pdf.buffer)))
    worker.once('error', reject)
    worker.once('exit', (code) => reject(new Error(`The thread of the report ended with ${code}.`)))
  })
  const late = clock.sleep(maxPrintMs, done.signal).then(() => {
    throw new HttpProblem('busy', 'The report could not be set in time. Try again.', {
      retryAfterS: RETRY_AFTER_S,
    })
  })
  // Whoever loses the race is of no interest.
  late.catch(() => undefined)
  printed.catch(() => undefined)
  try {
    return await Promise.race([printed, late])
  } finally {
    done.abort()
    await worker.terminate()
  }
}
