// The middle of a handful of values, which a single one that is off does not move.

const MEDIAN_OF = 5

/** Takes a value in among the last few, in place of the oldest, and gives their median. */
export function runningMedian(recent: number[], value: number): number {
  if (recent.length < MEDIAN_OF) recent.push(value)
  else {
    for (let index = 1; index < MEDIAN_OF; index++) recent[index - 1] = recent[index] ?? Number.NaN
    recent[MEDIAN_OF - 1] = value
  }
  return medianOf(recent)
}

/**
 * The value in the middle, the upper one of two; 0 where there are none. Found by counting: it is asked for with
 * every reading, and sorting would copy the values each time.
 */
export function medianOf(values: readonly number[]): number {
  const middle = values.length >> 1
  for (let at = 0; at < values.length; at++) {
    const candidate = values[at] ?? Number.NaN
    let below = 0
    let equal = 0
    for (let index = 0; index < values.length; index++) {
      const value = values[index] ?? Number.NaN
      if (value < candidate) below++
      else if (value === candidate) equal++
    }
    if (below <= middle && middle < below + equal) return candidate
  }
  return 0
}
