// What a person does to alerts, each with its way back.

import { post, problemText } from '$lib/api/client.ts'
import type { Alert, AlertComment } from '$lib/api/types.ts'
import { live } from '$lib/live.svelte.ts'
import { notices } from '$lib/notices.svelte.ts'

/** The server takes so many in one request. */
const AT_ONCE = 500

type Action =
  | 'acknowledge'
  | 'unacknowledge'
  | 'assign'
  | 'resolve'
  | 'reopen'
  | 'false-alarm'
  | 'not-false-alarm'

interface Wish {
  readonly action: Action
  readonly note?: string | undefined
  readonly assignee?: string | null
}

/** Acknowledges those that nobody has yet; says what was done and offers to undo just that. */
export function acknowledge(alerts: readonly Alert[], note?: string): Promise<Alert[]> {
  const open = alerts.filter((alert) => alert.acknowledgedAt === null)
  return act(open, { action: 'acknowledge', note }, 'acknowledged', (done) => void takeBack(done))
}

export function takeBack(alerts: readonly Alert[]): Promise<Alert[]> {
  return act(alerts, { action: 'unacknowledge' }, 'taken back')
}

/** By hand: the stream may still see the condition hold. */
export function resolve(alerts: readonly Alert[], note?: string): Promise<Alert[]> {
  const open = alerts.filter((alert) => alert.status !== 'resolved')
  return act(open, { action: 'resolve', note }, 'resolved', (done) => void reopen(done))
}

export function reopen(alerts: readonly Alert[]): Promise<Alert[]> {
  return act(alerts, { action: 'reopen' }, 'reopened')
}

export function markFalse(alerts: readonly Alert[]): Promise<Alert[]> {
  const what = 'marked as false alarm'
  return act(alerts, { action: 'false-alarm' }, what, (done) => void unmarkFalse(done))
}

export function unmarkFalse(alerts: readonly Alert[]): Promise<Alert[]> {
  return act(alerts, { action: 'not-false-alarm' }, 'no longer a false alarm')
}

export function assign(alerts: readonly Alert[], assignee: string | null): Promise<Alert[]> {
  const before = new Map(alerts.map((alert) => [alert.id, alert.assignee]))
  const what = assignee === null ? 'given to nobody' : `assigned to ${assignee}`
  return act(alerts, { action: 'assign', assignee }, what, (done) => {
    for (const alert of done) void assign([alert], before.get(alert.id) ?? null)
  })
}

export function comment(alert: Alert, text: string): Promise<AlertComment> {
  return post<AlertComment>(`/alerts/${encodeURIComponent(alert.id)}/comment`, { text })
}

async function act(
  alerts: readonly Alert[],
  wish: Wish,
  what: string,
  undo?: (done: readonly Alert[]) => void,
): Promise<Alert[]> {
  const done: Alert[] = []
  const ids = alerts.map((alert) => alert.id)
  let missing = 0
  try {
    for (let start = 0; start < ids.length; start += AT_ONCE) {
      const answer = await post<{ items: Alert[]; missing: string[] }>('/alerts/actions', {
        ids: ids.slice(start, start + AT_ONCE),
        ...wish,
      })
      missing += answer.missing.length
      for (const changed of answer.items) {
        done.push(changed)
        live.learn(changed)
      }
    }
  } catch (error) {
    notices.failed(`${countOf(ids.length - done.length)} not ${what}: ${problemText(error)}`)
  }
  if (missing > 0) notices.failed(`${countOf(missing)} not ${what}: not recorded yet, try again.`)
  if (done.length > 0) {
    const who = done.length === 1 ? done[0]?.entityId : `${done.length} alerts`
    notices.done(`${who} ${what}`, undo && (() => undo(done)))
  }
  return done
}

function countOf(alerts: number): string {
  return alerts === 1 ? 'One alert was' : `${alerts} alerts were`
}
