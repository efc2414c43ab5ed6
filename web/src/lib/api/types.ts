// The shapes of docs/api.md as the dashboard reads them. Nothing here is computed: the server decides.

export type Severity = 'critical' | 'major' | 'minor' | 'warning' | 'info'
export type AlertStatus = 'pending' | 'firing' | 'resolved'
export type Condition = 'in-range' | 'excursion' | 'silent' | 'no-profile'
export type FieldValue = string | number | boolean | null
type Iso = string

export interface Page<T> {
  readonly items: readonly T[]
  readonly next: string | null
}

export interface Me {
  readonly role: string
  readonly tenantId: string
  /** Set for a merchant. */
  readonly merchantId: string | null
  readonly signedIn: boolean
  readonly authRequired: boolean
  readonly access: readonly Access[]
}

/** What a page or an action needs. */
export type Access = 'own' | 'change-own' | 'read' | 'operate' | 'administer'

export interface Position {
  readonly topic: string
  readonly partition: number
  readonly offset: number
}

export interface Alert {
  readonly id: string
  readonly rule: string
  readonly ruleVersion: number
  readonly severity: Severity
  readonly entityType: string
  readonly entityId: string
  readonly status: AlertStatus
  readonly startsAt: Iso
  readonly endsAt: Iso | null
  readonly updatedAt: Iso
  readonly revision: number
  readonly summary: string
  readonly labels: Readonly<Record<string, string>>
  readonly value: Readonly<Record<string, FieldValue>>
  readonly peak: Readonly<Record<string, FieldValue>>
  readonly count: number
  readonly withdrawn: boolean
  readonly position: Position
  readonly acknowledgedAt: Iso | null
  readonly acknowledgedBy: string | null
  readonly assignee: string | null
  /** What the events say; `status` is resolved too where somebody resolved it. */
  readonly streamStatus: AlertStatus
  readonly resolvedAt: Iso | null
  readonly resolvedBy: string | null
  readonly falseAlarmAt: Iso | null
  readonly falseAlarmBy: string | null
  readonly silencedBy: readonly string[]
  readonly inhibitedBy: readonly string[]
  readonly handlingRevision: number
}

export interface Matcher {
  readonly name: string
  readonly operator: '=' | '!=' | '=~' | '!~'
  readonly value: string
}

export interface Silence {
  readonly id: string
  readonly matchers: readonly Matcher[]
  readonly from: Iso
  readonly to: Iso
  readonly reason: string
  readonly createdBy: string
  readonly createdAt: Iso
  readonly updatedBy: string
  readonly updatedAt: Iso
  readonly revision: number
  readonly state: 'pending' | 'active' | 'ended'
  /** Open alerts that it keeps quiet now. */
  readonly silenced: number
}

export interface AlertNotification {
  readonly id: string
  readonly at: Iso
  readonly kind: 'firing' | 'resolved' | 'repeat' | 'escalation'
  readonly step: number
  readonly receiver: string
  readonly channels: readonly string[]
  readonly groupLabels: Readonly<Record<string, string>>
  readonly firing: number
  readonly resolved: number
}

export interface RoutingInForce {
  readonly source: string
  readonly problem: string | null
  readonly openGroups: number
  readonly waitingChanges: number
}

export interface Transition {
  readonly status: AlertStatus
  readonly at: Iso
  readonly revision: number
  readonly severity: Severity
  readonly summary: string
  readonly position: Position
}

export interface AlertComment {
  readonly id: string
  readonly at: Iso
  readonly author: string
  readonly text: string
  readonly kind:
    | 'comment'
    | 'acknowledge'
    | 'unacknowledge'
    | 'assign'
    | 'resolve'
    | 'reopen'
    | 'false-alarm'
    | 'not-false-alarm'
    | 'silenced'
    | 'not-silenced'
    | 'inhibited'
    | 'not-inhibited'
}

export interface AlertDetail extends Alert {
  readonly transitions: readonly Transition[]
  readonly comments: readonly AlertComment[]
  /** The events that opened and closed it. */
  readonly event: Readonly<Record<string, unknown>> | null
  readonly closingEvent: Readonly<Record<string, unknown>> | null
  /** YAML of the rule, in the version that fired. */
  readonly ruleText: string | null
  readonly references: readonly ReferenceRow[]
}

