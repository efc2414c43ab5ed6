// What the server is given: ports to read from, and functions that tell how the rest of the program does.

import type { ArrivalDesk } from '../domains/arrivals/desk.ts'
import type { GoodsProfile } from '../domains/cold-chain/profiles.ts'
import type { VehicleProfile } from '../domains/vehicles/reference.ts'
import type { WindowSpan } from '../domains/vehicles/windows.ts'
import type { EpochMs } from '../kernel/time.ts'
import type { ArchiveLayout } from '../ports/archive.ts'
import type { Database } from '../ports/database.ts'
import type { MessageContent, MessageTemplate } from '../ports/message.ts'
import type { TenantDatabase } from '../ports/tenant-database.ts'
import type { Views } from '../ports/views.ts'
import type { AlertEvidence } from './alert-evidence.ts'
import type { ChannelDesk } from './channel-desk.ts'
import type { EntityView } from './pending-alerts.ts'
import type { ProcessServerOptions } from './process-server.ts'
import type { RuleDesk } from './rule-desk.ts'

/** What `GET /history` needs to know of a topic; a `TopicDefinition` is one. */
export interface ArchivedTopic {
  readonly name: string
  readonly archive: ArchiveLayout
}

export interface TopicStatus {
  readonly topic: string
  readonly partitions: readonly {
    readonly partition: number
    readonly endOffset: number
    readonly committedOffset: number
    /** Null before the first event. */
    readonly watermarkMs: EpochMs | null
  }[]
}

export interface PartStatus {
  readonly name: string
  readonly ready: boolean
  /** Why it is not; shown to anybody, so without internal detail. */
  readonly reason: string | null
}

export interface DeadLetterReplay {
  readonly accepted: number
  readonly rejected: readonly {
    readonly id: string
    readonly code: string
    readonly message: string
    readonly path: string
  }[]
}

/** What the program gives: `ServerOptions`, with databases that are not bound to a caller. */
export interface ServerParts extends Omit<ServerOptions, 'database'> {
  /** Everything, whoever asks: for what belongs to nobody in particular. */
  readonly wholeDatabase: Database
  readonly tenantDatabase: TenantDatabase
}

/** A template, and how it looks with its example in place. */
export interface TemplateExample {
  readonly name: string
  readonly purpose: string
  readonly template: MessageContent
  readonly example: MessageTemplate['example']
  readonly preview: MessageContent
}

export interface ServerOptions extends ProcessServerOptions {
  /** For routes: it answers within the scope of the caller, and outside of a request not at all. */
  readonly database: Database
  readonly views: Views
  /** 256 bits by chance, as 43 characters; different each time. */
  newSecret(): string
  /** Of the program, for documents that leave it. */
  readonly version: string
  /** Folder with the built dashboard; null where it is served elsewhere. */
  readonly dashboardDir: string | null
  readonly topics: readonly ArchivedTopic[]
  topicStatus(): Promise<readonly TopicStatus[]>
  readonly ruleDesk: RuleDesk
  readonly alertEvidence: AlertEvidence
  /** Views whose documents say which rules are about to fire. */
  readonly entityViews: readonly EntityView[]
  /** Null where this process cannot write to the log. */
  readonly arrivalDesk: ArrivalDesk | null
  /** Null where this process keeps no channels. */
  readonly channelDesk: ChannelDesk | null
  /** The words of messages, with an example of each. */
  readonly messageTemplates: readonly TemplateExample[]
  profiles(): readonly GoodsProfile[]
  /** What the reference tables in force say of a vehicle. */
  vehicleProfile(vehicleId: string): VehicleProfile
  /** What is computed; the first is given unless another is asked for. */
  readonly vehicleWindows: readonly WindowSpan[]
  /** Sends dead letters through their door again; absent where there is no door. */
  replayDeadLetters?(request: {
    readonly ids: readonly string[]
    readonly tenantId: string
  }): Promise<DeadLetterReplay>
  /** Hears that somebody handled alerts or silences: the routing need not wait for its next look. */
  onAlertsHandled?(): void
}
