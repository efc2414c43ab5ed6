// Keys of different tenants never meet, even where they are spelled alike.

import { DEFAULT_TENANT } from '../kernel/tenants.ts'

/** No event key and no tenant's name begins with it, or it is doubled. */
const TENANT_MARK = '\u001f'

/** A key as a task tells it from all others of its partition. */
export function scopedKey(tenantId: string, key: string): string {
  if (tenantId !== DEFAULT_TENANT) return `${TENANT_MARK}${tenantId}${TENANT_MARK}${key}`
  return key.startsWith(TENANT_MARK) ? `${TENANT_MARK}${TENANT_MARK}${key}` : key
}