export interface ReferenceRow {
  readonly table: string
  readonly version: number | null
  readonly row: Readonly<Record<string, unknown>>
}

/** A rule whose condition holds, though not yet for long or often enough. */
export interface PendingAlert {
  readonly rule: string
  readonly severity: Severity
  readonly entityType: string
  readonly entityId: string
  readonly instance: string
  readonly since: Iso
  readonly firesAt: Iso | null
  readonly seen: number
  readonly needed: number | null
}

export interface TruckAlert {
  readonly id: string
  readonly rule: string
  readonly severity: Severity
  readonly startsAt: Iso
}

export interface Truck {
  readonly truckId: string
  readonly recordedAt: Iso
  readonly receivedAt: Iso
  readonly temperatureC: number | null
  readonly fuelPercent: number | null
  readonly fuelLitres: number | null
  readonly lat: number | null
  readonly lon: number | null
  readonly speedKmh: number | null
  readonly headingDeg: number | null
  readonly odometerKm: number | null
  readonly doorOpen: boolean | null
  readonly reeferOn: boolean | null
  readonly loadKg: number | null
  readonly brokenDown: boolean | null
  readonly zone: string | null
  readonly shipmentId: string | null
  readonly profile: string | null
  readonly limits: { readonly minC: number | null; readonly maxC: number | null } | null
  readonly condition: Condition
  readonly moving: boolean
  readonly alerts: readonly TruckAlert[]
  readonly zones?: Readonly<
    Record<string, { readonly temperatureC: number; readonly recordedAt: Iso }>
  >
}

export interface TruckDetail extends Truck {
  readonly openAlerts: readonly Alert[]
}

export interface Channel {
  readonly recordedAtMs: readonly number[]
  readonly values: readonly (number | null)[]
}

export interface Stretch {
  readonly from: Iso
  readonly to: Iso
}

export interface Series {
  readonly truckId: string
  readonly from: Iso
  readonly to: Iso
  readonly readings: number
  readonly bucketS: number
  readonly gapLimitS: number
  readonly channels: Readonly<Record<string, Channel | undefined>>
  readonly doorOpen: readonly Stretch[]
  readonly gaps: readonly Stretch[]
}

export interface GoodsProfile {
  readonly name: string
  readonly title: string
  readonly minC: number | null
  readonly maxC: number | null
}

export interface Excursion {
  readonly startsAt: Iso
  readonly endsAt: Iso | null
  readonly durationS: number
  readonly side: 'above' | 'below'
  readonly maximumC?: number
  readonly minimumC?: number
  readonly readings: number
  readonly zone: string | null
}

export type Verdict =
  | 'conformant'
  | 'excursion-within-allowance'
  | 'non-conformant'
  | 'insufficient-data'

export interface Report {
  readonly truckId: string | null
  readonly shipmentId: string | null
  readonly from: Iso
  readonly to: Iso
  readonly profile: GoodsProfile
  readonly readings: number
  readonly readingsAbove: number
  readonly readingsBelow: number
  readonly coveragePercent: number
  readonly gapLimitS: number
  readonly gaps: readonly {
    readonly startsAt: Iso
    readonly endsAt: Iso
    readonly durationS: number
    readonly zone: string | null
  }[]
  readonly gapCount: number
  readonly minimumC: number
  readonly maximumC: number
  readonly meanC: number
  readonly meanKineticTemperatureC: number
  readonly mkt: {
    readonly windowS: number
    readonly maxC: number
    readonly worstC: number | null
    readonly windowComplete: boolean
    readonly passed: boolean
  } | null
  readonly excursions: readonly Excursion[]
  readonly excursionCount: number
  readonly verdict: Verdict
  readonly reasons: readonly string[]
}

