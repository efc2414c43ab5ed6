// The body of a mail: the same words as text and as HTML that old mail programs draw too. Everything that came
// from outside is escaped here, in one place.

import { escapeHtml } from '../../kernel/escape-html.ts'
import type { MessageContent, MessageSeverity } from '../../ports/message.ts'

const SEVERITY_COLOURS: Readonly<Record<MessageSeverity, string>> = {
  critical: '#b3261e',
  major: '#b45309',
  minor: '#8a6100',
  warning: '#6b5b00',
  info: '#3f5a73',
}

export function mailText({ lines, facts, actions }: MessageContent): string {
  const parts = [
    lines.join('\n\n'),
    facts.map(({ label, value }) => `${label}: ${value}`).join('\n'),
    actions.map(({ label, url }) => `${label}:\n${url}`).join('\n\n'),
    '--\nSent by Outrider',
  ]
  return `${parts.filter((part) => part !== '').join('\n\n')}\n`
}

export function mailHtml(content: MessageContent, severity: MessageSeverity): string {
  const { subject, lines, facts, actions } = content
  const colour = SEVERITY_COLOURS[severity]
  const paragraphs = lines.map((line) => `<p style="margin:0 0 12px">${escapeHtml(line)}</p>`)
  const rows = facts.map(
    ({ label, value }) =>
      `<tr><th align="left" style="padding:4px 16px 4px 0;color:#5b6470;font-weight:400">${escapeHtml(label)}</th>` +
      `<td style="padding:4px 0">${escapeHtml(value)}</td></tr>`,
  )
  const table =
    rows.length === 0
      ? ''
      : `<table role="presentation" cellspacing="0" style="margin:0 0 16px">${rows.join('')}</table>`
  const buttons = actions.map(
    ({ label, url }) =>
      `<p style="margin:0 0 12px"><a href="${escapeHtml(url)}" style="display:inline-block;padding:10px 18px;` +
      `background:#123b5d;color:#ffffff;text-decoration:none;border-radius:6px">${escapeHtml(label)}</a></p>`,
  )
  return `<!doctype html>
<html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width">
<title>${escapeHtml(subject)}</title></head>
<body style="margin:0;background:#f3f5f7;font:15px/1.5 system-ui,-apple-system,Segoe UI,Arial,sans-serif;color:#16202a">
<div style="max-width:560px;margin:24px auto;background:#ffffff;border-top:4px solid ${colour};padding:24px">
<h1 style="margin:0 0 16px;font-size:19px;line-height:1.3">${escapeHtml(subject)}</h1>
${paragraphs.join('\n')}
${table}
${buttons.join('\n')}
<p style="margin:24px 0 0;color:#5b6470;font-size:13px">Sent by Outrider</p>
</div></body></html>
`
}
