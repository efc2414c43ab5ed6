// Cold chain's synthetic world: refrigerated trucks on the roads of Kenya, as truck-readings in time order.
// Pure: the same random stream and start give the same bytes, however they are taken.

import type { Static } from '@sinclair/typebox'
import { assert } from '../../kernel/errors.ts'
import { type DurationMs, type EpochMs, toIso } from '../../kernel/time.ts'
import { type Dice, diceFrom } from '../dice.ts'
import {
  disorderedByMs,
  FAULT_SHARES,
  type Fault,
  lateByMs,
  MAX_HELD_LINES,
  repeatedAfterMs,
} from '../faults.ts'
import { type HeldLine, HeldLines } from '../held-lines.ts'
import { MAX_PLATES } from '../plates.ts'
import type {
  SimulatedBatch,
  SimulatedFleet,
  Simulation,
  SimulationOptions,
} from '../simulation.ts'
import { type truckReadingSchema, truckReadings } from './events.ts'
import { broken } from './world/faults.ts'
import { assemble } from './world/fleet.ts'
import type { Actor } from './world/opening-scene.ts'
import { ReadingWriter } from './world/reading-writer.ts'
import { MAX_KEPT_LINES, planLoss } from './world/tracker.ts'
import { stepTruck } from './world/truck.ts'
import { type Sky, skyAt } from './world/weather.ts'

export { type Place, places } from './world/places.ts'

export const MAX_VEHICLES = MAX_PLATES
/** Longest step of the physics; longer intervals are walked in several. */
const LONGEST_STEP_MS = 4_000
const SKY_LASTS_MS = 5_000

interface Member extends Actor {
  readonly idBytes: Uint8Array
  readonly profileBytes: Uint8Array
  /** What its event ids begin with: this run and this truck. */
  readonly idStart: string
  shipmentBytes: Uint8Array
  shipment: number
  sequence: number
}

export class TruckSimulation implements Simulation {
  readonly #members: readonly Member[]
  readonly #startMs: EpochMs
  readonly #intervalMs: DurationMs
  readonly #stepCount: number
  readonly #step: { stepS: number; sky: Sky; thefts: boolean }
  readonly #failures: boolean
  readonly #faults: ReadonlySet<Fault>
  readonly #eventIds: boolean
  readonly #chance: Dice
  readonly #writer = new ReadingWriter()
  readonly #held = new HeldLines()
  /** Lines that leave at once, before anything else. */
  #uploads: HeldLine[] = []
  #uploaded = 0
  #round = 0
  #next = 0
  #skyUntilMs: EpochMs
  #ends: number[] = []
  #keys: string[] = []