export interface Rule {
  readonly name: string
  readonly version: number
  readonly topic: string
  readonly severity: Severity
  readonly title: string | null
  readonly description: string | null
  readonly condition: string | null
  readonly for: string | null
  readonly keepFiringFor: string | null
  readonly enabled: boolean
  /** `built-in`, `api`, or the file that it came from. */
  readonly source: string
  readonly editable: boolean
  readonly cases: number
  readonly failures: number
  readonly lastFailure: {
    readonly key: string
    readonly offset: number
    readonly missing: string
  } | null
}

export interface RuleProblem {
  readonly line: number
  readonly column: number
  readonly endColumn: number
  readonly rule: string | null
  readonly path: string
  readonly message: string
}

export interface RuleList {
  readonly items: readonly Rule[]
  readonly problems: readonly (RuleProblem & { readonly file: string })[]
}

export interface RuleDetail extends Rule {
  readonly text: string
  readonly versions: readonly {
    readonly version: number
    readonly source: string
    readonly author: string
    readonly createdAt: Iso
    readonly document: unknown
  }[]
}

export interface RuleCheck {
  readonly problems: readonly RuleProblem[]
  readonly document: { readonly name: string; readonly topic: string } | null
  readonly cases: readonly { readonly name: string; readonly problems: readonly string[] }[]
}

export interface TrialAlert {
  readonly id: string
  readonly entityId: string
  readonly severity: Severity
  readonly startsAt: Iso
  readonly endsAt: Iso | null
  readonly summary: string
}

export interface RecordedTrialAlert extends TrialAlert {
  readonly acknowledged: boolean
  readonly falseAlarm: boolean
}

export interface RuleReplay {
  readonly events: number
  readonly alerts: number
  readonly recorded: number
  readonly same: number
  readonly added: readonly TrialAlert[]
  readonly gone: readonly RecordedTrialAlert[]
  readonly shifted: readonly { recorded: RecordedTrialAlert; replayed: TrialAlert }[]
  readonly merged: readonly { recorded: readonly RecordedTrialAlert[]; replayed: TrialAlert }[]
  readonly split: readonly { recorded: RecordedTrialAlert; replayed: readonly TrialAlert[] }[]
  readonly counts: Readonly<
    Record<'added' | 'gone' | 'shifted' | 'merged' | 'mergedFrom' | 'split', number>
  >
  readonly marks: Readonly<
    Record<
      'recorded' | 'gone' | 'kept',
      { readonly acknowledged: number; readonly falseAlarm: number }
    >
  >
}

export interface RuleTopicFields {
  readonly topic: string
  readonly fields: Readonly<Record<string, Readonly<Record<string, string>>>>
}

export interface TopicState {
  readonly topic: string
  readonly partitions: readonly {
    readonly partition: number
    readonly endOffset: number
    readonly committedOffset: number | null
    readonly lag: number | null
    readonly watermark: Iso | null
  }[]
}

export interface DeadLetter {
  readonly id: string
  readonly topic: string
  readonly receivedAt: Iso
  readonly door: string
  readonly reason: { readonly code: string; readonly message: string; readonly path: string | null }
  readonly raw: string
  readonly rawEncoding: 'text' | 'base64'
  readonly position: Position
  readonly replayedAt: Iso | null
}

export interface Feed {
  readonly topic: string
  readonly endOffset: number
  readonly lag: number | null
  readonly watermark: Iso | null
  readonly health: 'ok' | 'idle' | 'lagging'
}

export interface Overview {
  readonly at: Iso
  readonly trucks: {
    readonly total: number
    readonly inRange: number
    readonly excursion: number
    readonly silent: number
    readonly noProfile: number
    readonly moving: number
  }
  readonly alerts: {
    readonly open: number | null
    readonly unacknowledged: number | null
    readonly bySeverity: Readonly<Record<Severity, number>> | null
  } | null
  readonly eventsPerSecond: number | null
  readonly lag: number | null
  readonly feeds: readonly Feed[]
  readonly partial: readonly string[]
}

export interface Metric {
  readonly at: Iso
  readonly eventsPerSecond: number | null
  readonly lag: number | null
  readonly streams: number
}

export interface TripTotals {
  readonly trips: number
  readonly revenue: number
  readonly currency: string | null
  readonly revenueByCurrency: readonly {
    readonly currency: string | null
    readonly revenue: string
    readonly trips: number
  }[]
  readonly averageDistanceKm: number | null
  readonly byStatus: Readonly<Record<string, number>>
  readonly byPaymentMethod: Readonly<Record<string, number>>
}

