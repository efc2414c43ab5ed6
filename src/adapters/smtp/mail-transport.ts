// E-mail by nodemailer: HTML and text, and one Message-ID for each message however often it is tried.

import nodemailer from 'nodemailer'
import { type DurationMs, SECOND_MS } from '../../kernel/time.ts'
import type { Delivery, MessageTransport, OutgoingMessage } from '../../ports/message.ts'
import { mailHtml, mailText } from './mail-body.ts'

export interface MailTransportOptions {
  /** `smtp://user:password@host:port`, or `smtps:`. */
  readonly url: string
  /** As in `Outrider <outrider@example.org>`. */
  readonly from: string
}

const MAX_CONNECTIONS = 10
/** For each step of the conversation; the server may be slow, but not for ever. */
const CONNECT_TIMEOUT_MS: DurationMs = 10 * SECOND_MS
const SILENCE_TIMEOUT_MS: DurationMs = 20 * SECOND_MS
const MAX_RESPONSE_CHARACTERS = 500
const PERMANENT = 500

export function createMailTransport({ url, from }: MailTransportOptions): MessageTransport {
  const transport = nodemailer.createTransport({
    url,
    pool: true,
    maxConnections: MAX_CONNECTIONS,
    maxMessages: Number.POSITIVE_INFINITY,
    connectionTimeout: CONNECT_TIMEOUT_MS,
    greetingTimeout: CONNECT_TIMEOUT_MS,
    socketTimeout: SILENCE_TIMEOUT_MS,
    disableFileAccess: true,
    disableUrlAccess: true,
  })
  const host = hostOf(from)
  return {
    async send(message) {
      try {
        const { response, messageId } = await transport.sendMail(mailOf(message, from, host))
        return {
          outcome: 'sent',
          response: `${messageId} ${response}`.slice(0, MAX_RESPONSE_CHARACTERS),
        }
      } catch (error) {
        return failureOf(error)
      }
    },
    async close() {
      transport.close()
    },
  }
}

/** Header values hold no line breaks: nodemailer folds and encodes, and gets none to begin with. */
function mailOf(message: OutgoingMessage, from: string, host: string) {
  const { id, content, severity, address } = message
  return {
    from,
    to: { name: '', address },
    subject: content.subject.replaceAll(/[\r\n\t]+/g, ' '),
    text: mailText(content),
    html: mailHtml(content, severity),
    messageId: `<${id}@${host}>`,
    date: new Date(message.createdAtMs),
    headers: {
      'Auto-Submitted': 'auto-generated',
      'X-Outrider-Category': message.category.replaceAll(/[^\w.-]/g, '_'),
      ...(severity === 'critical' ? { Importance: 'high' } : {}),
    },
  }
}

function hostOf(from: string): string {
  const host = /@([A-Za-z0-9.-]+)>?\s*$/.exec(from)?.[1]
  return host ?? 'outrider.invalid'
}

/** 5xx is the server's last word; everything else may pass. The user and password are in no error of nodemailer. */
function failureOf(error: unknown): Delivery {
  const { responseCode, code }: { responseCode?: unknown; code?: unknown } = Object(error)
  const response = (error instanceof Error ? error.message : String(error)).slice(
    0,
    MAX_RESPONSE_CHARACTERS,
  )
  // A wrong password is mended by whoever runs this: the message waits for it.
  const isFinal = typeof responseCode === 'number' && responseCode >= PERMANENT && code !== 'EAUTH'
  return { outcome: isFinal ? 'refused' : 'failed', response }
}
