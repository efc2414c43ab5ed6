// Readings as NDJSON, digit by digit into one buffer: several times faster than JSON.stringify.

import { type EpochMs, MINUTE_MS, toIso } from '../../../kernel/time.ts'
import { PIECE_M } from './corridors.ts'
import { reportsOn } from './reefer.ts'
import { pieceOf, type Truck } from './truck.ts'

/** Room that one line may need. */
const MAX_LINE_BYTES = 600
/** Shake of a position fix and of the probe, each as the whole width. */
const POSITION_NOISE_DEG = 0.00006
const PROBE_NOISE_C = 0.16

const ascii = (text: string): Uint8Array => Buffer.from(text, 'latin1')

const OPENING = ascii('{"truckId":"')
const RECORDED_AT = ascii('","recordedAt":"')
const EVENT_ID = ascii('","eventId":"')
const TEMPERATURE = ascii('","temperatureC":')
const FUEL_PERCENT = ascii(',"fuelPercent":')
const FUEL_LITRES = ascii(',"fuelLitres":')
const LAT = ascii(',"lat":')
const LON = ascii(',"lon":')
const SPEED = ascii(',"speedKmh":')
const HEADING = ascii(',"headingDeg":')
const ODOMETER = ascii(',"odometerKm":')
const DOOR_OPEN = ascii(',"doorOpen":true')
const DOOR_SHUT = ascii(',"doorOpen":false')
const REEFER_ON = ascii(',"reeferOn":true')
const REEFER_OFF = ascii(',"reeferOn":false')
const LOAD = ascii(',"loadKg":')
const BROKEN_DOWN = ascii(',"brokenDown":true')
const NOT_BROKEN_DOWN = ascii(',"brokenDown":false')
const SHIPMENT = ascii(',"shipmentId":"')
const PROFILE = ascii('","profile":"')
const CLOSING = ascii('"}\n')

const ZERO = 48
const MINUS = 45
const POINT = 46

export interface ReadingLine {
  readonly recordedAtMs: EpochMs
  /** Encoded beforehand, since they seldom change. */
  readonly truckId: Uint8Array
  readonly shipmentId: Uint8Array
  readonly profile: Uint8Array
  /** Null leaves the field out. */
  readonly eventId: string | null
}

/** Lines one after another in a buffer of its own, until `clear`. */
export class ReadingWriter {
  #bytes: Buffer = Buffer.allocUnsafe(64 * 1024)
  #at = 0
  #minuteMs = Number.NaN
  #minute: Uint8Array = ascii('')

  get length(): number {
    return this.#at
  }

  clear(): void {
    this.#at = 0
  }

  /** What was written; valid until the next write. */
  written(): Uint8Array {
    return this.#bytes.subarray(0, this.#at)
  }

  /** Takes back what was written since `from`, without its line break. */
  takeBack(from: number): string {
    const line = this.lineFrom(from)
    this.#at = from
    return line
  }

  /** The one line written since `from`, without its line break. */
  lineFrom(from: number): string {
    return this.#bytes.toString('latin1', from, this.#at - 1)
  }

  writeLine(line: string): void {
    this.#makeRoom(line.length + 1)
    this.#at += this.#bytes.write(line, this.#at, 'latin1')
    this.#bytes[this.#at++] = 10
  }

