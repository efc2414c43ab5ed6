// Bearer credentials, by the hash of their secret.

import type { EpochMs } from '../kernel/time.ts'

export interface AccessToken {
  readonly id: string
  readonly tenantId: string
  /** Set where the role shows the rows of one merchant alone. */
  readonly merchantId: string | null
  /** Whoever lets in decides what it allows; one that they do not know allows nothing. */
  readonly role: string
  /** What it is for, in somebody's words. */
  readonly name: string
  readonly createdAtMs: EpochMs
  readonly createdBy: string
  /** Null: never. */
  readonly expiresAtMs: EpochMs | null
  readonly revokedAtMs: EpochMs | null
}

export interface TokenStore {
  /** A token of this hash (SHA-256) that holds now: not revoked, not expired. */
  find(hash: Uint8Array): Promise<AccessToken | undefined>
  create(token: AccessToken, hash: Uint8Array): Promise<void>
  /** Newest first, at most `limit`; also those that hold no longer. Of every tenant where none is named. */
  list(limit: number, tenantId?: string): Promise<readonly AccessToken[]>
  /** False where there is no such token, or it was revoked before. Of any tenant where none is named. */
  revoke(id: string, by: string, tenantId?: string): Promise<boolean>
}
