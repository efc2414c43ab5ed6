// What is done when somebody will be late: with an online variant the traveller is sent the link; without one the
// organizer is asked to move the appointment, reminded, and given up on in the end. Whatever is decided stands
// with the journey, on the alert's timeline, and is told to whom it concerns.

import type { ArrivalDesk, Decision } from '../../domains/arrivals/desk.ts'
import { type AnswerAction, signAnswerLink } from '../../kernel/answer-link.ts'
import { PlatformError } from '../../kernel/errors.ts'
import { derivedId } from '../../kernel/ids.ts'
import { type EpochMs, parseInstant, toIso } from '../../kernel/time.ts'
import type { AlertReader } from '../../ports/alert-reader.ts'
import type { AnswerStore } from '../../ports/answer-store.ts'
import type { ArrivalReader } from '../../ports/arrival-reader.ts'
import type { MessageTemplate } from '../../ports/message.ts'
import type {
  Kept,
  WorkflowContext,
  WorkflowDefinition,
  WorkflowOutcome,
} from '../../ports/workflow-engine.ts'
import type { Delivering } from '../messages/delivery.ts'
import { tell } from '../messages/message-workflows.ts'
import type { Placing } from '../messages/place-message.ts'
import { lateArrivalTemplates as templates } from './templates.ts'
import { ANSWER_AFTER_START_MS, askTimes } from './timetable.ts'

export const LATE_ARRIVAL_WORKFLOW = 'late-arrival'
/** Where escalations go; a channel of channels.yaml, or the inbox. */
export const DISPATCH_CHANNEL = 'dispatch'
/** What a message to somebody may be refused by. */
const CATEGORY = 'late-arrival'
/** The traveller who has not joined is reminded so long before the start. */
const JOIN_REMINDER_MS = 5 * 60_000

export interface LateArrivalOptions extends Placing, Delivering {
  readonly alerts: AlertReader
  readonly arrivals: ArrivalReader
  readonly answers: AnswerStore
  /** Changes appointments and journeys; what it does again does no harm. */
  readonly desk: Pick<ArrivalDesk, 'joinOnline' | 'recordDecision' | 'reschedule'>
}

/** What was looked up, as the steps keep it. */
type Looked = {
  readonly state: 'late' | 'unknown' | 'not-needed'
  /** When it was looked up. */
  readonly atMs: number
  readonly journeyId: string
  readonly appointmentId: string
  readonly title: string
  readonly place: string | null
  readonly startsAtMs: number
  readonly etaMs: number | null
  readonly organizerEmail: string
  readonly travelerEmail: string
  readonly traveler: string
  readonly onlineUrl: string | null
}

export function lateArrivalWorkflow(options: LateArrivalOptions): WorkflowDefinition {
  return {
    name: LATE_ARRIVAL_WORKFLOW,
    async run(context, input) {
      const { alertId, journeyId } = causeOf(input)
      const looked = await context.step('look up the appointment', () =>
        lookUp(context, { alertId, journeyId }, options),
      )
      if (looked.state === 'unknown') return { outcome: 'unknown-journey', failed: true }
      if (looked.state === 'not-needed') return { outcome: 'not-needed' }
      const run = new LateArrival(context, alertId, looked, options)
      return looked.onlineUrl === null ? run.askOrganizer() : run.sendLink()
    },
  }
}

class LateArrival {
  readonly #context: WorkflowContext
  readonly #alertId: string
  readonly #journey: Looked
  readonly #options: LateArrivalOptions

  constructor(
    context: WorkflowContext,
    alertId: string,
    journey: Looked,
    options: LateArrivalOptions,
  ) {
    this.#context = context
    this.#alertId = alertId
    this.#journey = journey
    this.#options = options
  }

