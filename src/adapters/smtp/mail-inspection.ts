// Whether a mail server is there and lets us in; sends nothing.

import nodemailer from 'nodemailer'
import { type DurationMs, SECOND_MS } from '../../kernel/time.ts'

const TIMEOUT_MS: DurationMs = 5 * SECOND_MS

export type MailServerState =
  | { readonly state: 'ok' }
  | { readonly state: 'refuses-credentials' | 'away'; readonly reason: string }

export async function inspectMailServer(url: string): Promise<MailServerState> {
  const transport = nodemailer.createTransport({
    url,
    connectionTimeout: TIMEOUT_MS,
    greetingTimeout: TIMEOUT_MS,
    socketTimeout: TIMEOUT_MS,
    disableFileAccess: true,
    disableUrlAccess: true,
  })
  try {
    await transport.verify()
    return { state: 'ok' }
  } catch (error) {
    const { code }: { code?: unknown } = Object(error)
    const reason = error instanceof Error ? error.message : String(error)
    return { state: code === 'EAUTH' ? 'refuses-credentials' : 'away', reason }
  } finally {
    transport.close()
  }
}
