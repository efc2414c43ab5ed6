// What a road is, from the tags of OpenStreetMap: who may use it, in which direction, and how fast it flows.
// Source: the tagging of OpenStreetMap, keys highway, oneway, maxspeed, access, motor_vehicle, junction.

import { BICYCLE, CAR, FOOT } from './road-document.ts'

export type Tags = Readonly<Record<string, unknown>>

interface RoadClass {
  readonly freeFlowKmh: number
  readonly users: number
}

const ALL = CAR | BICYCLE | FOOT
const CLASSES: Readonly<Record<string, RoadClass>> = {
  motorway: { freeFlowKmh: 110, users: CAR },
  motorway_link: { freeFlowKmh: 60, users: CAR },
  trunk: { freeFlowKmh: 85, users: CAR | BICYCLE },
  trunk_link: { freeFlowKmh: 50, users: CAR | BICYCLE },
  primary: { freeFlowKmh: 60, users: ALL },
  primary_link: { freeFlowKmh: 40, users: ALL },
  secondary: { freeFlowKmh: 50, users: ALL },
  secondary_link: { freeFlowKmh: 40, users: ALL },
  tertiary: { freeFlowKmh: 45, users: ALL },
  tertiary_link: { freeFlowKmh: 35, users: ALL },
  unclassified: { freeFlowKmh: 40, users: ALL },
  residential: { freeFlowKmh: 30, users: ALL },
  living_street: { freeFlowKmh: 15, users: ALL },
  service: { freeFlowKmh: 18, users: ALL },
  road: { freeFlowKmh: 30, users: ALL },
  cycleway: { freeFlowKmh: 20, users: BICYCLE | FOOT },
  track: { freeFlowKmh: 15, users: BICYCLE | FOOT },
  path: { freeFlowKmh: 12, users: BICYCLE | FOOT },
  pedestrian: { freeFlowKmh: 6, users: FOOT },
  footway: { freeFlowKmh: 6, users: FOOT },
  steps: { freeFlowKmh: 3, users: FOOT },
}

const MILE_KM = 1.609344
const CLOSED = new Set(['no', 'private', 'agricultural', 'forestry', 'delivery'])
/** Roads flow no faster than their limit, and hardly ever at it. */
const SHARE_OF_LIMIT = 0.9

export interface RoadUse {
  readonly freeFlowKmh: number
  readonly along: number
  readonly against: number
}

/** Undefined where nobody travels on it. */
export function roadUse(tags: Tags): RoadUse | undefined {
  const known = CLASSES[String(tags.highway)]
  if (known === undefined || tags.area === 'yes') return undefined
  const users = allowed(known.users, tags)
  if (users === 0) return undefined
  const limitKmh = limitOf(tags.maxspeed)
  const freeFlowKmh = limitKmh === undefined ? known.freeFlowKmh : limitKmh * SHARE_OF_LIMIT
  const way = directionOf(tags)
  // People on foot walk both ways in a one-way street.
  const walkers = users & FOOT
  return {
    freeFlowKmh: Math.max(3, Math.round(freeFlowKmh * 10) / 10),
    along: way === 'against' ? walkers : users,
    against: way === 'along' ? walkers : users,
  }
}

function allowed(users: number, tags: Tags): number {
  let left = CLOSED.has(String(tags.access)) ? 0 : users
  const grant = (key: string, bit: number): void => {
    const said = tags[key]
    if (said === undefined) return
    left = CLOSED.has(String(said)) ? left & ~bit : left | (users & bit)
  }
  grant('vehicle', CAR | BICYCLE)
  grant('motor_vehicle', CAR)
  grant('motorcar', CAR)
  grant('bicycle', BICYCLE)
  grant('foot', FOOT)
  return left
}

function directionOf(tags: Tags): 'along' | 'against' | 'both' {
  const said = tags.oneway
  if (said === '-1' || said === 'reverse') return 'against'
  if (said === 'yes' || said === 'true' || said === '1') return 'along'
  if (said === 'no') return 'both'
  const isOneWay = tags.junction === 'roundabout' || tags.highway === 'motorway'
  return isOneWay ? 'along' : 'both'
}

function limitOf(said: unknown): number | undefined {
  const [, number = '', unit = ''] =
    /^\s*(\d+(?:\.\d+)?)\s*(mph|km\/h|kmh)?/.exec(String(said)) ?? []
  const limit = Number(number)
  if (number === '' || limit <= 0 || limit > 200) return undefined
  return unit === 'mph' ? limit * MILE_KM : limit
}
