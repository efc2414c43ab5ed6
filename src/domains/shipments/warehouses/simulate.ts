// The synthetic world of warehouses: docks that receive, store, pick, pack and dispatch the goods of merchants,
// count them now and then, and are wrong now and then.

import { type EpochMs, SECOND_MS, toIso } from '../../../kernel/time.ts'
import { type Actor, type ActorLine, ActorSimulation } from '../../actor-simulation.ts'
import { type Dice, diceFrom } from '../../dice.ts'
import { GENERAL_BREAKAGES, replaced, type Spoil } from '../../faults.ts'
import type { SimulatedFleet, Simulation, SimulationOptions } from '../../simulation.ts'
import { type Hub, hubs, type Merchant, merchants, skuOf } from '../world/network.ts'
import { type MovementType, warehouseEvents } from './events.ts'

const MAX_DOCKS = 100_000
/** Fewer than this and goods are ordered, as a rule in time. */
const REORDER_AT = 25

const spoils: readonly Spoil[] = Object.values({
  'quantity that is no number': replaced(/"quantity":-?[\d.]+/, '"quantity":"many"'),
  'negative dispatch': replaced(
    /"type":"[^"]*","sku":("[^"]*"),"quantity":-?[\d.]+/,
    '"type":"dispatched","sku":$1,"quantity":-3',
  ),
  'unknown movement': replaced(/"type":"[^"]*"/, '"type":"vanished"'),
  'missing sku': replaced(/"sku":"[^"]*",/, ''),
  ...GENERAL_BREAKAGES,
})

interface Movement {
  readonly type: MovementType
  readonly quantity: number
}

interface Shelf {
  readonly sku: string
  readonly bin: string
  onHand: number
  readonly due: Movement[]
}

interface Dock {
  readonly dice: Dice
  readonly hub: Hub
  readonly merchant: Merchant
  readonly shelves: readonly [Shelf, ...Shelf[]]
}

export function simulateWarehouses(options: SimulationOptions): Simulation {
  const { vehicles, random, failures = true } = options
  const actors = Array.from({ length: vehicles }, (_, number): Actor => {
    const dock = newDock(diceFrom(random), number)
    return { report: (atMs, eventId) => report(dock, { atMs, eventId, failures }) }
  })
  return new ActorSimulation(actors, spoils, options)
}

/** Every merchant is at every hub before one has a second dock anywhere. */
function newDock(dice: Dice, number: number): Dock {
  const hub = hubs[number % hubs.length] ?? hubs[0]
  const merchant = merchants[Math.floor(number / hubs.length) % merchants.length] ?? merchants[0]
  const again = Math.floor(number / (hubs.length * merchants.length))
  const shelf = (good: string): Shelf => ({
    sku: skuOf(merchant, good) + (again === 0 ? '' : `-${again}`),
    bin: `${'ABCDEF'[Math.floor(dice.next() * 6)]}-${String(1 + Math.floor(dice.next() * 40)).padStart(2, '0')}`,
    onHand: 0,
    // What is there on the first day is counted.
    due: [{ type: 'counted', quantity: Math.floor(dice.between(30, 220)) }],
  })
  const [first, ...others] = merchant.goods
  return { dice, hub, merchant, shelves: [shelf(first), ...others.map(shelf)] }
}

function report(
  { dice, hub, merchant, shelves }: Dock,
  about: { readonly atMs: EpochMs; readonly eventId: string | null; readonly failures: boolean },
): ActorLine {
  const shelf = dice.pick(shelves)
  if (shelf.due.length === 0) plan(shelf, dice, about.failures)
  const { type, quantity } = shelf.due.shift() ?? { type: 'counted', quantity: shelf.onHand }
  if (type === 'received' || type === 'adjusted') shelf.onHand += quantity
  if (type === 'dispatched') shelf.onHand -= quantity
  if (type === 'counted') shelf.onHand = quantity
  const line = JSON.stringify({
    warehouseId: hub.warehouseId,
    recordedAt: toIso(about.atMs),
    ...(about.eventId === null ? {} : { eventId: about.eventId }),
    type,
    sku: shelf.sku,
    quantity,
    merchantId: merchant.merchantId,
    ...(type === 'stored' || type === 'picked' ? { bin: shelf.bin } : {}),
    region: hub.region,
  })
  return { key: hub.warehouseId, line }
}

function plan(shelf: Shelf, dice: Dice, failures: boolean): void {
  const some = (from: number, to: number): number => Math.floor(dice.between(from, to))
  const forgotten = failures && dice.chance(0.25)
  if (shelf.onHand < 0) shelf.due.push({ type: 'counted', quantity: some(0, 20) })
  else if (shelf.onHand < REORDER_AT && !forgotten) {
    const quantity = some(60, 240)
    shelf.due.push({ type: 'received', quantity }, { type: 'stored', quantity })
  } else if (dice.chance(0.03)) {
    const missing = failures && dice.chance(0.3) ? some(1, 4) : 0
    shelf.due.push({ type: 'counted', quantity: Math.max(0, shelf.onHand - missing) })
  } else if (failures && dice.chance(0.01)) {
    shelf.due.push({ type: 'adjusted', quantity: -Math.min(shelf.onHand, some(1, 5)) })
  } else {
    const wrong = failures && dice.chance(0.01)
    const quantity = wrong ? shelf.onHand + some(1, 6) : Math.min(shelf.onHand, some(1, 18))
    if (quantity === 0) shelf.due.push({ type: 'counted', quantity: 0 })
    else {
      for (const type of ['picked', 'packed', 'dispatched'] as const) {
        shelf.due.push({ type, quantity })
      }
    }
  }
}

export const warehouseFleet: SimulatedFleet = {
  topic: warehouseEvents.name,
  members: 'docks',
  defaultVehicles: 36,
  maxVehicles: MAX_DOCKS,
  defaultIntervalMs: 15 * SECOND_MS,
  create: simulateWarehouses,
}
