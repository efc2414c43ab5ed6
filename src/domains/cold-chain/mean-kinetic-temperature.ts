// Mean kinetic temperature: the one temperature that would have aged the goods as much as the real curve.

import type { DurationMs, EpochMs } from '../../kernel/time.ts'

/** Activation energy over the gas constant, 83.144 kJ/mol over 8.3144 J/(mol·K), in kelvin. */
const ACTIVATION_K = 10_000
const ZERO_CELSIUS_K = 273.15

/** Panes that a window is cut into: a window begins and ends at one of them. */
export const WINDOW_PANES = 96

/** How fast goods age at a temperature, relative to an infinitely hot place. */
function ageing(temperatureC: number): number {
  return Math.exp(-ACTIVATION_K / (temperatureC + ZERO_CELSIUS_K))
}

function temperatureOf(meanAgeing: number): number {
  return ACTIVATION_K / -Math.log(meanAgeing) - ZERO_CELSIUS_K
}

export interface WeightedTemperature {
  readonly temperatureC: number
  /** Time that it stands for, in any unit. */
  readonly weight: number
}

/** Undefined where the weights sum to nothing. */
export function meanKineticTemperatureC(
  temperatures: Iterable<WeightedTemperature>,
): number | undefined {
  const sums = new AgeingSums()
  for (const { temperatureC, weight } of temperatures) sums.add(temperatureC, weight)
  return sums.meanC()
}

/** Both means of temperatures weighted by time, in constant memory. */
export interface Means {
  add(temperatureC: number, durationMs: DurationMs): void
  meanC(): number | undefined
  kineticC(): number | undefined
}

export function meanOf(): Means {
  const ageingSums = new AgeingSums()
  let weightMs = 0
  let sum = 0
  return {
    add(temperatureC, durationMs) {
      ageingSums.add(temperatureC, durationMs)
      weightMs += durationMs
      sum += temperatureC * durationMs
    },
    meanC: () => (weightMs > 0 ? sum / weightMs : undefined),
    kineticC: () => ageingSums.meanC(),
  }
}

class AgeingSums {
  #weight = 0
  #ageing = 0

  add(temperatureC: number, weight: number): void {
    this.#weight += weight
    this.#ageing += weight * ageing(temperatureC)
  }

  merge(other: AgeingSums): void {
    this.#weight += other.#weight
    this.#ageing += other.#ageing
  }

  clear(): void {
    this.#weight = 0
    this.#ageing = 0
  }

  meanC(): number | undefined {
    return this.#weight > 0 ? temperatureOf(this.#ageing / this.#weight) : undefined
  }
}

/**
 * The highest mean kinetic temperature of any window of `windowMs` inside a range, in constant memory.
 * Windows begin at panes of a 96th of their length, counted from the start of the range; one that is not
 * wholly inside the range counts only where the range is shorter than a window.
 */
export class WorstWindow {
  readonly #fromMs: EpochMs
  readonly #paneMs: DurationMs
  readonly #panes = Array.from({ length: WINDOW_PANES }, () => new AgeingSums())
  #current = 0
  #worstC: number | undefined

  constructor(fromMs: EpochMs, windowMs: DurationMs) {
    this.#fromMs = fromMs
    this.#paneMs = windowMs / WINDOW_PANES
  }

  /** Spans come in order of time and do not overlap. */
  add(temperatureC: number, startMs: EpochMs, endMs: EpochMs): void {
    let atMs = startMs
    while (atMs < endMs) {
      const pane = Math.floor((atMs - this.#fromMs) / this.#paneMs)
      this.#moveTo(pane)
      const paneEndMs = this.#fromMs + (pane + 1) * this.#paneMs
      const untilMs = Math.min(endMs, paneEndMs)
      this.#paneAt(pane)?.add(temperatureC, untilMs - atMs)
      // A pane's end may round onto `atMs` itself; go on by at least a millisecond.
      atMs = untilMs > atMs ? untilMs : atMs + 1
    }
  }

  /** The highest mean seen, the last, perhaps unfilled window included; undefined without any span. */
  worstC(): number | undefined {
    return highest(this.#worstC, this.#meanC())
  }

  #moveTo(pane: number): void {
    // After a whole window without a span there is nothing left to close.
    if (pane - this.#current > WINDOW_PANES) this.#skipTo(pane)
    while (this.#current < pane) {
      if (this.#current >= WINDOW_PANES - 1) this.#worstC = highest(this.#worstC, this.#meanC())
      this.#current += 1
      this.#paneAt(this.#current)?.clear()
    }
  }

  #skipTo(pane: number): void {
    if (this.#current >= WINDOW_PANES - 1) this.#worstC = highest(this.#worstC, this.#meanC())
    for (const sums of this.#panes) sums.clear()
    this.#current = pane
  }

  #paneAt(pane: number): AgeingSums | undefined {
    return this.#panes[pane % WINDOW_PANES]
  }

  #meanC(): number | undefined {
    const sums = new AgeingSums()
    for (const pane of this.#panes) sums.merge(pane)
    return sums.meanC()
  }
}

function highest(left: number | undefined, right: number | undefined): number | undefined {
  if (left === undefined) return right
  return right === undefined ? left : Math.max(left, right)
}
