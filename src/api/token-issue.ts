// A new bearer credential: its secret, and what is kept of it.

import { derivedId } from '../kernel/ids.ts'
import { DEFAULT_TENANT } from '../kernel/tenants.ts'
import type { EpochMs } from '../kernel/time.ts'
import type { AccessToken } from '../ports/token-store.ts'
import { type Role, TOKEN_PREFIX, tokenHash } from './access.ts'

export const MAX_TOKENS_LISTED = 1_000

export interface TokenRequest {
  /** 256 bits that nobody can guess. */
  readonly secret: string
  readonly role: Role
  /** For a merchant, the merchant, of the platform `platform`; for others the platform. */
  readonly tenant: string | undefined
  readonly platform?: string
  readonly name: string
  readonly createdBy: string
  readonly nowMs: EpochMs
  readonly expiresAtMs: EpochMs | null
}

export function newToken(request: TokenRequest): {
  readonly token: AccessToken
  readonly hash: Uint8Array
  /** What the holder sends; it is not kept. */
  readonly secret: string
} {
  const { role, tenant, platform = DEFAULT_TENANT, name, createdBy, nowMs, expiresAtMs } = request
  const secret = `${TOKEN_PREFIX}${request.secret}`
  const hash = tokenHash(secret)
  const isMerchant = role === 'merchant'
  const token = {
    id: derivedId('access-token', Buffer.from(hash).toString('hex')),
    tenantId: isMerchant ? platform : (tenant ?? platform),
    merchantId: isMerchant ? (tenant ?? null) : null,
    role,
    name,
    createdAtMs: nowMs,
    createdBy,
    expiresAtMs,
    revokedAtMs: null,
  }
  return { token, hash, secret }
}
