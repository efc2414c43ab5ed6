// Reads fields that are known by name only once the program runs into the slots of a table. The names are put into
// code once, as the schemas of events are, so that a field costs what it costs where it stands in the source: looked
// up by a name that changes from one read to the next it costs ten times as much.

export interface FieldSlot {
  readonly name: string
  /** Numbers and flags go into `numbers`, texts into `texts`. */
  readonly kind: 'number' | 'text' | 'flag'
  readonly index: number
}

/** Flags become 1 and 0; what is of another kind or not there becomes NaN, and null among the texts. */
export type FieldReader = (from: object, numbers: Float64Array, texts: (string | null)[]) => void

/** `slots` are the program's own: no name of them comes from outside. */
export function fieldReader(slots: readonly FieldSlot[]): FieldReader {
  const lines = slots.map(({ name, kind, index }) => {
    const value = `value = from[${JSON.stringify(name)}]`
    return kind === 'text'
      ? `${value}; texts[${index}] = typeof value === 'string' ? value : null`
      : `${value}; numbers[${index}] = typeof value === 'number' ? value : value === true ? 1 : value === false ? 0 : NaN`
  })
  const body = `'use strict'; let value; ${lines.join('; ')}`
  return new Function('from', 'numbers', 'texts', body) as FieldReader
}