  async sendLink(): Promise<WorkflowOutcome> {
    const { startsAtMs, traveler, travelerEmail, organizerEmail, atMs: nowMs } = this.#journey
    const endMs = Math.max(startsAtMs + ANSWER_AFTER_START_MS, nowMs)
    const links = () => this.#ask('join', travelerEmail, endMs, null)
    await this.#tell(travelerEmail, templates.joinOnline, {}, links)
    await this.#decide('link-sent', `The link was sent to ${travelerEmail}.`)
    let answer = await this.#answer(Math.max(nowMs, startsAtMs - JOIN_REMINDER_MS))
    if (answer === null && startsAtMs > nowMs) {
      await this.#tell(travelerEmail, templates.joinReminder, {}, links)
      answer = await this.#answer(endMs)
    }
    if (answer?.kind === 'over') return { outcome: 'on-time-again' }
    if (answer?.kind !== 'answered') return { outcome: 'link-sent' }
    await this.#acknowledge(travelerEmail)
    await this.#change('join online', (call) =>
      this.#options.desk.joinOnline(call, this.#journey.journeyId),
    )
    await this.#decide('joined-online', `${traveler} joins online.`)
    await this.#tell(organizerEmail, templates.joinedOnline, {})
    return { outcome: 'joined-online' }
  }

  async askOrganizer(): Promise<WorkflowOutcome> {
    const { startsAtMs, etaMs, organizerEmail, atMs } = this.#journey
    const times = askTimes({ nowMs: atMs, startsAtMs, etaMs })
    const links = () => this.#ask('reschedule', organizerEmail, times.endMs, times.proposedMs)
    const values = { proposedAt: toIso(times.proposedMs) }
    await this.#tell(organizerEmail, templates.reschedule, values, links)
    await this.#decide('reschedule-asked', `${organizerEmail} was asked to move it.`)
    let answer = await this.#answer(times.remindMs)
    if (answer === null) {
      await this.#tell(organizerEmail, templates.rescheduleReminder, values, links)
      answer = await this.#answer(times.escalateMs)
    }
    if (answer === null) {
      await this.#tell({ channel: DISPATCH_CHANNEL }, templates.noAnswer, {})
      await this.#decide('escalated', 'The organizer does not answer: the dispatchers were told.')
      answer = await this.#answer(times.endMs)
    }
    if (answer === null) {
      await this.#decide('timed-out', 'Nobody answered.')
      return { outcome: 'timed-out' }
    }
    if (answer.kind === 'over') {
      await this.#tell(organizerEmail, templates.onTimeAgain, {})
      return { outcome: 'on-time-again' }
    }
    return this.#follow(answer, times.proposedMs)
  }

  async #follow(answer: Answered, proposedMs: EpochMs): Promise<WorkflowOutcome> {
    const { appointmentId, journeyId, travelerEmail, organizerEmail } = this.#journey
    await this.#acknowledge(organizerEmail)
    if (answer.action === 'decline') {
      await this.#decide('declined', `${organizerEmail} keeps the start as it is.`)
      await this.#tell(travelerEmail, templates.keptAsItIs, {})
      return { outcome: 'declined' }
    }
    const startsAtMs = answer.action === 'propose' ? answer.startsAtMs : proposedMs
    await this.#change('reschedule', (call) =>
      this.#options.desk.reschedule(call, { appointmentId, startsAtMs, journeyId }),
    )
    const newStartsAt = toIso(startsAtMs)
    await this.#decide('rescheduled', `${organizerEmail} moved it to ${newStartsAt}.`)
    await this.#tell(travelerEmail, templates.rescheduled, { newStartsAt })
    return { outcome: 'rescheduled', detail: { startsAt: newStartsAt } }
  }

  /** Values for templates: the address of each answer. Asked again, they are the same. */
  async #ask(
    kind: 'reschedule' | 'join',
    asked: string,
    expiresAtMs: EpochMs,
    proposedMs: EpochMs | null,
  ): Promise<Record<string, string>> {
    const { answers, publicUrl } = this.#options
    const { id, tenantId } = this.#context
    const requestId = derivedId('answer', id, kind)
    const actions: readonly AnswerAction[] =
      kind === 'join' ? ['join'] : ['accept', 'decline', 'propose']
    await answers.ask({
      id: requestId,
      tenantId,
      workflowId: id,
      kind,
      asked,
      expiresAtMs,
      document: {
        ...this.#facts(),
        proposedAt: proposedMs === null ? null : toIso(proposedMs),
      },
    })
    const key = await answers.signingKey()
    const urls = actions.map((action): [string, string] => {
      const token = signAnswerLink({ requestId, action, expiresAtMs }, key)
      return [`${action}Url`, `${publicUrl ?? ''}/answer/${token}`]
    })
    return Object.fromEntries(urls)
  }

  /** What everybody may read of the appointment and the way to it. */
  #facts() {
    const { title, place, traveler, startsAtMs, etaMs, onlineUrl } = this.#journey
    const etaAt = etaMs === null ? null : toIso(etaMs)
    return { title, place, traveler, onlineUrl, startsAt: toIso(startsAtMs), etaAt }
  }

  async #tell(
    to: string | { readonly channel: string },
    template: MessageTemplate,
    values: Readonly<Record<string, string>>,
    prepare?: () => Promise<Readonly<Record<string, string>>>,
  ): Promise<void> {
    const { journeyId } = this.#journey
    await tell(
      this.#context,
      {
        causeId: derivedId('tell', this.#context.id, template.name),
        workflowId: this.#context.id,
        tenantId: this.#context.tenantId,
        template,
        category: CATEGORY,
        // It is of use now or never: quiet hours do not hold it back.
        severity: 'critical',
        about: { entityType: 'journey', entityId: journeyId, alertId: this.#alertId },
        to: [typeof to === 'string' ? { email: to } : to],
        values: { ...this.#facts(), ...values },
      },
      this.#options,
      prepare,
    )
  }

  /** Where a journey is gone meanwhile there is nothing to change. */
  async #change(
    name: string,
    change: (call: { tenantId: string; nowMs: EpochMs }) => Promise<string | null>,
  ): Promise<void> {
    await this.#context.step(name, () =>
      change({ tenantId: this.#context.tenantId, nowMs: this.#options.nowMs() }),
    )
  }

  /** Who answers has taken notice: nobody else needs to be told of the alert. */
  async #acknowledge(author: string): Promise<void> {
    await this.#context.step('acknowledge the alert', async () => {
      await this.#options.alerts.acknowledge(this.#alertId, author)
      return author
    })
  }

  async #decide(decision: Decision, text: string): Promise<void> {
    const { id, tenantId } = this.#context
    const decisionId = derivedId('decision', id, decision)
    await this.#context.step(`decided: ${decision}`, async () => {
      const nowMs = this.#options.nowMs()
      await this.#options.alerts.comment(this.#alertId, {
        id: decisionId,
        author: 'outrider',
        text,
      })
      return this.#options.desk.recordDecision(
        { tenantId, nowMs },
        {
          journeyId: this.#journey.journeyId,
          decisionId,
          decision,
          decidedAtMs: nowMs,
          alertId: this.#alertId,
          workflowId: id,
          detail: text,
        },
      )
    })
  }

  /** The next that matters: an answer, or that the alert is over. Null once it is `untilMs`. */
  async #answer(untilMs: EpochMs): Promise<Answered | { readonly kind: 'over' } | null> {
    for (;;) {
      const signal = await this.#context.receive('answer', untilMs)
      if (signal === null) return null
      const answer = answerOf(signal)
      if (answer !== undefined) return answer
    }
  }
}

