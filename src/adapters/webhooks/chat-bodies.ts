// Messages in the shapes that incoming webhooks of chat programs take. What came from outside is escaped, so that
// nobody can mention a channel or dress a link up as another.

import type { OutgoingMessage } from '../../ports/message.ts'

/** Limits of Slack's Block Kit: 150 characters a header, 3,000 a section, 10 fields a section. */
const SLACK_HEADER = 150
const SLACK_SECTION = 3_000
const SLACK_FIELDS = 10

/** Blocks of Slack's Block Kit, with a plain text for notifications. */
export function slackBody({ content, severity }: OutgoingMessage): unknown {
  const { subject, lines, facts, actions } = content
  const text = lines.map(escapeSlack).join('\n').slice(0, SLACK_SECTION)
  return {
    text: escapeSlack(subject),
    blocks: [
      {
        type: 'header',
        text: { type: 'plain_text', text: subject.slice(0, SLACK_HEADER), emoji: false },
      },
      ...(text === '' ? [] : [{ type: 'section', text: { type: 'mrkdwn', text } }]),
      ...(facts.length === 0
        ? []
        : [
            {
              type: 'section',
              fields: facts.slice(0, SLACK_FIELDS).map(({ label, value }) => ({
                type: 'mrkdwn',
                text: `*${escapeSlack(label)}*\n${escapeSlack(value)}`.slice(0, 2_000),
              })),
            },
          ]),
      ...(actions.length === 0
        ? []
        : [
            {
              type: 'actions',
              elements: actions.map(({ label, url }) => ({
                type: 'button',
                text: { type: 'plain_text', text: label.slice(0, 75), emoji: false },
                url,
              })),
            },
          ]),
      { type: 'context', elements: [{ type: 'plain_text', text: `Outrider · ${severity}` }] },
    ],
  }
}

/** An Adaptive Card in the envelope that Teams workflows and connectors take. */
export function teamsBody({ content, severity }: OutgoingMessage): unknown {
  const { subject, lines, facts, actions } = content
  return {
    type: 'message',
    attachments: [
      {
        contentType: 'application/vnd.microsoft.card.adaptive',
        content: {
          $schema: 'http://adaptivecards.io/schemas/adaptive-card.json',
          type: 'AdaptiveCard',
          version: '1.4',
          body: [
            {
              type: 'TextBlock',
              size: 'Medium',
              weight: 'Bolder',
              wrap: true,
              text: escapeMarkdown(subject),
            },
            ...lines.map((line) => ({ type: 'TextBlock', wrap: true, text: escapeMarkdown(line) })),
            ...(facts.length === 0
              ? []
              : [
                  {
                    type: 'FactSet',
                    facts: facts.map(({ label, value }) => ({
                      title: label,
                      value: escapeMarkdown(value),
                    })),
                  },
                ]),
            { type: 'TextBlock', isSubtle: true, size: 'Small', text: `Outrider · ${severity}` },
          ],
          actions: actions.map(({ label, url }) => ({ type: 'Action.OpenUrl', title: label, url })),
        },
      },
    ],
  }
}

/** Slack's own rule: these three, and nothing else, are escaped. */
function escapeSlack(text: string): string {
  return text.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('>', '&gt;')
}

function escapeMarkdown(text: string): string {
  return text.replaceAll(/[\\`*_[\]<>]/g, (character) => `\\${character}`)
}
