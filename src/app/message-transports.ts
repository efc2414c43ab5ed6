// The transports by kind of channel, as the settings have them.

import { createMailTransport } from '../adapters/smtp/mail-transport.ts'
import { createWebTransport } from '../adapters/webhooks/web-transport.ts'
import type { Clock } from '../ports/clock.ts'
import type { ChannelKind, MessageTransport } from '../ports/message.ts'
import type { ChannelTable } from '../workflows/messages/channels.ts'
import type { Settings } from './settings.ts'

export function openTransports({
  settings,
  channels,
  clock,
}: {
  readonly settings: Pick<Settings, 'smtpUrl' | 'mailFrom'>
  readonly channels: () => ChannelTable
  readonly clock: Clock
}): MessageTransport {
  const { smtpUrl, mailFrom } = settings
  const mail =
    smtpUrl === null
      ? answering('kept', 'No mail server is set: OUTRIDER_SMTP_URL names one.')
      : createMailTransport({ url: smtpUrl, from: mailFrom })
  const web = createWebTransport({ clock, channel: (name) => channels().get(name) })
  const byKind: Readonly<Record<ChannelKind, MessageTransport>> = {
    email: mail,
    webhook: web,
    slack: web,
    teams: web,
    inbox: answering('sent', 'It is in the inbox.'),
  }
  return {
    send: (message) => byKind[message.kind].send(message),
    async close() {
      await mail.close()
      await web.close()
    },
  }
}

function answering(outcome: 'kept' | 'sent', response: string): MessageTransport {
  return { send: async () => ({ outcome, response }), close: async () => undefined }
}