export interface TripSeries {
  readonly from: Iso
  readonly to: Iso
  readonly bucketS: number
  readonly items: readonly (TripTotals & { readonly bucketStart: Iso; readonly bucketEnd: Iso })[]
}

export interface Trip {
  readonly tripId: string
  readonly status: string
  readonly pickupAt: Iso
  readonly dropoffAt: Iso | null
  readonly pickupLocation: string | null
  readonly dropoffLocation: string | null
  readonly distanceKm: number | null
  /** Exact decimal. */
  readonly fare: string | null
  readonly currency: string | null
  readonly paymentMethod: string | null
  readonly paymentMethodOriginal: string | null
  readonly anomalies: readonly string[]
}

export interface FleetReport<T> {
  readonly from: Iso
  readonly to: Iso
  readonly items: readonly T[]
}

export interface FleetDrive {
  readonly entityType: string
  readonly entityId: string
  readonly startsAt: Iso
  readonly endsAt: Iso
  readonly underWay: boolean
  readonly distanceKm: number
  readonly maxSpeedKmh: number
  /** Where it stood afterwards; null while the drive goes on. */
  readonly stop: { readonly startsAt: Iso; readonly endsAt: Iso | null } | null
}

interface FleetMember {
  readonly entityType: string
  readonly entityId: string
  readonly fleet: string | null
  readonly driver: string | null
}

export interface FleetLatest extends FleetMember {
  readonly model: string | null
  readonly recordedAt: Iso
  readonly lat: number | null
  readonly lon: number | null
  readonly fuelPercent: number | null
  readonly loadKg: number | null
  readonly loadPercent: number | null
  readonly brokenDown: boolean | null
}

export interface FleetStationary extends FleetMember {
  readonly periods: number
  readonly until: Iso
}

export interface FleetLongDriving extends FleetMember {
  readonly periodsOf4h: number
  readonly periodsOf24h: number
  readonly withoutRest: boolean
  readonly longDay: boolean
  readonly until: Iso
}

export interface FleetConsumption {
  readonly fleet: string | null
  readonly distanceKm: number
  readonly usedLitres: number
  readonly litresPer100Km: number | null
  readonly nominalLitresPer100Km: number | null
}

export interface FleetDrivingTime {
  readonly driver: string
  readonly days: number
  readonly hoursADay: number
  readonly sessions: number
  readonly hoursASession: number | null
}

export interface FleetLoad {
  readonly fleet: string | null
  readonly model: string | null
  readonly vehicles: number
  readonly averageLoadPercent: number
}

export interface FleetActivity {
  readonly day: string
  readonly fleet: string | null
  readonly model: string | null
  readonly vehicles: number
  readonly inServicePercent: number
  readonly drivenPercent: number
}

export interface FleetBreakdowns {
  readonly model: string | null
  readonly vehicles: number
  readonly breakdowns: number
}

export interface FleetEfficiency {
  readonly entityType: string
  readonly entityId: string
  readonly distanceKm: number
  readonly fuelUsedLitres: number | null
  readonly fuelUsedPercent: number | null
  readonly litresPer100Km: number | null
  readonly refuelledLitres: number | null
  readonly stolenLitres: number | null
  readonly refuelledPercent: number
  readonly stolenPercent: number
}

export interface DriverBehaviour {
  readonly entityType: string
  readonly entityId: string
  readonly distanceKm: number
  readonly drivenS: number
  readonly idleS: number
  readonly speedingS: number
  readonly maxSpeedKmh: number | null
  readonly harshBraking: number
  readonly harshAcceleration: number
  readonly harshCornering: number
  readonly longestDriveS: number
  /** 100 is best. */
  readonly score: number | null
}

export type ShipmentStatus =
  | 'Pending'
  | 'InfoReceived'
  | 'InTransit'
  | 'OutForDelivery'
  | 'AttemptFail'
  | 'AvailableForPickup'
  | 'Delivered'
  | 'Exception'
  | 'Expired'
