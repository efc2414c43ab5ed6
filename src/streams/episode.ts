// One alert as the engine holds it: opened, extended and closed by the events of one key, and amended
// where a late event shows that history was different.

import { derivedId } from '../kernel/ids.ts'
import type { EpochMs } from '../kernel/time.ts'
import type { Alert, AlertStatus, FieldValue, Severity } from '../ports/alert.ts'

/** Plain data: copied with the key's state, stored in snapshots. */
export interface Episode {
  id: string
  rule: string
  ruleVersion: number
  entityType: string
  entityId: string
  /** Tells episodes of one rule and entity apart that may be open together, such as zones of a truck. */
  instance: string
  status: AlertStatus
  severity: Severity
  startsAtMs: EpochMs
  endsAtMs: EpochMs | null
  /** Event time of the newest event taken account of; of the one that closed it, once it is closed. */
  updatedAtMs: EpochMs
  summary: string
  labels: Readonly<Record<string, string>>
  value: Readonly<Record<string, FieldValue>>
  peak: Readonly<Record<string, FieldValue>>
  /** Larger is worse; decides when `peak` is replaced. */
  peakScore: number
  count: number
  /** Offset of the event that opened it. */
  openedBy: number
  /** Offset of the event at which it was seen to be over; null while it holds. */
  closedBy: number | null
}

/** An episode as it was last published. */
export interface PublishedEpisode {
  readonly episode: Readonly<Episode>
  readonly revision: number
  /** A late event undid it. Remembered, so that one that brings it back goes on with its revisions. */
  readonly withdrawn: boolean
}

export interface PartitionPlace {
  readonly topic: string
  readonly partition: number
}

/** Who caused the change that is being published. */
export interface Cause {
  readonly offset: number
  readonly receivedAtMs: EpochMs
  readonly tenantId: string
}

export function episodeId(
  place: PartitionPlace,
  episode: Pick<Episode, 'rule' | 'entityId' | 'instance' | 'openedBy'>,
): string {
  const { rule, entityId, instance, openedBy } = episode
  return derivedId('alert', place.topic, place.partition, openedBy, rule, entityId, instance)
}

/** For a second episode that history was split into by the event at `splitBy`, where the first keeps the id. */
export function splitEpisodeId(
  place: PartitionPlace,
  episode: Pick<Episode, 'rule' | 'entityId' | 'instance' | 'openedBy'>,
  splitBy: number,
): string {
  return derivedId('alert-split', episodeId(place, episode), splitBy)
}

export function toAlert(place: PartitionPlace, published: PublishedEpisode, cause: Cause): Alert {
  const { episode, revision, withdrawn } = published
  return {
    id: episode.id,
    tenantId: cause.tenantId,
    rule: episode.rule,
    ruleVersion: episode.ruleVersion,
    severity: episode.severity,
    entityType: episode.entityType,
    entityId: episode.entityId,
    status: episode.status,
    startsAtMs: episode.startsAtMs,
    endsAtMs: episode.endsAtMs,
    updatedAtMs: episode.updatedAtMs,
    revision,
    summary: episode.summary,
    labels: episode.labels,
    value: episode.value,
    peak: episode.peak,
    count: episode.count,
    withdrawn,
    position: { topic: place.topic, partition: place.partition, offset: episode.openedBy },
    changedBy: { topic: place.topic, partition: place.partition, offset: cause.offset },
    receivedAtMs: cause.receivedAtMs,
  }
}

export interface Reconciliation {
  /** Episodes whose content differs from what was published. */
  readonly amended: readonly Episode[]
  readonly opened: readonly Episode[]
  /** Published, but history as it is known now has no such episode. */
  readonly withdrawn: readonly PublishedEpisode[]
  /** Some of the recomputed episodes were given another id than they came with. */
  readonly renamed: boolean
}

/**
 * Compares the episodes of a rewritten stretch of history with what was published of it.
 *
 * One alert stays one alert: an episode that a late event gave another opener keeps its published id, and
 * no id is used twice. `recomputed` is changed in place; `splitId` names what needs a new id.
 */
export function reconcile(
  published: readonly PublishedEpisode[],
  recomputed: readonly Episode[],
  splitId: (episode: Episode) => string,
): Reconciliation {
  const free = new Map(published.map((known) => [known.episode.id, known]))
  const taken = new Set(free.keys())
  const amended: Episode[] = []
  const opened: Episode[] = []
  const unmatched: Episode[] = []
  for (const episode of recomputed) {
    const before = free.get(episode.id)
    if (before === undefined) unmatched.push(episode)
    else {
      free.delete(episode.id)
      if (before.withdrawn || differs(episode, before.episode)) amended.push(episode)
    }
  }
  let renamed = false
  for (const episode of unmatched) {
    const before = nearest([...free.values()], episode)
    if (before !== undefined) {
      free.delete(before.episode.id)
      episode.id = before.episode.id
      renamed = true
      if (differs(episode, before.episode)) amended.push(episode)
      continue
    }
    if (taken.has(episode.id)) {
      episode.id = splitId(episode)
      renamed = true
    }
    taken.add(episode.id)
    opened.push(episode)
  }
  const withdrawn = [...free.values()].filter((known) => !known.withdrawn)
  return { amended, opened, withdrawn, renamed }
}

function nearest(
  candidates: readonly PublishedEpisode[],
  episode: Episode,
): PublishedEpisode | undefined {
  const distance = (known: PublishedEpisode): number =>
    Math.abs(known.episode.startsAtMs - episode.startsAtMs)
  return candidates
    .filter(
      ({ withdrawn, episode: known }) =>
        !withdrawn && known.rule === episode.rule && known.instance === episode.instance,
    )
    .sort((a, b) => distance(a) - distance(b))[0]
}

function differs(now: Readonly<Episode>, before: Readonly<Episode>): boolean {
  return (
    now.status !== before.status ||
    now.severity !== before.severity ||
    now.startsAtMs !== before.startsAtMs ||
    now.endsAtMs !== before.endsAtMs ||
    now.peakScore !== before.peakScore ||
    now.summary !== before.summary ||
    (now.status === 'resolved' && now.count !== before.count) ||
    fieldsDiffer(now.value, before.value) ||
    fieldsDiffer(now.peak, before.peak)
  )
}

function fieldsDiffer(now: Episode['value'], before: Episode['value']): boolean {
  if (now === before) return false
  const names = Object.keys(now)
  return (
    names.length !== Object.keys(before).length || names.some((name) => now[name] !== before[name])
  )
}
