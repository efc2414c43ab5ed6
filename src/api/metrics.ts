// Prometheus metrics: the names are part of the interface, the functions are how the wiring feeds them.

import { Counter, collectDefaultMetrics, Gauge, Histogram, Registry } from 'prom-client'

export type EventResult = 'accepted' | 'rejected' | 'duplicate' | 'late' | 'processed'

export interface RoutingState {
  /** One process at a time routes. */
  readonly isOwner: boolean
  readonly groups: number
  /** The newest routing document has a fault, and an older one is in force. */
  readonly isDocumentRefused: boolean
}

export interface Metrics {
  readonly registry: Registry
  countEvents(labels: { readonly topic: string; readonly result: EventResult }, count: number): void
  setLag(labels: { readonly topic: string; readonly partition: number }, events: number): void
  /** From the receipt of the event that caused an alert to the moment it was published. */
  observeAlertLatency(seconds: number): void
  /** Time that one checkpoint took to commit. */
  observeCheckpoint(seconds: number): void
  observeBatch(events: number): void
  /** Events that a rule could not judge: a field was missing, or a number came out that is none. */
  countRuleFailures(labels: { readonly rule: string }, count: number): void
  /** Groups told to a receiver. */
  countNotifications(
    labels: { readonly kind: string; readonly receiver: string },
    count: number,
  ): void
  /** How the routing of alerts does in this process. */
  setRouting(state: RoutingState): void
  /** The routing lost what it held, and reads it back. */
  countRoutingFailure(): void
  /** Streams of the live feed that are open. */
  setStreams(count: number): void
  /** Clients of the live feed that were cut off because they did not read. */
  countStreamCutOff(): void
}

const LATENCY_BUCKETS_S = [
  0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 60,
]
const CHECKPOINT_BUCKETS_S = [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 5, 30]
const BATCH_BUCKETS = [1, 5, 10, 50, 100, 500, 1_000, 2_500, 5_000]

export function createMetrics(registry: Registry = new Registry()): Metrics {
  collectDefaultMetrics({ register: registry })
  const registers = [registry]
  const events = new Counter({
    name: 'outrider_events_total',
    help: 'Events by topic and what became of them',
    labelNames: ['topic', 'result'],
    registers,
  })
  const ruleFailures = new Counter({
    name: 'outrider_rule_failures_total',
    help: 'Events that a rule could not judge, and counted as its condition not holding',
    labelNames: ['rule'],
    registers,
  })
  const lag = new Gauge({
    name: 'outrider_lag_events',
    help: 'Events in the log that are not yet committed',
    labelNames: ['topic', 'partition'],
    registers,
  })
  const alertLatency = new Histogram({
    name: 'outrider_alert_latency_seconds',
    help: 'From the receipt of an event to the alert that it caused being published',
    buckets: LATENCY_BUCKETS_S,
    registers,
  })
  const checkpoint = new Histogram({
    name: 'outrider_checkpoint_seconds',
    help: 'Time to commit one checkpoint',
    buckets: CHECKPOINT_BUCKETS_S,
    registers,
  })
  const batch = new Histogram({
    name: 'outrider_batch_events',
    help: 'Events processed in one batch',
    buckets: BATCH_BUCKETS,
    registers,
  })
  const notifications = new Counter({
    name: 'outrider_notifications_total',
    help: 'Groups of alerts told to a receiver, by what was told',
    labelNames: ['kind', 'receiver'],
    registers,
  })
  const routingOwner = new Gauge({
    name: 'outrider_routing_owner',
    help: '1 in the process that routes alerts',
    registers,
  })
  const routingGroups = new Gauge({
    name: 'outrider_routing_groups',
    help: 'Groups of alerts that are open in the process that routes',
    registers,
  })
  const routingRefused = new Gauge({
    name: 'outrider_routing_document_refused',
    help: '1 while the newest routing document has a fault and an older one is in force',
    registers,
  })
  const routingFailures = new Counter({
    name: 'outrider_routing_failures_total',
    help: 'Times that the routing lost what it held, and read it back',
    registers,
  })
  const streams = new Gauge({
    name: 'outrider_live_streams',
    help: 'Open streams of the live feed',
    registers,
  })
  const cutOff = new Counter({
    name: 'outrider_live_cut_off_total',
    help: 'Live feed clients cut off because they did not read',
    registers,
  })
  return {
    registry,
    countEvents: (labels, count) => events.inc({ ...labels }, count),
    setLag: ({ topic, partition }, count) =>
      lag.set({ topic, partition: String(partition) }, count),
    observeAlertLatency: (seconds) => alertLatency.observe(seconds),
    observeCheckpoint: (seconds) => checkpoint.observe(seconds),
    observeBatch: (count) => batch.observe(count),
    countNotifications: (labels, count) => notifications.inc({ ...labels }, count),
    setRouting({ isOwner, groups, isDocumentRefused }) {
      routingOwner.set(isOwner ? 1 : 0)
      routingGroups.set(groups)
      routingRefused.set(isDocumentRefused ? 1 : 0)
    },
    countRoutingFailure: () => routingFailures.inc(),
    setStreams: (count) => streams.set(count),
    countRuleFailures: (labels, count) => ruleFailures.inc(labels, count),
    countStreamCutOff: () => cutOff.inc(),
  }
}
