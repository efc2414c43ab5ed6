// What is told to people and their programs, and how a domain asks for it.

import type { DurationMs, EpochMs } from '../kernel/time.ts'

export type ChannelKind = 'email' | 'webhook' | 'slack' | 'teams' | 'inbox'
export type MessageSeverity = 'critical' | 'major' | 'minor' | 'warning' | 'info'

/** What a message is about: found again by it. */
export type MessageSubject = {
  readonly entityType: string
  readonly entityId: string
  readonly alertId?: string
}

/**
 * The payload of an effect of kind `message`. The id of the effect is that of the message, so that one cause
 * tells one receiver once.
 */
export type MessageRequest = {
  /** Name of a template. */
  readonly template: string
  /** A person's address, or the name of a channel of channels.yaml. */
  readonly to: { readonly email: string } | { readonly channel: string }
  /** What people may refuse, such as `shipment-milestone`. */
  readonly category: string
  readonly severity: MessageSeverity
  /** For the template's placeholders. Names that end in `At` hold instants (ISO 8601), shown in the receiver's zone. */
  readonly values: Readonly<Record<string, string | number | null>>
  readonly about?: MessageSubject
}

/** The kind of an effect that asks for a message: `context.effect(MESSAGE_EFFECT, request)`. */
export const MESSAGE_EFFECT = 'message'

/**
 * The words of a message, the same for each channel. `{name}` is replaced by the value of that name; a line or
 * fact whose value is missing is left out.
 */
export interface MessageTemplate {
  readonly name: string
  /** When it is used, for whoever changes it. */
  readonly purpose: string
  readonly subject: string
  readonly lines: readonly string[]
  readonly facts: readonly { readonly label: string; readonly value: string }[]
  readonly actions: readonly { readonly label: string; readonly url: string }[]
  /** Values to show it with. */
  readonly example: MessageRequest['values']
}

/** A template with its values in place: what each channel draws in its own way. */
export type MessageContent = {
  readonly subject: string
  readonly lines: readonly string[]
  readonly facts: readonly { readonly label: string; readonly value: string }[]
  readonly actions: readonly { readonly label: string; readonly url: string }[]
}

/** A message on its way out. */
export interface OutgoingMessage {
  readonly id: string
  readonly kind: ChannelKind
  readonly channel: string
  readonly address: string
  readonly severity: MessageSeverity
  readonly category: string
  readonly template: string
  readonly content: MessageContent
  readonly about: MessageSubject | null
  readonly createdAtMs: EpochMs
}

export type Delivery =
  /** The other side took it. */
  | { readonly outcome: 'sent'; readonly response: string }
  /** There is no server for it; it can be read on the page of messages. */
  | { readonly outcome: 'kept'; readonly response: string }
  /** May work later. */
  | { readonly outcome: 'failed'; readonly response: string; readonly retryAfterMs?: DurationMs }
  /** Will never work. */
  | { readonly outcome: 'refused'; readonly response: string }

/** Hands messages of some kinds to the other side. Never rejects for what the other side does. */
export interface MessageTransport {
  send(message: OutgoingMessage): Promise<Delivery>
  close(): Promise<void>
}
