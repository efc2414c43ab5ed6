// What people outside are asked by signed links, and what they answered.

import type { EpochMs } from '../kernel/time.ts'

export interface AnswerRequest {
  /** Derived from the workflow and what it asks. */
  readonly id: string
  readonly tenantId: string
  readonly workflowId: string
  readonly kind: 'reschedule' | 'join'
  /** Who is asked. */
  readonly asked: string
  /** What the page says. */
  readonly document: Readonly<Record<string, string | null>>
  readonly expiresAtMs: EpochMs
}

export interface AnswerStore {
  /** Of this installation; made once. */
  signingKey(): Promise<Uint8Array>
  /** Asked again, it stays as it is. */
  ask(request: AnswerRequest): Promise<void>
}
