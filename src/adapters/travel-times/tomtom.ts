// TomTom Calculate Route, version 1. Source: its reference, `computeTravelTimeFor=all`.

import { failed, ok } from '../../kernel/result.ts'
import { firstIn, numberIn, optionalNumberIn, type Provider, plausible } from './provider.ts'

export const tomtom: Provider = {
  name: 'tomtom',
  address: 'https://api.tomtom.com',
  request({ from, to }, { base, key }) {
    const places = `${from.lat},${from.lon}:${to.lat},${to.lon}`
    const url = new URL(`/routing/1/calculateRoute/${places}/json`, base)
    url.searchParams.set('traffic', 'true')
    url.searchParams.set('computeTravelTimeFor', 'all')
    url.searchParams.set('key', key)
    return { url }
  },
  read(answer) {
    const { summary } = Object(firstIn(answer, 'routes'))
    const times = {
      durationS: numberIn(summary, 'travelTimeInSeconds'),
      freeFlowS: optionalNumberIn(summary, 'noTrafficTravelTimeInSeconds'),
      typicalS: optionalNumberIn(summary, 'historicTrafficTravelTimeInSeconds'),
      distanceM: numberIn(summary, 'lengthInMeters'),
    }
    return plausible(times) ? ok(times) : failed('no route summary with travel time and length')
  },
}