export type PromiseState = 'none' | 'on-track' | 'at-risk' | 'late' | 'kept'

export interface Shipment {
  readonly shipmentId: string
  readonly merchantId: string
  readonly status: ShipmentStatus
  readonly statusSince: Iso | null
  readonly outcome: string | null
  readonly promise: PromiseState
  readonly promisedAt: Iso | null
  readonly expectedAt: Iso | null
  readonly expectedBy: 'carrier' | 'delay' | 'plan' | null
  readonly deliveredAt: Iso | null
  readonly lateByS: number | null
  readonly milestone: string | null
  readonly milestoneAt: Iso | null
  readonly createdAt: Iso | null
  readonly carrier: string | null
  readonly mode: string | null
  readonly truckId: string | null
  readonly warehouseId: string | null
  readonly location: string | null
  readonly region: string | null
  readonly lat: number | null
  readonly lon: number | null
  readonly destination: string | null
  readonly reason: string | null
  readonly contradiction: string | null
  readonly consignment: string | null
  readonly weightKg: number | null
  readonly freightCost: string | null
  readonly currency: string | null
  readonly recordedAt: Iso
}

export interface Milestone {
  readonly type: string
  readonly location: string | null
  readonly region: string | null
  readonly plannedAt: Iso | null
  readonly estimatedAt: Iso | null
  readonly actualAt: Iso | null
  readonly truckId: string | null
  readonly warehouseId: string | null
  readonly reason: string | null
  readonly lat: number | null
  readonly lon: number | null
  readonly recordedAt: Iso
}

export interface Custody {
  readonly kind: 'truck' | 'warehouse' | 'unknown'
  readonly id: string | null
  readonly from: Iso
  readonly to: Iso | null
  readonly location: string | null
}

export interface ShipmentPage extends Shipment {
  readonly customer: {
    readonly name: string | null
    readonly email: string | null
    readonly phone: string | null
  }
  readonly items: readonly { readonly sku: string; readonly quantity: number }[]
  readonly words: Readonly<Record<string, string>>
  readonly timeline: readonly Milestone[]
  readonly custody: readonly Custody[]
}

export interface TemperatureLeg {
  readonly truckId: string
  readonly from: Iso
  readonly to: Iso | null
  readonly report: Report | null
}

export interface TrackingLink {
  readonly id: string
  readonly createdAt: Iso
  readonly createdBy: string
  readonly expiresAt: Iso
  readonly revokedAt: Iso | null
}

export interface NewTrackingLink {
  readonly id: string
  readonly token: string
  readonly url: string
  readonly expiresAt: Iso
}

export interface CustomerMessage {
  readonly id: string
  readonly createdAt: Iso
  readonly kind: string
  readonly address: string
  readonly subject: string
  readonly status: MessageStatus
  readonly reason: string | null
}

export interface MerchantChoice {
  readonly merchantId: string
  readonly shipments: number
  readonly milestones: readonly string[]
  readonly updatedAt: Iso | null
  readonly updatedBy: string | null
}

export interface AccessToken {
  readonly id: string
  readonly role: string
  readonly tenantId: string
  readonly merchantId: string | null
  readonly name: string
  readonly createdAt: Iso
  readonly createdBy: string
  readonly expiresAt: Iso | null
  readonly revokedAt: Iso | null
}

export interface RegionTraffic {
  readonly topic: string
  readonly events: number
  readonly lateEvents: number
  readonly latencyP50Ms: number | null
  readonly latencyP95Ms: number | null
  readonly lagS: number
}

export interface Region {
  readonly region: string
  readonly shipments: number
  readonly late: number
  readonly atRisk: number
  readonly byStatus: Readonly<Record<string, number>>
  readonly warehouses: number
  readonly traffic: readonly RegionTraffic[]
}

export interface ShipmentTotals {
  readonly shipments: number
  readonly byStatus: Readonly<Record<string, number>>
  readonly byPromise: Readonly<Record<string, number>>
  readonly late: number
  readonly lateByMode: Readonly<Record<string, number>>
  readonly byRegion: Readonly<
    Record<string, { readonly shipments: number; readonly late: number; readonly atRisk: number }>
  >
}

