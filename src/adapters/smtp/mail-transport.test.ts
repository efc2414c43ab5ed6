// 500 payloads into every part of a mail: none leaves its place, in headers, in HTML or in the text.

import assert from 'node:assert/strict'
import { test } from 'node:test'
import { startMailServer } from '../../../test/mail-server.ts'
import type { OutgoingMessage } from '../../ports/message.ts'
import { mailHtml } from './mail-body.ts'
import { createMailTransport } from './mail-transport.ts'

const SEEDS = [
  '<script>alert(1)</script>',
  '"><img src=x onerror=alert(1)>',
  "'-alert(1)-'",
  '</title><svg onload=x>',
  '\r\nBcc: eve@example.org',
  '\nSubject: other',
  '\r\n\r\nbody',
  '%0d%0aBcc: eve@example.org',
  '=?utf-8?q?=0ABcc:_x?=',
  '\u2028Bcc: x',
  '\u0000',
  '\ud800',
  '{{7*7}}',
  ['$', '{7*7}'].join(''),
  '&lt;b&gt;',
  '.\r\n.\r\n',
  '\r\n.\r\nMAIL FROM:<x>',
  'a'.repeat(5_000),
  '\u202Eevil',
  '<!--',
  ']]>',
  'javascript:alert(1)',
  '<a href="//evil">x</a>',
  '\t\v\f',
  '\x1b[31m',
]
const PAYLOADS = Array.from({ length: 500 }, (_, index) => {
  const first = SEEDS[index % SEEDS.length] ?? ''
  const second = SEEDS[(index * 7 + Math.floor(index / SEEDS.length)) % SEEDS.length] ?? ''
  return `${first}${second}`
})

const mail = (payload: string): OutgoingMessage => ({
  id: '00000000-0000-8000-8000-000000000001',
  kind: 'email',
  channel: 'email',
  address: 'ada@example.org',
  severity: 'info',
  category: payload,
  template: 'alerts',
  content: {
    subject: payload,
    lines: [payload],
    facts: [{ label: payload, value: payload }],
    actions: [
      { label: payload, url: `https://x.example/?q=${encodeURIComponent(payload.toWellFormed())}` },
    ],
  },
  about: null,
  createdAtMs: 0,
})

test('500 payloads in HTML make no element and no attribute of their own', () => {
  const shape = (html: string) => html.match(/<[a-z!/][^\s>]*/gi)?.join() ?? ''
  const plain = shape(mailHtml(mail('plain').content, 'info'))
  for (const payload of PAYLOADS) {
    const html = mailHtml(mail(payload).content, 'info')
    assert.equal(shape(html), plain, JSON.stringify(payload.slice(0, 80)))
  }
})

test('payloads in headers add no header and no receiver', async (t) => {
  const server = await startMailServer(t)
  const sending = createMailTransport({ url: server.url, from: 'Outrider <x@test.example>' })
  t.after(() => sending.close())
  const some = PAYLOADS.filter((_, index) => index % 10 === 0)
  for (const payload of some) {
    const delivery = await sending.send(mail(payload))
    assert.equal(delivery.outcome, 'sent', JSON.stringify([payload.slice(0, 80), delivery]))
  }
  assert.equal(server.mails.length, some.length)
  for (const { to, raw } of server.mails) {
    assert.deepEqual(to, ['ada@example.org'])
    const head = raw.slice(0, raw.indexOf('\r\n\r\n'))
    assert.doesNotMatch(head, /^Bcc:/im)
    assert.equal(head.match(/^Subject:/gim)?.length, 1)
  }
})
