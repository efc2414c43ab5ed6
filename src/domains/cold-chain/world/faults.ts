// How a reading of a truck is broken on demand.

import type { Dice } from '../../dice.ts'
import { brokenBy, GENERAL_BREAKAGES, replaced, type Spoil } from '../../faults.ts'

const TEMPERATURE = /"temperatureC":[^,}]*/

/** Ways to break a line. All but the clocks of the wrong year are to be refused. */
export const BREAKAGES: Readonly<Record<string, Spoil>> = {
  'wrong type': replaced(TEMPERATURE, '"temperatureC":"cold"'),
  'wrong type of position': replaced(/"lat":[^,}]*/, '"lat":{"deg":-1}'),
  'missing field': replaced(/"temperatureC":[^,}]*,/, ''),
  'missing key': replaced(/"truckId":"[^"]*",/, ''),
  'not a number': replaced(TEMPERATURE, '"temperatureC":NaN'),
  'out of range': replaced(TEMPERATURE, '"temperatureC":300'),
  ...GENERAL_BREAKAGES,
}

const spoils = Object.values(BREAKAGES)

/** A broken copy of a good line, without a line break. */
export function broken(line: string, dice: Dice): string {
  return brokenBy(spoils, line, dice)
}
