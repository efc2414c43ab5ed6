// How long something took each time, as trials judge and print it.

export function percentile(values: readonly number[], share: number): number {
  const sorted = [...values].sort((a, b) => a - b)
  return sorted[Math.min(sorted.length - 1, Math.floor(share * sorted.length))] ?? Number.NaN
}

export function waitsText(waitsMs: readonly number[]): string {
  const ms = (share: number): string => `${Math.round(percentile(waitsMs, share))} ms`
  return `${waitsMs.length}, p50 ${ms(0.5)}, p99 ${ms(0.99)}`
}