export interface WarehouseMoves {
  readonly movements: number
  readonly received: number
  readonly picked: number
  readonly packed: number
  readonly dispatched: number
}

export interface Warehouse {
  readonly warehouseId: string
  readonly region: string | null
  readonly lines: number
  readonly merchants: number
  readonly onHand: number
  readonly low: number
  readonly negative: number
  readonly dwellS: number | null
  readonly oldestAt: Iso | null
  readonly recordedAt: Iso
  readonly lastDay: WarehouseMoves
}

export interface StockLine {
  readonly merchantId: string
  readonly sku: string
  readonly onHand: number
  readonly picked: number
  readonly received: number
  readonly dispatched: number
  readonly adjusted: number
  readonly reorderPoint: number | null
  readonly low: boolean
  readonly negative: boolean
  readonly dwellS: number | null
  readonly oldestAt: Iso | null
  readonly countedAt: Iso | null
  readonly countDifference: number | null
  readonly bin: string | null
  readonly recordedAt: Iso
}

export interface WarehouseHour extends WarehouseMoves {
  readonly hourStart: Iso
  readonly hourEnd: Iso
  readonly stored: number
}

export interface Workflow {
  readonly id: string
  readonly name: string
  readonly status: 'running' | 'done' | 'failed'
  readonly outcome: string | null
  readonly detail: unknown
  readonly entityType: string | null
  readonly entityId: string | null
  readonly alertId: string | null
  readonly runs: number
  readonly requestedAt: Iso
  readonly startedAt: Iso
  readonly endedAt: Iso | null
}

export interface WorkflowStep {
  readonly number: number
  readonly name: string
  readonly result: string | null
  readonly error: string | null
  readonly startedAt: Iso | null
  readonly endedAt: Iso | null
}

export interface WorkflowDetail extends Workflow {
  readonly input: unknown
  readonly steps: readonly WorkflowStep[]
}

export type MessageStatus =
  | 'queued'
  | 'held'
  | 'grouped'
  | 'retrying'
  | 'sent'
  | 'kept'
  | 'suppressed'
  | 'dead'

export interface Message {
  readonly id: string
  readonly createdAt: Iso
  readonly status: MessageStatus
  readonly reason: string | null
  readonly kind: 'email' | 'webhook' | 'slack' | 'teams' | 'inbox'
  readonly channel: string
  readonly to: string
  readonly subject: string
  readonly severity: Severity
  readonly category: string
  readonly template: string
  readonly attempts: number
  readonly dueAt: Iso | null
  readonly endedAt: Iso | null
  readonly groupId: string | null
  readonly workflowId: string
  readonly askedBy: string | null
  readonly alertId: string | null
  readonly entityType: string | null
  readonly entityId: string | null
}

export interface MessageContent {
  readonly subject: string
  readonly lines: readonly string[]
  readonly facts: readonly { readonly label: string; readonly value: string }[]
  readonly actions: readonly { readonly label: string; readonly url: string }[]
}

export interface MessageDetail extends Message {
  readonly content: MessageContent
  readonly tries: readonly {
    readonly attempt: number
    readonly at: Iso
    readonly tookMs: number
    readonly outcome: string
    readonly response: string
  }[]
}

export interface MessageTemplate {
  readonly name: string
  readonly purpose: string
  readonly template: MessageContent
  readonly preview: MessageContent
}

export interface MessageChannel {
  readonly name: string
  readonly kind: 'email' | 'webhook' | 'slack' | 'teams' | 'inbox'
  readonly to: string
  readonly signed: boolean
  readonly allowPrivateAddress: boolean
  readonly zone: string
  readonly quietHours: { readonly from: string; readonly to: string } | null
  readonly source: 'built-in' | 'file' | 'api'
  readonly updatedAt: string | null
  readonly updatedBy: string | null
}

export interface ContactPreference {
  readonly address: string
  readonly zone: string
  readonly quietHours: { readonly from: string; readonly to: string } | null
  readonly refused: readonly string[]
  readonly updatedAt: string
  readonly updatedBy: string
}
