// State that is kept for long and changes with every event: copied into objects that are there already, so that nothing
// new grows old, and brought back from JSON, which has no NaN.

/** A copy one level deep, made of `spare` where there is one. */
export function copyOver<T extends object>(from: T, spare: T | null): T {
  return spare === null ? { ...from } : Object.assign(spare, from)
}

/** The same for a list of numbers. */
export function copyNumbers(from: readonly number[], spare: number[]): number[] {
  spare.length = from.length
  for (let index = 0; index < from.length; index++) spare[index] = from[index] ?? Number.NaN
  return spare
}

/** `begin` with all that was carried by JSON, one level deep; where `begin` has a number, null was NaN. */
export function carriedInto<T extends object>(begin: T, carried: T): T {
  for (const [name, value] of Object.entries(carried)) {
    const wasNaN = value === null && typeof Reflect.get(begin, name) === 'number'
    Reflect.set(begin, name, wasNaN ? Number.NaN : value)
  }
  return begin
}

/** NaN, which state has for what is not known, as null. */
export function known(value: number): number | null {
  return Number.isNaN(value) ? null : value
}
