// Words for states of workflows and messages. Attention is asked for by words and a mark, never by colour alone.

import type { Message, MessageStatus, Workflow } from '$lib/api/types.ts'

export const workflowWords: Readonly<Record<Workflow['status'], string>> = {
  running: 'Running',
  done: 'Done',
  failed: 'Failed',
}

export const messageWords: Readonly<Record<MessageStatus, string>> = {
  queued: 'Going out',
  held: 'Held',
  grouped: 'Grouped',
  retrying: 'Trying again',
  sent: 'Sent',
  kept: 'Kept',
  suppressed: 'Not wanted',
  dead: 'Given up',
}

export const kindWords: Readonly<Record<Message['kind'], string>> = {
  email: 'E-mail',
  webhook: 'Webhook',
  slack: 'Slack',
  teams: 'Teams',
  inbox: 'Inbox',
}

/** `late-arrival-join-online` as people read it. */
export function plainName(name: string): string {
  const words = name.replaceAll('-', ' ')
  return words.charAt(0).toUpperCase() + words.slice(1)
}
