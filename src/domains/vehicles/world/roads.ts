// The roads of the simulated cars: arterials and highways of Nairobi, through the centre and out to the
// towns around. Way points are exact to some 200 m.

export interface RoadPoint {
  readonly lat: number
  readonly lon: number
  /** Limit from here to the next point. */
  readonly limitKmh: number
}

export interface Road {
  readonly name: string
  readonly points: readonly [RoadPoint, RoadPoint, ...RoadPoint[]]
}

const at = (lat: number, lon: number, limitKmh: number): RoadPoint => ({ lat, lon, limitKmh })

export const roads: readonly [Road, ...Road[]] = [
  {
    name: 'Thika Superhighway',
    points: [
      at(-1.2836, 36.8235, 50),
      at(-1.2683, 36.8382, 80),
      at(-1.2519, 36.8536, 80),
      at(-1.2186, 36.8868, 110),
      at(-1.1866, 36.9345, 110),
      at(-1.1463, 36.9606, 110),
      at(-1.1037, 37.0143, 110),
      at(-1.0585, 37.0552, 80),
      at(-1.0388, 37.0834, 50),
    ],
  },
  {
    name: 'Mombasa Road',
    points: [
      at(-1.2921, 36.8219, 50),
      at(-1.3093, 36.8337, 80),
      at(-1.3292, 36.8689, 80),
      at(-1.3377, 36.8999, 80),
      at(-1.3637, 36.9217, 110),
      at(-1.3964, 36.9426, 110),
      at(-1.4266, 36.9577, 110),
      at(-1.4563, 36.9785, 50),
    ],
  },
  {
    name: 'Waiyaki Way',
    points: [
      at(-1.2836, 36.8235, 50),
      at(-1.2686, 36.8115, 50),
      at(-1.2637, 36.7877, 80),
      at(-1.2638, 36.7484, 80),
      at(-1.2571, 36.7093, 110),
      at(-1.2453, 36.6642, 110),
      at(-1.1859, 36.6441, 80),
      at(-1.1133, 36.6421, 50),
    ],
  },
  {
    name: 'Southern Bypass',
    points: [
      at(-1.3377, 36.8999, 80),
      at(-1.3345, 36.8533, 100),
      at(-1.3542, 36.8054, 100),
      at(-1.3477, 36.7553, 100),
      at(-1.3128, 36.7085, 100),
      at(-1.2787, 36.6829, 100),
      at(-1.2453, 36.6642, 80),
    ],
  },
  {
    name: 'Ngong Road',
    points: [
      at(-1.2921, 36.8219, 50),
      at(-1.2995, 36.7969, 50),
      at(-1.3001, 36.7631, 50),
      at(-1.3191, 36.7073, 50),
      at(-1.3416, 36.6801, 80),
      at(-1.3617, 36.6566, 50),
    ],
  },
  {
    name: 'Northern and Eastern Bypass',
    points: [
      at(-1.2022, 36.7812, 80),
      at(-1.1977, 36.8412, 80),
      at(-1.1866, 36.9345, 80),
      at(-1.2218, 36.9634, 100),
      at(-1.2784, 36.9587, 100),
      at(-1.3292, 36.9268, 80),
    ],
  },
]
