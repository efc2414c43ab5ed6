// The synthetic network: merchants, and hubs of several regions of East Africa. Positions are approximate.

export interface Hub {
  readonly warehouseId: string
  readonly location: string
  readonly region: string
  readonly lat: number
  readonly lon: number
  /** Where it is another one, goods clear customs. */
  readonly country: string
  readonly weight: number
}

export const hubs: readonly [Hub, ...Hub[]] = [
  hub('NBO-1', 'Nairobi', 'nairobi', -1.327, 36.893, 'KE', 8),
  hub('MBA-1', 'Mombasa', 'coast', -4.046, 39.645, 'KE', 5),
  hub('NKU-1', 'Nakuru', 'rift', -0.303, 36.08, 'KE', 3),
  hub('KIS-1', 'Kisumu', 'western', -0.102, 34.762, 'KE', 3),
  hub('KLA-1', 'Kampala', 'uganda', 0.314, 32.581, 'UG', 2),
  hub('ARK-1', 'Arusha', 'tanzania', -3.387, 36.683, 'TZ', 2),
]

function hub(
  warehouseId: string,
  location: string,
  region: string,
  lat: number,
  lon: number,
  country: string,
  weight: number,
): Hub {
  return { warehouseId, location, region, lat, lon, country, weight }
}

export interface Merchant {
  readonly merchantId: string
  readonly code: string
  readonly goods: readonly [string, ...string[]]
  readonly weight: number
}

export const merchants: readonly [Merchant, ...Merchant[]] = [
  {
    merchantId: 'duka-direct',
    code: 'DUK',
    goods: ['phone', 'charger', 'lamp', 'kettle'],
    weight: 7,
  },
  { merchantId: 'chai-house', code: 'CHA', goods: ['black tea', 'green tea', 'coffee'], weight: 4 },
  { merchantId: 'afya-pharma', code: 'AFY', goods: ['test kit', 'insulin', 'vaccine'], weight: 4 },
  { merchantId: 'mitumba-style', code: 'MIT', goods: ['shirt', 'dress', 'shoes'], weight: 3 },
  { merchantId: 'shamba-fresh', code: 'SHA', goods: ['avocado', 'rose', 'mango'], weight: 3 },
  { merchantId: 'vitabu', code: 'VIT', goods: ['school book', 'novel'], weight: 2 },
]

export function skuOf({ code }: Merchant, good: string): string {
  return `${code}-${good.replaceAll(' ', '-').toUpperCase()}`
}

export const carriers: readonly [string, ...string[]] = [
  'Twiga Express',
  'Savanna Freight',
  'Rift Line',
]
