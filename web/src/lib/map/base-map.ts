// What the base map is made of. Coordinates are [longitude, latitude] in degrees, WGS84.

export type LonLat = readonly [number, number]

export interface MapCountry {
  readonly name: string
  readonly rings: readonly (readonly LonLat[])[]
}

export interface MapRoad {
  readonly name: string
  readonly line: readonly LonLat[]
}

export interface MapPlace {
  readonly name: string
  readonly at: LonLat
  readonly kind: string
}

export interface MapLake {
  readonly name: string
  readonly ring: readonly LonLat[]
}

export interface BaseMap {
  readonly countries: readonly MapCountry[]
  readonly lakes: readonly MapLake[]
  readonly roads: readonly MapRoad[]
  readonly places: readonly MapPlace[]
}
