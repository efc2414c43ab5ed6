// Order statistics of a handful of samples.

/** The smallest sample that at least this share of all lies at or below; NaN of none. */
export function percentile(samples: readonly number[], share: number): number {
  const sorted = [...samples].sort((a, b) => a - b)
  const index = Math.max(0, Math.ceil(share * sorted.length) - 1)
  return sorted[index] ?? Number.NaN
}

export function median(samples: readonly number[]): number {
  return percentile(samples, 0.5)
}
