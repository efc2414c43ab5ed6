// Puts values into the words of a template. The result is plain text: whoever draws it escapes it for where it goes.

import { parseInstant } from '../../kernel/time.ts'
import type { MessageContent, MessageRequest, MessageTemplate } from '../../ports/message.ts'

type Values = MessageRequest['values']

const PLACEHOLDER = /\{([A-Za-z][A-Za-z0-9]*)\}/g
/** Longer values are cut: a message is read by people. */
export const MAX_VALUE_CHARACTERS = 500
const SAFE_ADDRESS = /^https?:\/\//i

/** Lines, facts and actions with a placeholder that has no value are left out. Instants are shown in `zone`. */
export function fillTemplate(
  template: MessageTemplate,
  values: Values,
  zone: string,
): MessageContent {
  const shown = (name: string): string | undefined => shownValue(name, values[name], zone)
  const filled = (text: string): string | undefined => {
    let missing = false
    const result = text.replaceAll(PLACEHOLDER, (_, name: string) => {
      const value = shown(name)
      if (value === undefined) missing = true
      return value ?? ''
    })
    return missing ? undefined : result
  }
  return {
    subject: filled(template.subject) ?? withGaps(template.subject, shown),
    lines: template.lines.flatMap((line) => filled(line) ?? []),
    facts: template.facts.flatMap(({ label, value }) => {
      const text = filled(value)
      return text === undefined ? [] : [{ label, value: text }]
    }),
    actions: template.actions.flatMap(({ label, url }) => {
      const address = addressOf(url, values)
      const text = filled(label)
      return address === undefined || text === undefined ? [] : [{ label: text, url: address }]
    }),
  }
}

/** The names a template asks for. */
export function placeholdersOf(template: MessageTemplate): readonly string[] {
  const texts = [
    template.subject,
    ...template.lines,
    ...template.facts.map(({ value }) => value),
    ...template.actions.flatMap(({ label, url }) => [label, url]),
  ]
  const names = texts.flatMap((text) => [...text.matchAll(PLACEHOLDER)].map((match) => match[1]))
  return [...new Set(names.filter((name) => name !== undefined))]
}

function withGaps(text: string, shown: (name: string) => string | undefined): string {
  return text.replaceAll(PLACEHOLDER, (_, name: string) => shown(name) ?? '—')
}

function shownValue(
  name: string,
  value: string | number | null | undefined,
  zone: string,
): string | undefined {
  if (value === undefined || value === null || value === '') return undefined
  if (name.endsWith('At')) {
    const atMs = parseInstant(value)
    if (atMs !== undefined) return instantIn(zone, atMs)
  }
  const text = typeof value === 'number' ? String(value) : value
  return text.length > MAX_VALUE_CHARACTERS ? `${text.slice(0, MAX_VALUE_CHARACTERS)}…` : text
}

function instantIn(zone: string, atMs: number): string {
  const parts = new Intl.DateTimeFormat('en-GB', {
    timeZone: zone,
    weekday: 'short',
    day: 'numeric',
    month: 'short',
    year: 'numeric',
    hour: '2-digit',
    minute: '2-digit',
    timeZoneName: 'short',
  })
  return parts.format(atMs)
}

/** A whole address in one value stays as it is; within an address, values are encoded. Only http and https go out. */
function addressOf(url: string, values: Values): string | undefined {
  let missing = false
  const address = url.replaceAll(PLACEHOLDER, (placeholder, name: string) => {
    const value = values[name]
    if (value === undefined || value === null || value === '') missing = true
    return placeholder === url ? String(value) : encodeURIComponent(String(value))
  })
  return missing || !SAFE_ADDRESS.test(address) || !URL.canParse(address) ? undefined : address
}
