// Which gear a vehicle is expected to be in at a speed.

/** From this speed on, up to the next step. */
export interface GearStep {
  /** Inclusive. */
  readonly fromKmh: number
  readonly gear: number
}

/** In ascending order of speed. */
export type GearTable = readonly GearStep[]

/** A passenger car with six gears; below 1 km/h it stands in neutral. */
export const DEFAULT_GEARS: GearTable = [
  { fromKmh: 0, gear: 0 },
  { fromKmh: 1, gear: 1 },
  { fromKmh: 15, gear: 2 },
  { fromKmh: 30, gear: 3 },
  { fromKmh: 50, gear: 4 },
  { fromKmh: 70, gear: 5 },
  { fromKmh: 90, gear: 6 },
]

/** Null where the speed lies below the first step: an empty table expects nothing, as of a car without gears. */
export function expectedGear(speedKmh: number, gears: GearTable): number | null {
  let expected: number | null = null
  for (let index = 0; index < gears.length; index++) {
    const step = gears[index]
    if (step === undefined || step.fromKmh > speedKmh) break
    expected = step.gear
  }
  return expected
}
