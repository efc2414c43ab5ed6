// What other rules would have made of history, beside what was recorded: alerts of one rule and entity belong
// together where they have the same id, or overlap in time.

/** Alerts listed of each kind of difference; the counts are complete. */
export const MAX_LISTED_ALERTS = 1_000

export interface ReplayedAlert {
  readonly id: string
  readonly rule: string
  readonly entityId: string
  readonly severity: string
  readonly status: string
  readonly startsAt: string
  readonly endsAt: string | null
  readonly summary: string
}

export interface RecordedAlert extends ReplayedAlert {
  readonly acknowledged: boolean
  readonly falseAlarm: boolean
}

export interface Marks {
  readonly acknowledged: number
  readonly falseAlarm: number
}

export interface AlertDifference {
  readonly alerts: number
  readonly recorded: number
  readonly same: number
  /** In the replay, but nothing like it is recorded. */
  readonly added: readonly ReplayedAlert[]
  /** Recorded, but nothing like it is in the replay. */
  readonly gone: readonly RecordedAlert[]
  /** One for one, but different. */
  readonly shifted: readonly {
    readonly recorded: RecordedAlert
    readonly replayed: ReplayedAlert
  }[]
  /** Several recorded ones have become one. */
  readonly merged: readonly {
    readonly replayed: ReplayedAlert
    readonly recorded: readonly RecordedAlert[]
  }[]
  /** One recorded one has become several. */
  readonly split: readonly {
    readonly recorded: RecordedAlert
    readonly replayed: readonly ReplayedAlert[]
  }[]
  readonly counts: {
    readonly added: number
    readonly gone: number
    readonly shifted: number
    /** Replayed alerts that are made of several. */
    readonly merged: number
    /** Recorded alerts that these are made of. */
    readonly mergedFrom: number
    readonly split: number
  }
  /** What people had said of the recorded alerts. */
  readonly marks: {
    readonly recorded: Marks
    readonly gone: Marks
    readonly kept: Marks
  }
}

export function differenceOf(
  recorded: readonly RecordedAlert[],
  replayed: readonly ReplayedAlert[],
): AlertDifference {
  const found: Found = { same: 0, added: [], gone: [], shifted: [], merged: [], split: [] }
  const groups = new Map<string, { recorded: RecordedAlert[]; replayed: ReplayedAlert[] }>()
  const groupOf = ({ rule, entityId }: ReplayedAlert) => {
    const name = `${rule}\n${entityId}`
    const known = groups.get(name) ?? { recorded: [], replayed: [] }
    groups.set(name, known)
    return known
  }
  for (const alert of recorded) groupOf(alert).recorded.push(alert)
  for (const alert of replayed) groupOf(alert).replayed.push(alert)
  for (const group of groups.values()) compareGroup(group.recorded, group.replayed, found)
  const { same, added, gone, shifted, merged, split } = found
  const goneIds = new Set(gone.map(({ id }) => id))
  return {
    alerts: replayed.length,
    recorded: recorded.length,
    same,
    added: listed(added),
    gone: listed(gone),
    shifted: listed(shifted),
    merged: listed(merged),
    split: listed(split),
    counts: {
      added: added.length,
      gone: gone.length,
      shifted: shifted.length,
      merged: merged.length,
      mergedFrom: merged.reduce((sum, each) => sum + each.recorded.length, 0),
      split: split.length,
    },
    marks: {
      recorded: marksOf(recorded),
      gone: marksOf(gone),
      kept: marksOf(recorded.filter(({ id }) => !goneIds.has(id))),
    },
  }
}

type Mutable<T> = { -readonly [K in keyof T]: T[K] extends readonly (infer E)[] ? E[] : T[K] }
type Found = Mutable<
  Pick<AlertDifference, 'same' | 'added' | 'gone' | 'shifted' | 'merged' | 'split'>
>

