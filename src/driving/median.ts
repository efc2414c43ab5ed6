// The middle of a handful of values.

/**
 * The value in the middle, the upper one of two; 0 where there are none. Found by counting: it is asked for with
 * every reading, and sorting would copy the values each time.
 */
export function medianOf(values: readonly number[]): number {
  const middle = values.length >> 1
  for (const candidate of values) {
    let below = 0
    let equal = 0
    for (const value of values) {
      if (value < candidate) below++
      else if (value === candidate) equal++
    }
    if (below <= middle && middle < below + equal) return candidate
  }
  return 0
}
