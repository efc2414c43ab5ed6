// Parts of a compiled condition: what each may say of the event that the field table holds.

import type { ASTNode } from '@marcbachmann/cel-js'

/** What a condition may say of an event: it fails where a field it needs is missing. */
export const NO = 0
export const YES = 1
export const FAILS = 2
export type Verdict = typeof NO | typeof YES | typeof FAILS

export interface Place {
  readonly node: ASTNode
  readonly text: string
  readonly parts: readonly Built[]
}

export type Built = Place &
  (
    | { readonly kind: 'flag'; readonly test: () => Verdict; readonly isField: boolean }
    | {
        readonly kind: 'number'
        readonly value: () => number
        /** A field that is null is one; what was computed of it has failed. */
        readonly isField: boolean
        readonly constant: number | null
      }
    | {
        readonly kind: 'text'
        readonly read: () => string | null
        readonly constant: string | null
      }
    | { readonly kind: 'null' }
  )
export type Flag = Extract<Built, { kind: 'flag' }>
export type Numeric = Extract<Built, { kind: 'number' }>
export type Textual = Extract<Built, { kind: 'text' }>
