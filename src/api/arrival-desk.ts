// What the routes of appointments and journeys share: the desk that changes them, who asks it, and how it refuses.

import { Type } from '@sinclair/typebox'
import type { FastifyRequest } from 'fastify'
import {
  type ArrivalDesk,
  type DeskCall,
  MAX_JOURNEYS_PER_APPOINTMENT,
  type Refusal,
} from '../domains/arrivals/desk.ts'
import { principalOf } from './access.ts'
import type { ServerOptions } from './options.ts'
import { HttpProblem } from './problems.ts'

/** As browsers check it; whether anybody reads there is shown by what is sent. */
export const EMAIL =
  '^[^\\s@<>(),;:"\\[\\]\\\\]{1,64}@[A-Za-z0-9](?:[A-Za-z0-9.-]{0,250}[A-Za-z0-9])?$'
export const email = () =>
  Type.String({ maxLength: 320, pattern: EMAIL, expected: 'an e-mail address' })

export function callOf(request: FastifyRequest, { clock }: Pick<ServerOptions, 'clock'>): DeskCall {
  return { tenantId: principalOf(request).tenantId, nowMs: clock.nowMs() }
}

export function deskOf({ arrivalDesk }: Pick<ServerOptions, 'arrivalDesk'>): ArrivalDesk {
  if (arrivalDesk !== null) return arrivalDesk
  throw new HttpProblem(
    'unavailable-here',
    'This process does not write to the log: ask one that has the role doors.',
  )
}

export function refused(refusal: Refusal): HttpProblem {
  switch (refusal) {
    case 'unknown-appointment':
      return new HttpProblem('not-found', 'There is no appointment of this id.')
    case 'unknown-journey':
      return new HttpProblem('not-found', 'There is no journey of this id.')
    case 'other-appointment':
      return new HttpProblem('conflict', 'This journey leads to another appointment.')
    case 'full':
      return new HttpProblem(
        'limit-reached',
        `An appointment takes ${MAX_JOURNEYS_PER_APPOINTMENT} journeys.`,
      )
  }
}