  constructor(options: SimulationOptions) {
    const { vehicles, random, startMs, intervalMs } = options
    assert(vehicles >= 1 && vehicles <= MAX_VEHICLES, `Cannot simulate ${vehicles} trucks.`)
    assert(intervalMs >= 1, `Cannot simulate readings every ${intervalMs} ms.`)
    this.#failures = options.failures ?? true
    this.#faults = new Set(options.faults)
    this.#eventIds = (options.eventIds ?? false) || this.#faults.has('duplicate')
    this.#startMs = startMs
    this.#intervalMs = intervalMs
    this.#stepCount = Math.ceil(intervalMs / LONGEST_STEP_MS)
    const stepS = intervalMs / this.#stepCount / 1_000
    this.#step = { stepS, sky: skyAt(startMs), thefts: this.#failures }
    this.#skyUntilMs = startMs + SKY_LASTS_MS
    this.#chance = diceFrom(random)
    const run = `${Math.floor(random.next() * 0x7fff_ffff).toString(36)}${startMs.toString(36)}`
    this.#members = assemble({ vehicles, random, startMs, failures: this.#failures }).map(
      ({ truck, tracker }, index) => ({
        truck,
        tracker,
        idBytes: Buffer.from(truck.id, 'latin1'),
        profileBytes: Buffer.from(truck.cargo.profile, 'latin1'),
        idStart: `${run}-${index.toString(36)}-`,
        shipmentBytes: Buffer.alloc(0),
        shipment: 0,
        sequence: 0,
      }),
    )
  }

  /** When the next line leaves, on the simulated clock. */
  get nextDueMs(): EpochMs {
    if (this.#uploads.length > 0) return this.#startMs
    return Math.min(this.#held.dueMs, this.#nextReadingMs())
  }

  /** Everything that leaves up to and including `untilMs`, but no more than `maxEvents`. */
  take({
    untilMs,
    maxEvents,
  }: {
    readonly untilMs: EpochMs
    readonly maxEvents: number
  }): SimulatedBatch {
    this.#writer.clear()
    this.#ends = []
    this.#keys = []
    let atMs = this.#startMs
    while (this.#ends.length < maxEvents) {
      const upload = this.#nextUpload()
      if (upload !== undefined) {
        atMs = Math.max(atMs, upload.dueMs)
        this.#emit(upload)
        continue
      }
      const readingMs = this.#nextReadingMs()
      if (Math.min(readingMs, this.#held.dueMs) > untilMs) break
      if (this.#held.dueMs <= readingMs) {
        const held = this.#held.take()
        if (held === undefined) break
        atMs = held.dueMs
        this.#emit(held)
        continue
      }
      atMs = readingMs
      this.#drive(readingMs)
    }
    return {
      atMs,
      count: this.#ends.length,
      ndjson: this.#writer.written(),
      ends: this.#ends,
      keys: this.#keys,
    }
  }

  #nextReadingMs(): EpochMs {
    return this.#startMs + (this.#round + this.#next / this.#members.length) * this.#intervalMs
  }

  #nextUpload(): HeldLine | undefined {
    const upload = this.#uploads[this.#uploaded]
    this.#uploaded += 1
    if (upload === undefined) {
      this.#uploads = []
      this.#uploaded = 0
    }
    return upload
  }

  /** Moves the next truck up to its reading, and sends or keeps that. */
  #drive(dueMs: EpochMs): void {
    const member = this.#members[this.#next]
    this.#next += 1
    if (this.#next === this.#members.length) {
      this.#next = 0
      this.#round += 1
    }
    if (member === undefined) return
    if (dueMs >= this.#skyUntilMs) {
      this.#step.sky = skyAt(dueMs)
      this.#skyUntilMs = dueMs + SKY_LASTS_MS
    }
    const stepMs = this.#intervalMs / this.#stepCount
    for (let left = this.#stepCount - 1; left >= 0; left--) {
      stepTruck(member.truck, dueMs - left * stepMs, this.#step)
    }
    this.#report(member, dueMs)
  }

  #report(member: Member, dueMs: EpochMs): void {
    const { truck, tracker } = member
    const silent = dueMs >= tracker.lostAtMs
    if (silent && (dueMs >= tracker.backAtMs || this.#keptEnough(member))) {
      this.#upload(member, dueMs)
      this.#report(member, dueMs)
      return
    }
    if (silent && !tracker.keeps) return
    const from = this.#writer.length
    if (truck.shipment !== member.shipment) this.#nameShipment(member, dueMs)
    this.#writer.writeReading(truck, {
      recordedAtMs: Math.floor(dueMs),
      truckId: member.idBytes,
      shipmentId: member.shipmentBytes,
      profile: member.profileBytes,
      eventId: this.#eventIds ? member.idStart + (member.sequence++).toString(36) : null,
    })
    if (silent) {
      tracker.kept.push(this.#writer.takeBack(from))
    } else if (this.#uploads.length > 0) {
      // Its own buffer goes first.
      this.#uploads.push({ dueMs, key: truck.id, line: this.#writer.takeBack(from) })
    } else if (this.#faults.size === 0) {
      this.#ends.push(this.#writer.length)
      this.#keys.push(truck.id)
    } else {
      this.#disturb(from, truck.id, dueMs)
    }
  }

  #keptEnough({ tracker }: Member): boolean {
    return tracker.kept.length >= MAX_KEPT_LINES
  }

  #upload({ truck, tracker }: Member, dueMs: EpochMs): void {
    this.#uploads = tracker.kept.map((line) => ({ dueMs, key: truck.id, line }))
    this.#uploaded = 0
    tracker.kept = []
    planLoss(tracker, truck.dice, dueMs)
  }

  #nameShipment(member: Member, dueMs: EpochMs): void {
    const { truck } = member
    const day = toIso(dueMs).slice(2, 10).replaceAll('-', '')
    const name = `${truck.cargo.code}-${day}-${truck.id.replace(' ', '')}-${truck.shipment}`
    member.shipmentBytes = Buffer.from(name, 'latin1')
    member.shipment = truck.shipment
  }

  /** The line written since `from` meets what was asked for: held back, repeated, or with a broken twin. */
  #disturb(from: number, key: string, dueMs: EpochMs): void {
    const chance = this.#chance
    const room = this.#held.size < MAX_HELD_LINES
    const befalls = (fault: Fault): boolean =>
      this.#faults.has(fault) && chance.chance(FAULT_SHARES[fault])
    const bad = befalls('bad')
    const repeated = befalls('duplicate') && room
    const late = befalls('late') && room
    const disordered = befalls('disorder') && room
    const line = bad || repeated || late || disordered ? this.#writer.takeBack(from) : undefined
    if (line === undefined) {
      this.#ends.push(this.#writer.length)
      this.#keys.push(key)
      return
    }
    const delayMs = late ? lateByMs(chance) : disordered ? disorderedByMs(chance) : 0
    if (delayMs > 0) this.#held.add({ dueMs: dueMs + delayMs, key, line })
    else this.#emit({ dueMs, key, line })
    if (repeated) {
      this.#held.add({ dueMs: dueMs + delayMs + repeatedAfterMs(chance), key, line })
    }
    if (bad) this.#held.add({ dueMs, key, line: broken(line, chance) })
  }

  #emit({ key, line }: HeldLine): void {
    this.#writer.writeLine(line)
    this.#ends.push(this.#writer.length)
    this.#keys.push(key)
  }
}

export type WireTruckReading = Static<typeof truckReadingSchema>

/** The same as objects, one interval of the simulated clock at a time, without end. Not for speed. */
export function* simulateTrucks(
  options: Omit<SimulationOptions, 'faults'>,
): Generator<{ readonly atMs: EpochMs; readonly events: readonly WireTruckReading[] }> {
  const simulation = new TruckSimulation(options)
  for (let round = 1; ; round++) {
    const atMs = options.startMs + round * options.intervalMs - 0.5
    const batch = simulation.take({ untilMs: atMs, maxEvents: Number.POSITIVE_INFINITY })
    const lines = Buffer.from(batch.ndjson).toString('latin1').split('\n').slice(0, -1)
    const events = lines.map((line): WireTruckReading => JSON.parse(line))
    yield { atMs: batch.atMs, events }
  }
}

export const truckFleet: SimulatedFleet = {
  topic: truckReadings.name,
  members: 'trucks',
  defaultVehicles: 60,
  maxVehicles: MAX_VEHICLES,
  defaultIntervalMs: 3_000,
  create: (options) => new TruckSimulation(options),
}
