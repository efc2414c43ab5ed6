// What the trucks carry, which goods profile judges it, and how the reefer is set for it.

export interface Cargo {
  /** Starts the shipment's id. */
  readonly code: string
  /** Goods profile named on every reading. */
  readonly profile: 'default' | 'frozen' | 'vaccine' | 'pharma' | 'who-type-1' | 'who-type-2'
  readonly setPointC: number
  /** Mass of goods and truck together. */
  readonly grossMassT: number
}

const cargo = (
  code: string,
  profile: Cargo['profile'],
  setPointC: number,
  grossMassT: number,
): Cargo => ({ code, profile, setPointC, grossMassT })

/** Of the gross mass, what a full load is. */
const PAYLOAD_SHARE = 0.55

/** Mass of a full load. */
export function payloadKg({ grossMassT }: Cargo): number {
  return grossMassT * 1_000 * PAYLOAD_SHARE
}

export const cargoes = {
  flowers: cargo('FLW', 'default', 4.2, 17),
  avocados: cargo('AVO', 'default', 5, 26),
  dairy: cargo('DRY', 'default', 4, 24),
  fish: cargo('FSH', 'frozen', -22, 22),
  meat: cargo('MEA', 'default', 3.8, 22),
  iceCream: cargo('ICE', 'frozen', -23, 18),
  vaccines: cargo('VAC', 'vaccine', 5, 12),
  insulin: cargo('INS', 'vaccine', 5, 12),
  medicines: cargo('MED', 'pharma', 22, 16),
  polioVaccine: cargo('OPV', 'who-type-1', 5, 12),
  pentavalentVaccine: cargo('PEN', 'who-type-2', 5, 12),
} as const satisfies Readonly<Record<string, Cargo>>