function listed<T>(all: readonly T[]): readonly T[] {
  return all.slice(0, MAX_LISTED_ALERTS)
}

function marksOf(alerts: readonly RecordedAlert[]): Marks {
  return {
    acknowledged: alerts.filter(({ acknowledged }) => acknowledged).length,
    falseAlarm: alerts.filter(({ falseAlarm }) => falseAlarm).length,
  }
}

/** Alerts of one rule and entity. */
function compareGroup(
  recorded: readonly RecordedAlert[],
  replayed: readonly ReplayedAlert[],
  found: Found,
): void {
  const byId = new Map(recorded.map((alert) => [alert.id, alert]))
  const left = new Set<RecordedAlert>(recorded)
  const open: ReplayedAlert[] = []
  for (const alert of replayed) {
    const before = byId.get(alert.id)
    if (before !== undefined && isSame(before, alert)) {
      found.same++
      left.delete(before)
    } else open.push(alert)
  }
  const { ofRecorded, ofReplayed } = linksOf([...left], open)
  for (const alert of open) {
    const before = (ofReplayed.get(alert) ?? []).filter((each) => left.has(each))
    const [only, ...more] = before
    if (only === undefined) continue
    if (more.length > 0) {
      found.merged.push({ replayed: alert, recorded: before })
      for (const each of before) left.delete(each)
    }
  }
  const mergedInto = new Set(found.merged.map((each) => each.replayed))
  for (const alert of left) {
    const after = (ofRecorded.get(alert) ?? []).filter((each) => !mergedInto.has(each))
    const [only, ...more] = after
    if (only === undefined) found.gone.push(alert)
    else if (more.length > 0) found.split.push({ recorded: alert, replayed: after })
    else found.shifted.push({ recorded: alert, replayed: only })
  }
  found.added.push(...open.filter((alert) => (ofReplayed.get(alert) ?? []).length === 0))
}

function linksOf(
  recorded: readonly RecordedAlert[],
  replayed: readonly ReplayedAlert[],
): {
  readonly ofRecorded: ReadonlyMap<RecordedAlert, readonly ReplayedAlert[]>
  readonly ofReplayed: ReadonlyMap<ReplayedAlert, readonly RecordedAlert[]>
} {
  const ofRecorded = new Map<RecordedAlert, ReplayedAlert[]>()
  const ofReplayed = new Map<ReplayedAlert, RecordedAlert[]>()
  const before = recorded.toSorted(byStart)
  let first = 0
  for (const alert of replayed.toSorted(byStart)) {
    while (
      first < before.length &&
      endOf(before[first]) < alert.startsAt &&
      first < before.length
    ) {
      if (before[first]?.id === alert.id) break
      first++
    }
    for (let index = first; index < before.length; index++) {
      const candidate = before[index]
      if (candidate === undefined || candidate.startsAt > endOf(alert)) break
      if (candidate.id !== alert.id && endOf(candidate) < alert.startsAt) continue
      ofRecorded.set(candidate, [...(ofRecorded.get(candidate) ?? []), alert])
      ofReplayed.set(alert, [...(ofReplayed.get(alert) ?? []), candidate])
    }
  }
  return { ofRecorded, ofReplayed }
}

function byStart(a: ReplayedAlert, b: ReplayedAlert): number {
  return a.startsAt < b.startsAt ? -1 : a.startsAt > b.startsAt ? 1 : a.id < b.id ? -1 : 1
}

/** ISO instants compare as texts; an alert without an end goes on for ever. */
function endOf(alert: ReplayedAlert | undefined): string {
  return alert?.endsAt ?? '9999'
}

function isSame(recorded: RecordedAlert, replayed: ReplayedAlert): boolean {
  return (
    recorded.severity === replayed.severity &&
    recorded.status === replayed.status &&
    recorded.startsAt === replayed.startsAt &&
    recorded.endsAt === replayed.endsAt &&
    recorded.summary === replayed.summary
  )
}
