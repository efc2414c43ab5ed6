// Where messages are kept from when they are decided until they are delivered or given up.

import type { DurationMs, EpochMs } from '../kernel/time.ts'
import type {
  ChannelKind,
  Delivery,
  MessageContent,
  MessageSeverity,
  MessageSubject,
  OutgoingMessage,
} from './message.ts'

export type MessageStatus =
  | 'queued'
  | 'held'
  | 'grouped'
  | 'retrying'
  | 'sent'
  | 'kept'
  | 'suppressed'
  | 'dead'

/** How a person wants to be written to. */
export interface ContactPreference {
  readonly zone: string
  readonly quietFrom: string | null
  readonly quietTo: string | null
  readonly refused: readonly string[]
}

export interface MessageDraft {
  /** Derived from the cause and the address. */
  readonly id: string
  readonly tenantId: string
  /** That delivers it. */
  readonly workflowId: string
  /** That asked for it. */
  readonly askedBy: string
  readonly template: string
  readonly category: string
  readonly severity: MessageSeverity
  readonly channel: string
  readonly kind: ChannelKind
  readonly address: string
  readonly content: MessageContent
  readonly about: MessageSubject | null
}

/** What becomes of a draft, and what its address's gate looks like afterwards. */
export interface Placement {
  /** Null: as it was. */
  readonly gate: unknown
  readonly status: 'queued' | 'grouped' | 'suppressed'
  readonly reason: string | null
  /** The message that it goes with, where it is grouped. */
  readonly group: {
    readonly message: MessageDraft
    readonly dueMs: EpochMs
    /** It is the first: the group's message is made, and an effect that delivers it at its time. */
    readonly opens: boolean
  } | null
}

export interface PlacedMessage {
  readonly id: string
  readonly status: MessageStatus
}

export interface MessageStore {
  preference(tenantId: string, address: string): Promise<ContactPreference | undefined>
  /**
   * One transaction for all drafts: those whose id is there already are left as they are. `decide` is called with
   * the state of the address's gate, which nobody else changes meanwhile. With `asks`, each message that goes at
   * once has a workflow of its own asked for, under its `workflowId`; otherwise the caller delivers.
   */
  place(
    drafts: readonly MessageDraft[],
    decide: (draft: MessageDraft, gate: unknown) => Placement,
    options: { readonly asks: boolean },
  ): Promise<readonly PlacedMessage[]>
  /** Undefined where it is unknown or needs no delivery any more. */
  outgoing(id: string): Promise<OutgoingMessage | undefined>
  /** What goes with a group's message, worst and newest first; `total` counts all. */
  groupedWith(
    id: string,
    limit: number,
  ): Promise<{
    readonly total: number
    readonly items: readonly { readonly subject: string; readonly severity: MessageSeverity }[]
  }>
  /** Puts the words of a group's message in place, before it is sent. */
  write(id: string, content: MessageContent): Promise<void>
  /** Has a workflow of its own deliver it, no sooner than that; asked again, it stays as it is. */
  handOn(id: string, workflowId: string, dueMs: EpochMs): Promise<void>
  /** One attempt and where it leaves the message. What goes with it ends likewise. */
  attempted(
    id: string,
    attempt: {
      readonly number: number
      readonly tookMs: DurationMs
      readonly delivery: Delivery
      readonly status: 'retrying' | 'sent' | 'kept' | 'dead'
      readonly dueMs: EpochMs | null
    },
  ): Promise<void>
}
