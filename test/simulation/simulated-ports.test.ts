// The simulated ports keep the same promises as the real ones: what the simulation shows of the engine
// holds for those too.

import { systemClock } from '../../src/adapters/clock/system-clock.ts'
import { logContract } from '../../src/ports/log.contract.ts'
import { SimulatedLogDisk, simulatedLog } from './simulated-log.ts'

const disk = new SimulatedLogDisk()
logContract('simulated log', async () => simulatedLog(disk, systemClock()))
