// The pages by which somebody without an account answers: plain HTML that any browser draws, with no script.

import type { AnswerAction } from '../kernel/answer-link.ts'
import { escapeHtml } from '../kernel/escape-html.ts'

/** What a page says of the request that it is about. */
export interface Asked {
  readonly action: AnswerAction
  readonly title: string
  readonly place: string | null
  readonly traveler: string
  readonly startsAt: string | null
  readonly etaAt: string | null
  readonly proposedAt: string | null
  readonly onlineUrl: string | null
  /** IANA name; instants are shown on its clock. */
  readonly zone: string
}

const QUESTIONS: Readonly<Record<AnswerAction, (asked: Asked) => string>> = {
  accept: ({ proposedAt, zone }) => `Move it to ${instantIn(zone, proposedAt)}?`,
  decline: () => 'Keep it as it is?',
  propose: () => 'Propose another time',
  join: () => 'Join online?',
}
const BUTTONS: Readonly<Record<AnswerAction, string>> = {
  accept: 'Yes, move it',
  decline: 'Yes, keep it',
  propose: 'Propose this time',
  join: 'I join online',
}
const DONE: Readonly<Record<AnswerAction, string>> = {
  accept: 'It is being moved, and the traveller is told.',
  decline: 'It stays as it is, and the traveller is told.',
  propose: 'It is being moved to your time, and the traveller is told.',
  join: 'The organizer is told that you join online.',
}

/** A form rather than an answer at once: programs that look at the links of mails must not answer. */
export function questionPage(asked: Asked, problem: string | null): string {
  const field =
    asked.action === 'propose'
      ? `<label>New start, on the clock of ${escapeHtml(asked.zone)}
         <input type="datetime-local" name="startsAt" required value="${escapeHtml(localIn(asked.zone, asked.proposedAt))}"></label>`
      : ''
  const warning =
    problem === null ? '' : `<p class="problem" role="alert">${escapeHtml(problem)}</p>`
  return page(
    asked.title,
    `<h1>${escapeHtml(asked.title)}</h1>
     ${factsOf(asked)}
     <h2>${escapeHtml(QUESTIONS[asked.action](asked))}</h2>
     ${warning}
     <form method="post">${field}<button>${BUTTONS[asked.action]}</button></form>`,
  )
}

export function answeredPage(asked: Asked): string {
  const meeting =
    asked.action === 'join' && asked.onlineUrl !== null && /^https?:\/\//i.test(asked.onlineUrl)
      ? `<p><a class="button" rel="noreferrer" href="${escapeHtml(asked.onlineUrl)}">Open the meeting</a></p>`
      : ''
  return page(
    asked.title,
    `<h1>Thank you</h1><p>${DONE[asked.action]}</p>${meeting}
     <p>You can close this page.</p>`,
  )
}

/** For links that are of no use any more, or never were. */
export function refusedPage(title: string, text: string): string {
  return page(title, `<h1>${escapeHtml(title)}</h1><p>${escapeHtml(text)}</p>`)
}

export const ANSWER_STYLE = `:root{color-scheme:light dark}
body{margin:0;background:#f3f5f7;color:#16202a;font:17px/1.5 system-ui,sans-serif}
main{max-width:32rem;margin:4vh auto;padding:1.5rem;background:#fff;border-radius:12px;box-sizing:border-box}
h1{margin:0 0 1rem;font-size:1.5rem;line-height:1.25;overflow-wrap:anywhere}
h2{margin:1.5rem 0 1rem;font-size:1.15rem}
dl{display:grid;grid-template-columns:max-content 1fr;gap:.25rem 1.25rem;margin:0}
dt{color:#56606b}dd{margin:0;overflow-wrap:anywhere}
label{display:block;margin:0 0 1rem}
input{display:block;width:100%;box-sizing:border-box;margin-top:.35rem;padding:.65rem;font:inherit;border:1px solid #7b8794;border-radius:8px;background:transparent;color:inherit}
button,.button{display:inline-block;min-height:44px;padding:.65rem 1.4rem;border:0;border-radius:8px;background:#123b5d;color:#fff;font:inherit;text-decoration:none;cursor:pointer}
:focus-visible{outline:3px solid #2f81c4;outline-offset:2px}
.problem{color:#a1221b}
footer{margin-top:2rem;color:#56606b;font-size:.85rem}
@media (prefers-color-scheme:dark){body{background:#0f151b;color:#e6ebf0}main{background:#19222b}dt,footer{color:#9eabb8}button,.button{background:#8cc1ea;color:#0b1620}.problem{color:#ff9d94}}
`

function factsOf({ place, traveler, startsAt, etaAt, zone }: Asked): string {
  const facts = [
    ['Traveller', traveler],
    ['Place', place],
    ['Starts', startsAt === null ? null : instantIn(zone, startsAt)],
    ['Expected arrival', etaAt === null ? null : instantIn(zone, etaAt)],
  ] as const
  const rows = facts.map(([label, value]) =>
    value === null ? '' : `<dt>${label}</dt><dd>${escapeHtml(value)}</dd>`,
  )
  return `<dl>${rows.join('')}</dl>`
}

function page(title: string, body: string): string {
  return `<!doctype html>
<html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width,initial-scale=1">
<meta name="robots" content="noindex"><title>${escapeHtml(title)} · Outrider</title>
<link rel="icon" href="data:,"><link rel="stylesheet" href="/answer/style.css"></head>
<body><main>${body}<footer>Sent by Outrider</footer></main></body></html>
`
}

function instantIn(zone: string, iso: string | null): string {
  if (iso === null) return 'another time'
  return new Intl.DateTimeFormat('en-GB', {
    timeZone: zone,
    weekday: 'short',
    day: 'numeric',
    month: 'short',
    hour: '2-digit',
    minute: '2-digit',
    timeZoneName: 'short',
  }).format(Date.parse(iso))
}

/** As an input for date and time takes it. */
function localIn(zone: string, iso: string | null): string {
  if (iso === null) return ''
  const text = new Intl.DateTimeFormat('sv-SE', {
    timeZone: zone,
    dateStyle: 'short',
    timeStyle: 'short',
  }).format(Date.parse(iso))
  return text.replace(' ', 'T')
}
