// What workflows need to know of somebody who is on the way.

import type { EpochMs } from '../kernel/time.ts'

export interface ArrivalFacts {
  readonly tenantId: string
  readonly journeyId: string
  readonly appointmentId: string
  readonly title: string
  readonly place: string | null
  readonly startsAtMs: EpochMs
  readonly organizerEmail: string
  readonly onlineUrl: string | null
  readonly travelerEmail: string
  readonly travelerName: string | null
  readonly etaP50Ms: EpochMs | null
  readonly etaP90Ms: EpochMs | null
  /** Nobody needs to arrive any more: arrived, joined online, or canceled. */
  readonly over: boolean
}

export interface ArrivalReader {
  arrival(tenantId: string, journeyId: string): Promise<ArrivalFacts | undefined>
}
