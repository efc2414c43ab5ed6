// What the page of an alert needs of the rest of the program to say why it fired.

import { Type } from '@sinclair/typebox'
import type { AlertDocument } from './alert-json.ts'
import type { EventDocument } from './history-queries.ts'
import { nullable } from './schemas.ts'

/** A row of a reference table that the opening event was joined with. */
export interface ReferenceRow {
  readonly table: string
  /** Null where the row comes with the program. */
  readonly version: number | null
  readonly row: Readonly<Record<string, unknown>>
}

export interface AlertEvidence {
  /** As the task saw the tables at that position; empty where it looks at none. */
  referenceRows(
    alert: Pick<AlertDocument, 'position' | 'value'>,
    event: EventDocument,
  ): Promise<readonly ReferenceRow[]>
}

export const referenceRowSchema = Type.Object({
  table: Type.String(),
  version: nullable(Type.Integer()),
  row: Type.Record(Type.String(), Type.Unknown()),
})
