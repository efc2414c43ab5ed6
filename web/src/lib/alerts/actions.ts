// What a person does to alerts, each with its way back.

import { post, problemText, remove } from '$lib/api/client.ts'
import type { Alert, AlertComment } from '$lib/api/types.ts'
import { live } from '$lib/live.svelte.ts'
import { notices } from '$lib/notices.svelte.ts'

/** Requests under way at once when many alerts are handled together. */
const PARALLEL = 6

const path = (id: string, action: string) => `/alerts/${encodeURIComponent(id)}/${action}`

/** Acknowledges those that nobody has yet; says what was done and offers to undo just that. */
export async function acknowledge(alerts: readonly Alert[], note?: string): Promise<Alert[]> {
  const open = alerts.filter((alert) => alert.acknowledgedAt === null)
  if (open.length === 0) return []
  const { done, failures } = await eachOf(open, (alert) =>
    post<Alert>(path(alert.id, 'acknowledge'), note ? { note } : {}),
  )
  report(failures, 'acknowledged')
  if (done.length > 0) {
    const what =
      done.length === 1 ? `${done[0]?.entityId} acknowledged` : `${done.length} alerts acknowledged`
    notices.done(what, () => void takeBack(done))
  }
  return done
}

export async function takeBack(alerts: readonly Alert[]): Promise<Alert[]> {
  const { done, failures } = await eachOf(alerts, (alert) =>
    remove<Alert>(path(alert.id, 'acknowledge')),
  )
  report(failures, 'taken back')
  if (done.length > 0) {
    notices.done(done.length === 1 ? 'Acknowledgement taken back' : `${done.length} taken back`)
  }
  return done
}

export async function assign(alert: Alert, assignee: string | null): Promise<Alert | undefined> {
  const { done, failures } = await eachOf([alert], () =>
    post<Alert>(path(alert.id, 'assign'), { assignee }),
  )
  report(failures, 'assigned')
  return done[0]
}

export function comment(alert: Alert, text: string): Promise<AlertComment> {
  return post<AlertComment>(path(alert.id, 'comment'), { text })
}

async function eachOf(
  alerts: readonly Alert[],
  act: (alert: Alert) => Promise<Alert>,
): Promise<{ done: Alert[]; failures: string[] }> {
  const done: Alert[] = []
  const failures: string[] = []
  const waiting = [...alerts]
  const worker = async () => {
    for (let alert = waiting.shift(); alert !== undefined; alert = waiting.shift()) {
      try {
        const changed = await act(alert)
        done.push(changed)
        live.learn(changed)
      } catch (error) {
        failures.push(problemText(error))
      }
    }
  }
  await Promise.all(Array.from({ length: PARALLEL }, worker))
  return { done, failures }
}

function report(failures: readonly string[], action: string): void {
  if (failures.length === 0) return
  const count = failures.length === 1 ? 'One alert was' : `${failures.length} alerts were`
  notices.failed(`${count} not ${action}: ${failures[0]}`)
}
