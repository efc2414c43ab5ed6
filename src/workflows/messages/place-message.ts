// From a request to the messages that carry it: who it goes to, whether they want it, when, and with what words.

import { derivedId } from '../../kernel/ids.ts'
import type { EpochMs } from '../../kernel/time.ts'
import type { MessageSeverity, MessageSubject, MessageTemplate } from '../../ports/message.ts'
import type {
  ContactPreference,
  MessageDraft,
  MessageStore,
  PlacedMessage,
  Placement,
} from '../../ports/message-store.ts'
import { type Channel, type ChannelTable, INBOX } from './channels.ts'
import { fillTemplate } from './fill-template.ts'
import { admit, EMPTY_GATE, type Gate } from './gate.ts'
import { quietUntil } from './quiet-hours.ts'
import { GATHERED_TEMPLATE } from './templates.ts'

export interface Wanted {
  /** Of the cause: ids of messages are derived from it. */
  readonly causeId: string
  /** That asks, and delivers where the message goes to one address at once. */
  readonly workflowId: string
  readonly tenantId: string
  readonly template: MessageTemplate
  readonly values: MessageTemplate['example']
  readonly category: string
  readonly severity: MessageSeverity
  readonly about: MessageSubject | null
  readonly to: readonly (
    | { readonly email: string }
    /** `instead`: where there is no such channel. */
    | { readonly channel: string; readonly instead?: string }
  )[]
}

export interface Placing {
  readonly store: MessageStore
  readonly channels: () => ChannelTable
  readonly nowMs: () => EpochMs
}

interface Addressed {
  readonly channel: Channel
  readonly preference: ContactPreference | null
  /** Why it does not go where it was meant to. */
  readonly detour: string | null
}

/** The same cause places the same messages, however often it is done. */
export async function placeMessages(
  wanted: Wanted,
  { store, channels, nowMs }: Placing,
): Promise<readonly PlacedMessage[]> {
  const table = channels()
  const addressed = await Promise.all(
    wanted.to.map((to) => address(to, table, wanted.tenantId, store)),
  )
  const alone = addressed.length === 1
  const drafts = new Map(
    addressed.map((each) => {
      const made = draft(wanted, each, { alone })
      return [made.id, { made, each }]
    }),
  )
  return store.place(
    [...drafts.values()].map(({ made }) => made),
    (made, gate) => {
      const each = drafts.get(made.id)?.each
      return each === undefined ? REFUSED : decide(made, each, gate, nowMs())
    },
    { asks: !alone },
  )
}

const REFUSED: Placement = { gate: null, status: 'suppressed', reason: null, group: null }

async function address(
  to: Wanted['to'][number],
  table: ChannelTable,
  tenantId: string,
  store: MessageStore,
): Promise<Addressed> {
  if ('channel' in to) {
    const { channel: wanted, instead = wanted } = to
    const channel = table.get(wanted) ?? table.get(instead)
    if (channel !== undefined) return { channel, preference: null, detour: null }
    return { channel: INBOX, preference: null, detour: `There is no channel "${instead}".` }
  }
  const preference = (await store.preference(tenantId, to.email)) ?? null
  const zone = preference?.zone ?? 'UTC'
  const quiet =
    preference?.quietFrom != null && preference.quietTo !== null
      ? { zone, from: preference.quietFrom, to: preference.quietTo }
      : null
  return {
    channel: {
      ...INBOX,
      name: 'email',
      kind: 'email',
      address: to.email.toLowerCase(),
      zone,
      quietHours: quiet,
    },
    preference,
    detour: null,
  }
}

function draft(
  wanted: Wanted,
  { channel }: Addressed,
  { alone }: { readonly alone: boolean },
): MessageDraft {
  const { causeId, workflowId, tenantId, template, category, severity, about } = wanted
  const id = derivedId('message', causeId, channel.name, channel.address)
  return {
    id,
    tenantId,
    workflowId: alone ? workflowId : derivedId('deliver', id),
    askedBy: workflowId,
    template: template.name,
    category,
    severity,
    channel: channel.name,
    kind: channel.kind,
    address: channel.address,
    content: fillTemplate(template, wanted.values, channel.zone),
    about,
  }
}

function decide(
  made: MessageDraft,
  { channel, preference, detour }: Addressed,
  state: unknown,
  nowMs: EpochMs,
): Placement {
  if (preference?.refused.includes(made.category) === true) {
    const reason = `The receiver does not want messages about ${made.category}.`
    return { gate: null, status: 'suppressed', reason, group: null }
  }
  // People look at the inbox when they want to: nothing is held back there.
  if (channel.kind === 'inbox') return { gate: null, status: 'queued', reason: detour, group: null }
  const quietUntilMs = channel.quietHours === null ? null : quietUntil(channel.quietHours, nowMs)
  const { gate, admission } = admit(gateOf(state), { nowMs, severity: made.severity, quietUntilMs })
  if (admission.kind === 'now') return { gate, status: 'queued', reason: detour, group: null }
  return {
    gate,
    status: 'grouped',
    reason: quietUntilMs === null ? 'One of many at once.' : 'It came in quiet hours.',
    group: {
      message: gathering(made, admission.gathering, channel.zone),
      dueMs: admission.dueMs,
      opens: admission.opens,
    },
  }
}

/** Its words are put in place when it goes: then it is known what goes with it. */
function gathering(made: MessageDraft, number: number, zone: string): MessageDraft {
  const id = derivedId('gathering', made.tenantId, made.kind, made.address, number)
  return {
    ...made,
    id,
    workflowId: derivedId('deliver', id),
    template: GATHERED_TEMPLATE.name,
    category: GATHERED_TEMPLATE.name,
    content: fillTemplate(GATHERED_TEMPLATE, { count: 'Several' }, zone),
    about: null,
  }
}

function gateOf(state: unknown): Gate {
  const { sentAtMs, gatherings, gatheringDueMs }: Record<string, unknown> = Object(state)
  return {
    sentAtMs: Array.isArray(sentAtMs) ? sentAtMs.map(Number) : EMPTY_GATE.sentAtMs,
    gatherings: Number(gatherings ?? 0),
    gatheringDueMs: typeof gatheringDueMs === 'number' ? gatheringDueMs : null,
  }
}
