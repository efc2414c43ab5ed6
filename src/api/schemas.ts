// Pieces that the schemas of several routes share: they check requests and make the OpenAPI document.

import { type Static, type TSchema, Type } from '@sinclair/typebox'

export const MAX_LIMIT = 1_000
export const DEFAULT_LIMIT = 100
export const MAX_TEXT_LENGTH = 2_000

export const instant = (description: string) =>
  Type.String({ description, examples: ['2026-01-01T10:00:00.000Z'] })
export const nullable = <T extends TSchema>(schema: T) => Type.Union([schema, Type.Null()])
export const text = () => Type.String({ minLength: 1, maxLength: 200 })

/** Query objects refuse what they do not know. */
export const query = <T extends Record<string, TSchema>>(properties: T) =>
  Type.Object(properties, { additionalProperties: false })

export const instantParameter = (description: string) =>
  Type.Optional(
    Type.String({
      maxLength: 40,
      description: `${description}: ISO 8601 with offset, or epoch milliseconds`,
    }),
  )

export const range = {
  from: instantParameter('Start, included'),
  to: instantParameter('End, excluded'),
}

export const paging = {
  limit: Type.Optional(Type.Integer({ minimum: 1, maximum: MAX_LIMIT, default: DEFAULT_LIMIT })),
  cursor: Type.Optional(
    Type.String({ maxLength: 1_000, description: '`next` of the page before' }),
  ),
}

export const listOf = <T extends TSchema>(item: T) =>
  Type.Object({ items: Type.Array(item), next: nullable(Type.String()) })

export const idParameter = Type.Object({ id: text() })

export const problemSchema = Type.Object(
  {
    type: Type.String(),
    title: Type.String(),
    status: Type.Integer(),
    detail: Type.String(),
    code: Type.String(),
    requestId: Type.String(),
    errors: Type.Array(
      Type.Object({ path: Type.String(), code: Type.String(), message: Type.String() }),
    ),
  },
  { description: 'RFC 9457 problem details' },
)

export type Problem = Static<typeof problemSchema>
