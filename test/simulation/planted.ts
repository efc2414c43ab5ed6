// For `node --import`: plants the bug that the environment names before anything else is loaded, and has
// properties draw the same histories every time.

import fc from 'fast-check'
import { plant } from './plant.ts'
import { plants } from './plants.ts'

const found = plants.find(({ name }) => name === process.env.OUTRIDER_PLANT)
if (found !== undefined) {
  plant(found)
  fc.configureGlobal({ seed: 1 })
}
