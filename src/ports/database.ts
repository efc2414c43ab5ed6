// SQL for reading, and for what the API changes itself. The engine writes through the checkpoint store.

export type SqlParameter =
  | string
  | number
  | boolean
  | null
  | Date
  | readonly (string | number | null)[]
export type SqlRow = Readonly<Record<string, unknown>>

export interface Database {
  /** One statement with `$1 …` parameters. Rejects with `database-unavailable` (retry later) where Postgres does not answer. */
  query(sql: string, parameters?: readonly SqlParameter[]): Promise<readonly SqlRow[]>
  /** The same, batch by batch, without holding the whole answer in memory. */
  stream(
    sql: string,
    parameters: readonly SqlParameter[],
    options: { readonly batchRows: number },
  ): AsyncIterable<readonly SqlRow[]>
}