interface Answered {
  readonly kind: 'answered'
  readonly action: AnswerAction
  /** Of `propose`; 0 otherwise. */
  readonly startsAtMs: EpochMs
}

/** Undefined for what changes nothing, such as that somebody took notice of the alert. */
function answerOf(signal: Kept): Answered | { readonly kind: 'over' } | undefined {
  const { kind, status, action, startsAt }: Record<string, unknown> = Object(signal)
  if (kind === 'alert') return status === 'resolved' ? { kind: 'over' } : undefined
  if (action === 'accept' || action === 'decline' || action === 'join') {
    return { kind: 'answered', action, startsAtMs: 0 }
  }
  const startsAtMs = parseInstant(startsAt)
  return action === 'propose' && startsAtMs !== undefined
    ? { kind: 'answered', action, startsAtMs }
    : undefined
}

async function lookUp(
  { tenantId }: WorkflowContext,
  { alertId, journeyId }: { readonly alertId: string; readonly journeyId: string },
  { alerts, arrivals, nowMs }: LateArrivalOptions,
): Promise<Looked> {
  const [alert, arrival] = await Promise.all([
    alerts.alert(alertId),
    arrivals.arrival(tenantId, journeyId),
  ])
  const facts = {
    atMs: nowMs(),
    journeyId,
    appointmentId: arrival?.appointmentId ?? '',
    title: arrival?.title ?? '',
    place: arrival?.place ?? null,
    startsAtMs: arrival?.startsAtMs ?? 0,
    etaMs: arrival?.etaP90Ms ?? arrival?.etaP50Ms ?? null,
    organizerEmail: arrival?.organizerEmail ?? '',
    travelerEmail: arrival?.travelerEmail ?? '',
    traveler: arrival?.travelerName ?? arrival?.travelerEmail ?? '',
    onlineUrl: arrival?.onlineUrl ?? null,
  }
  if (alert === undefined || arrival === undefined) return { state: 'unknown', ...facts }
  const isNeeded = alert.status === 'firing' && !alert.isQuiet && !arrival.over
  return { state: isNeeded ? 'late' : 'not-needed', ...facts }
}

function causeOf(input: unknown): { readonly alertId: string; readonly journeyId: string } {
  const { alertId, about }: Record<string, unknown> = Object(input)
  const journeyId: unknown = Object(about).entityId
  if (typeof alertId === 'string' && typeof journeyId === 'string') return { alertId, journeyId }
  throw new PlatformError('invariant-broken', 'A late arrival names no alert and journey.', {
    retry: 'never',
  })
}
