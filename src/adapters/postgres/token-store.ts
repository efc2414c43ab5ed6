// Bearer credentials in PostgreSQL, by the hash of their secret.

import type { Database, SqlRow } from '../../ports/database.ts'
import type { AccessToken, TokenStore } from '../../ports/token-store.ts'

const COLUMNS = `id, tenant_id, merchant_id, role, name, created_by,
  extract(epoch FROM created_at)::float8 * 1000 AS created_ms,
  extract(epoch FROM expires_at)::float8 * 1000 AS expires_ms,
  extract(epoch FROM revoked_at)::float8 * 1000 AS revoked_ms`

export function createTokenStore(database: Database): TokenStore {
  return {
    async find(hash) {
      const [row] = await database.query(
        `SELECT ${COLUMNS} FROM access_token WHERE token_hash = decode($1, 'hex')
           AND revoked_at IS NULL AND (expires_at IS NULL OR expires_at > now())`,
        [hex(hash)],
      )
      return row === undefined ? undefined : tokenOf(row)
    },
    async create(token, hash) {
      const { id, tenantId, merchantId, role, name, createdAtMs, createdBy, expiresAtMs } = token
      await database.query(
        `INSERT INTO access_token (id, tenant_id, merchant_id, role, name, token_hash, created_at, created_by,
           expires_at) VALUES ($1, $2, $3, $4, $5, decode($6, 'hex'), $7, $8, $9)`,
        [
          ...[id, tenantId, merchantId, role, name, hex(hash), new Date(createdAtMs), createdBy],
          expiresAtMs === null ? null : new Date(expiresAtMs),
        ],
      )
    },
    async list(limit, tenantId) {
      const rows = await database.query(
        `SELECT ${COLUMNS} FROM access_token WHERE $2::text IS NULL OR tenant_id = $2
         ORDER BY created_at DESC, id LIMIT $1`,
        [limit, tenantId ?? null],
      )
      return rows.map(tokenOf)
    },
    async revoke(id, by, tenantId) {
      const rows = await database.query(
        `UPDATE access_token SET revoked_at = now(), revoked_by = $2
         WHERE id::text = $1 AND revoked_at IS NULL AND ($3::text IS NULL OR tenant_id = $3) RETURNING id`,
        [id.toLowerCase(), by, tenantId ?? null],
      )
      return rows.length > 0
    },
  }
}

function tokenOf(row: SqlRow): AccessToken {
  return {
    id: String(row.id),
    tenantId: String(row.tenant_id),
    merchantId: row.merchant_id === null ? null : String(row.merchant_id),
    role: String(row.role),
    name: String(row.name),
    createdAtMs: Number(row.created_ms),
    createdBy: String(row.created_by),
    expiresAtMs: row.expires_ms === null ? null : Number(row.expires_ms),
    revokedAtMs: row.revoked_ms === null ? null : Number(row.revoked_ms),
  }
}

function hex(hash: Uint8Array): string {
  return Buffer.from(hash).toString('hex')
}
