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
}

/** An episode as it was last published. */
export interface PublishedEpisode {
  readonly episode: Readonly<Episode>
  readonly revision: number
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

export function toAlert(
  place: PartitionPlace,
  published: PublishedEpisode,
  cause: Cause,
  options: { readonly withdrawn: boolean },
): Alert {
  const { episode, revision } = published
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
    withdrawn: options.withdrawn,
    position: { topic: place.topic, partition: place.partition, offset: episode.openedBy },
    changedBy: { topic: place.topic, partition: place.partition, offset: cause.offset },
    receivedAtMs: cause.receivedAtMs,
  }
}

export interface Reconciliation {
  /** Episodes whose content differs from what was published. */
  readonly amended: readonly { readonly episode: Episode; readonly before: PublishedEpisode }[]
  readonly opened: readonly Episode[]
  /** Published, but history as it is known now has no such episode. */
  readonly withdrawn: readonly PublishedEpisode[]
}

/**
 * Compares the episodes of a rewritten stretch of history with what was published of it.
 * An episode that a late event gave another opener keeps its published id: `recomputed` is changed in place.
 */
export function reconcile(
  published: readonly PublishedEpisode[],
  recomputed: readonly Episode[],
): Reconciliation {
  const byId = new Map(published.map((known) => [known.episode.id, known]))
  const opened: Episode[] = []
  const matched: { episode: Episode; before: PublishedEpisode }[] = []
  for (const episode of recomputed) {
    const before = byId.get(episode.id)
    if (before === undefined) opened.push(episode)
    else {
      byId.delete(episode.id)
      matched.push({ episode, before })
    }
  }
  const stillOpened: Episode[] = []
  for (const episode of opened) {
    const before = nearest([...byId.values()], episode)
    if (before === undefined) stillOpened.push(episode)
    else {
      byId.delete(before.episode.id)
      episode.id = before.episode.id
      matched.push({ episode, before })
    }
  }
  return {
    amended: matched.filter(({ episode, before }) => differs(episode, before.episode)),
    opened: stillOpened,
    withdrawn: [...byId.values()],
  }
}

function nearest(
  candidates: readonly PublishedEpisode[],
  episode: Episode,
): PublishedEpisode | undefined {
  const distance = (known: PublishedEpisode): number =>
    Math.abs(known.episode.startsAtMs - episode.startsAtMs)
  return candidates
    .filter(
      (known) => known.episode.rule === episode.rule && known.episode.instance === episode.instance,
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
    (now.status === 'resolved' && now.count !== before.count)
  )
}
