// What is said to travellers and organizers of an appointment that somebody will be late for.

import type { MessageTemplate } from '../../ports/message.ts'

const example = {
  title: 'Quarterly review',
  place: 'Harbour office, room 4',
  traveler: 'Ada Otieno',
  startsAt: '2026-11-27T10:00:00Z',
  etaAt: '2026-11-27T10:25:00Z',
  proposedAt: '2026-11-27T10:35:00Z',
  newStartsAt: '2026-11-27T10:35:00Z',
  onlineUrl: 'https://meet.example/quarterly-review',
  joinUrl: 'https://outrider.example/answer/join',
  acceptUrl: 'https://outrider.example/answer/accept',
  proposeUrl: 'https://outrider.example/answer/propose',
  declineUrl: 'https://outrider.example/answer/decline',
}

const appointmentFacts = [
  { label: 'Appointment', value: '{title}' },
  { label: 'Place', value: '{place}' },
  { label: 'Starts', value: '{startsAt}' },
] as const
const expectedFact = { label: 'Expected arrival', value: '{etaAt}' } as const

const answers = [
  { label: 'Move it to {proposedAt}', url: '{acceptUrl}' },
  { label: 'Propose another time', url: '{proposeUrl}' },
  { label: 'Keep it as it is', url: '{declineUrl}' },
] as const

export const lateArrivalTemplates = {
  joinOnline: {
    name: 'late-arrival-join-online',
    purpose: 'The traveller will be late, and the appointment can be joined online.',
    subject: 'Join “{title}” online: you will not be there in time',
    lines: [
      'As traffic stands, you will not reach “{title}” by its start. It can be joined online.',
      'Please do not open the meeting while you drive: stop first, or let somebody else do it.',
    ],
    facts: [...appointmentFacts, expectedFact, { label: 'Meeting', value: '{onlineUrl}' }],
    actions: [{ label: 'Join online', url: '{joinUrl}' }],
    example,
  },
  joinReminder: {
    name: 'late-arrival-join-reminder',
    purpose: 'The appointment begins, and the traveller who is late has not joined online.',
    subject: '“{title}” is about to begin: join online',
    lines: ['You are still on the way. The meeting can be joined online.'],
    facts: [...appointmentFacts, expectedFact, { label: 'Meeting', value: '{onlineUrl}' }],
    actions: [{ label: 'Join online', url: '{joinUrl}' }],
    example,
  },
  joinedOnline: {
    name: 'late-arrival-joined-online',
    purpose: 'Tells the organizer that a traveller who is late joins online.',
    subject: '{traveler} joins “{title}” online',
    lines: ['{traveler} is late on the way and takes part online.'],
    facts: [...appointmentFacts],
    actions: [],
    example,
  },
  reschedule: {
    name: 'late-arrival-reschedule',
    purpose: 'Asks the organizer to move an appointment that somebody will be late for.',
    subject: '{traveler} will be late for “{title}”: move it to {proposedAt}?',
    lines: [
      'As traffic stands, {traveler} will not reach “{title}” by its start.',
      'Your answer moves the appointment and tells {traveler}. Each link works once.',
    ],
    facts: [...appointmentFacts, expectedFact, { label: 'Suggested start', value: '{proposedAt}' }],
    actions: [...answers],
    example,
  },
  rescheduleReminder: {
    name: 'late-arrival-reschedule-reminder',
    purpose: 'Reminds the organizer of the question whether to move an appointment.',
    subject: 'Still waiting for your answer: {traveler} will be late for “{title}”',
    lines: ['{traveler} will still be late. Shall “{title}” be moved?'],
    facts: [...appointmentFacts, expectedFact, { label: 'Suggested start', value: '{proposedAt}' }],
    actions: [...answers],
    example,
  },
  noAnswer: {
    name: 'late-arrival-no-answer',
    purpose: 'Tells the dispatchers that the organizer does not answer.',
    subject: 'No answer about “{title}”: {traveler} will be late',
    lines: ['The organizer was asked to move “{title}” and reminded, and has not answered.'],
    facts: [...appointmentFacts, expectedFact],
    actions: [],
    example,
  },
  rescheduled: {
    name: 'late-arrival-rescheduled',
    purpose: 'Tells the traveller that the appointment was moved.',
    subject: '“{title}” now starts at {newStartsAt}',
    lines: ['The organizer moved “{title}” because you will be late. Drive safely.'],
    facts: [
      { label: 'Appointment', value: '{title}' },
      { label: 'Place', value: '{place}' },
      { label: 'New start', value: '{newStartsAt}' },
    ],
    actions: [],
    example,
  },
  keptAsItIs: {
    name: 'late-arrival-kept',
    purpose: 'Tells the traveller that the appointment is not moved.',
    subject: '“{title}” is not moved',
    lines: ['“{title}” starts as it was agreed. Everybody knows that you are late: drive safely.'],
    facts: [...appointmentFacts, expectedFact],
    actions: [],
    example,
  },
  onTimeAgain: {
    name: 'late-arrival-on-time-again',
    purpose: 'Tells the organizer who was asked that no answer is needed any more.',
    subject: '{traveler} will be in time for “{title}” after all',
    lines: ['No answer is needed any more.'],
    facts: [...appointmentFacts],
    actions: [],
    example,
  },
} as const satisfies Readonly<Record<string, MessageTemplate>>
