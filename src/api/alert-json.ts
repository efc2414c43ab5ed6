// The alert as it goes over HTTP and the live feed.

import { type Static, Type } from '@sinclair/typebox'
import { toIso } from '../kernel/time.ts'
import type { Alert, Handling } from '../ports/alert.ts'
import { shownStatus } from './alert-handling.ts'
import { instant, nullable, text } from './schemas.ts'

export const severitySchema = Type.Union([
  Type.Literal('critical'),
  Type.Literal('major'),
  Type.Literal('minor'),
  Type.Literal('warning'),
  Type.Literal('info'),
])

export const alertStatusSchema = Type.Union([
  Type.Literal('pending'),
  Type.Literal('firing'),
  Type.Literal('resolved'),
])

export const positionSchema = Type.Object({
  topic: Type.String(),
  partition: Type.Integer(),
  offset: Type.Integer(),
})

const fields = (description: string) =>
  Type.Record(
    Type.String(),
    Type.Union([Type.String(), Type.Number(), Type.Boolean(), Type.Null()]),
    { description },
  )

export const alertSchema = Type.Object({
  id: Type.String(),
  rule: Type.String(),
  ruleVersion: Type.Integer(),
  severity: severitySchema,
  entityType: Type.String(),
  entityId: Type.String(),
  status: alertStatusSchema,
  streamStatus: Type.Unsafe<Static<typeof alertStatusSchema>>({
    ...alertStatusSchema,
    description: 'What the events say; `status` is resolved as well where somebody resolved it',
  }),
  startsAt: instant('Event time at which the condition became true'),
  endsAt: nullable(instant('Event time at which it was seen to be over')),
  updatedAt: instant('Event time of the newest event taken account of'),
  revision: Type.Integer({ minimum: 1 }),
  summary: Type.String(),
  labels: Type.Record(Type.String(), Type.String()),
  value: fields('Fields of the event that opened it'),
  peak: fields('Fields of the worst event so far'),
  count: Type.Integer({ description: 'Events during which the condition held' }),
  withdrawn: Type.Boolean({ description: 'A late event showed that the episode never was' }),
  position: positionSchema,
  acknowledgedAt: nullable(instant('When somebody took notice')),
  acknowledgedBy: nullable(text()),
  assignee: nullable(text()),
  resolvedAt: nullable(instant('When somebody resolved it by hand')),
  resolvedBy: nullable(text()),
  falseAlarmAt: nullable(instant('When somebody said that it was none')),
  falseAlarmBy: nullable(text()),
  silencedBy: Type.Array(Type.String(), { description: 'Silences that keep it from notifying' }),
  inhibitedBy: Type.Array(Type.String(), { description: 'Alerts that keep it from notifying' }),
  handlingRevision: Type.Integer({
    minimum: 0,
    description: 'Grows with every change that is not of the stream',
  }),
})

/** What stands on the timeline of an alert beside its transitions. */
export const ALERT_COMMENT_KINDS = [
  'comment',
  'acknowledge',
  'unacknowledge',
  'assign',
  'resolve',
  'reopen',
  'false-alarm',
  'not-false-alarm',
  'silenced',
  'not-silenced',
  'inhibited',
  'not-inhibited',
] as const
export type AlertCommentKind = (typeof ALERT_COMMENT_KINDS)[number]

export type AlertDocument = Static<typeof alertSchema>

export function alertDocument(alert: Alert, handling: Handling): AlertDocument {
  return {
    id: alert.id,
    rule: alert.rule,
    ruleVersion: alert.ruleVersion,
    severity: alert.severity,
    entityType: alert.entityType,
    entityId: alert.entityId,
    status: shownStatus(alert, handling),
    streamStatus: alert.status,
    startsAt: toIso(alert.startsAtMs),
    endsAt: alert.endsAtMs === null ? null : toIso(alert.endsAtMs),
    updatedAt: toIso(alert.updatedAtMs),
    revision: alert.revision,
    summary: alert.summary,
    labels: alert.labels,
    value: alert.value,
    peak: alert.peak,
    count: alert.count,
    withdrawn: alert.withdrawn,
    position: alert.position,
    ...handlingFields(handling),
  }
}

/** All but what only the judgement of `status` needs. */
export function handlingFields({
  resolvedSeverity: _,
  silencedBy,
  inhibitedBy,
  ...rest
}: Handling) {
  return { ...rest, silencedBy: [...silencedBy], inhibitedBy: [...inhibitedBy] }
}
