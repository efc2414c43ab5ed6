// Google Routes, computeRoutes: durations are texts such as "1234s". Source: its API reference.

import { failed, ok } from '../../kernel/result.ts'
import { firstIn, numberIn, type Provider, plausible } from './provider.ts'

const FIELDS = 'routes.duration,routes.staticDuration,routes.distanceMeters'
const SECONDS = /^(\d+(?:\.\d{1,9})?)s$/

export const google: Provider = {
  name: 'google',
  address: 'https://routes.googleapis.com',
  request({ from, to }, { base, key }) {
    const place = ({ lat, lon }: { readonly lat: number; readonly lon: number }) => ({
      location: { latLng: { latitude: lat, longitude: lon } },
    })
    return {
      url: new URL('/directions/v2:computeRoutes', base),
      headers: { 'x-goog-api-key': key, 'x-goog-fieldmask': FIELDS },
      body: {
        origin: place(from),
        destination: place(to),
        travelMode: 'DRIVE',
        routingPreference: 'TRAFFIC_AWARE',
      },
    }
  },
  read(answer) {
    const route = firstIn(answer, 'routes')
    const { duration, staticDuration } = Object(route)
    const freeFlowS = secondsOf(staticDuration)
    const times = {
      durationS: secondsOf(duration),
      freeFlowS: Number.isNaN(freeFlowS) ? null : freeFlowS,
      typicalS: null,
      distanceM: numberIn(route, 'distanceMeters'),
    }
    return plausible(times) ? ok(times) : failed('no route with duration and distance')
  },
}

function secondsOf(text: unknown): number {
  return Number(SECONDS.exec(String(text))?.[1] ?? Number.NaN)
}
