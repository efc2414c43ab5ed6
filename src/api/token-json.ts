// Bearer credentials as JSON shows them; the token itself is not among it.

import { toIso } from '../kernel/time.ts'
import type { AccessToken } from '../ports/token-store.ts'

export function tokenJson({ createdAtMs, expiresAtMs, revokedAtMs, ...rest }: AccessToken) {
  return {
    ...rest,
    createdAt: toIso(createdAtMs),
    expiresAt: expiresAtMs === null ? null : toIso(expiresAtMs),
    revokedAt: revokedAtMs === null ? null : toIso(revokedAtMs),
  }
}