  /** Measures the truck and writes one line. Draws from the truck's dice. */
  writeReading(truck: Truck, line: ReadingLine): void {
    this.#makeRoom(MAX_LINE_BYTES)
    const { corridor, reefer, tank } = truck
    const chance = truck.dice.next() * 65_536
    const coarse = Math.floor(chance)
    const eastShake = (coarse / 65_536 - 0.5) * POSITION_NOISE_DEG
    const northShake = (chance - coarse - 0.5) * POSITION_NOISE_DEG
    const probeNoiseC =
      reefer.failure === 'stuck-sensor' ? 0 : (chance % 1) * PROBE_NOISE_C - PROBE_NOISE_C / 2
    const piece = pieceOf(truck)
    const share = truck.alongM / PIECE_M - piece
    const heading = (corridor.headingDeg[piece] ?? 0) + (truck.direction === 1 ? 0 : 180)
    const fuelPercent = Math.min(
      100,
      Math.max(0, (tank.levelL / tank.capacityL) * 100 + tank.sloshPercent),
    )

    this.#put(OPENING)
    this.#put(line.truckId)
    this.#put(RECORDED_AT)
    this.#instant(line.recordedAtMs)
    if (line.eventId !== null) {
      this.#put(EVENT_ID)
      this.#at += this.#bytes.write(line.eventId, this.#at, 'latin1')
    }
    this.#put(TEMPERATURE)
    this.#fixed1((reefer.sensorC + probeNoiseC) * 10)
    this.#put(FUEL_PERCENT)
    this.#fixed1(fuelPercent * 10)
    this.#put(FUEL_LITRES)
    this.#fixed1((fuelPercent / 10) * tank.capacityL)
    this.#put(LAT)
    this.#fixed5((along(corridor.lat, piece, share) + northShake) * 100_000)
    this.#put(LON)
    this.#fixed5((along(corridor.lon, piece, share) + eastShake) * 100_000)
    this.#put(SPEED)
    this.#fixed1(truck.speedMps * 36)
    this.#put(HEADING)
    this.#integer(Math.round(heading) % 360)
    this.#put(ODOMETER)
    this.#fixed2(truck.odometerM / 10)
    this.#put(truck.doorOpen ? DOOR_OPEN : DOOR_SHUT)
    this.#put(reportsOn(reefer) ? REEFER_ON : REEFER_OFF)
    this.#put(LOAD)
    this.#integer(Math.round(truck.loadKg))
    this.#put(truck.activity === 'breakdown' ? BROKEN_DOWN : NOT_BROKEN_DOWN)
    this.#put(SHIPMENT)
    this.#put(line.shipmentId)
    this.#put(PROFILE)
    this.#put(line.profile)
    this.#put(CLOSING)
  }

  #makeRoom(bytes: number): void {
    if (this.#at + bytes <= this.#bytes.length) return
    const larger = Buffer.allocUnsafe(Math.max(this.#bytes.length * 2, this.#at + bytes))
    this.#bytes.copy(larger, 0, 0, this.#at)
    this.#bytes = larger
  }

  #put(text: Uint8Array): void {
    const bytes = this.#bytes
    let to = this.#at
    for (let from = 0; from < text.length; from++) bytes[to++] = text[from] ?? 0
    this.#at = to
  }

  #instant(atMs: EpochMs): void {
    const minuteMs = atMs - (atMs % MINUTE_MS)
    if (minuteMs !== this.#minuteMs) {
      this.#minuteMs = minuteMs
      this.#minute = ascii(toIso(minuteMs).slice(0, 17))
    }
    this.#put(this.#minute)
    const ms = atMs - minuteMs
    this.#digits(Math.floor(ms / 1_000), 2)
    this.#bytes[this.#at++] = POINT
    this.#digits(ms % 1_000, 3)
    this.#bytes[this.#at++] = 90
  }

  /** The lowest `count` digits of a whole number, with leading zeros. */
  #digits(value: number, count: number): void {
    const end = this.#at + count
    let left = value | 0
    for (let at = end - 1; at >= this.#at; at--) {
      const tens = (left / 10) | 0
      this.#bytes[at] = ZERO + left - tens * 10
      left = tens
    }
    this.#at = end
  }

  /** A whole number of at most nine digits. */
  #integer(value: number): void {
    this.#digits(value, digitCount(value))
  }

  #fixed1(tenths: number): void {
    const rounded = this.#sign(Math.round(tenths))
    this.#integer((rounded / 10) | 0)
    this.#bytes[this.#at++] = POINT
    this.#digits(rounded % 10, 1)
  }

  #fixed2(hundredths: number): void {
    const rounded = this.#sign(Math.round(hundredths))
    this.#integer((rounded / 100) | 0)
    this.#bytes[this.#at++] = POINT
    this.#digits(rounded % 100, 2)
  }

  #fixed5(hundredThousandths: number): void {
    const rounded = this.#sign(Math.round(hundredThousandths))
    this.#integer((rounded / 100_000) | 0)
    this.#bytes[this.#at++] = POINT
    this.#digits(rounded % 100_000, 5)
  }

  #sign(value: number): number {
    if (value >= 0) return value
    this.#bytes[this.#at++] = MINUS
    return -value
  }
}

function along(values: Float64Array, piece: number, share: number): number {
  const from = values[piece] ?? 0
  return from + ((values[piece + 1] ?? from) - from) * share
}

function digitCount(value: number): number {
  let count = 1
  for (let limit = 10; value >= limit; limit *= 10) count++
  return count
}
