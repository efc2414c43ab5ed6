// HERE Routing, version 8: a route is made of sections, each with its summary. Source: its API reference.

import { failed, ok } from '../../kernel/result.ts'
import { firstIn, numberIn, optionalNumberIn, type Provider, plausible } from './provider.ts'

export const here: Provider = {
  name: 'here',
  address: 'https://router.hereapi.com',
  request({ from, to }, { base, key }) {
    const url = new URL('/v8/routes', base)
    url.searchParams.set('transportMode', 'car')
    url.searchParams.set('origin', `${from.lat},${from.lon}`)
    url.searchParams.set('destination', `${to.lat},${to.lon}`)
    url.searchParams.set('return', 'summary,typicalDuration')
    url.searchParams.set('apikey', key)
    return { url }
  },
  read(answer) {
    const { sections } = Object(firstIn(answer, 'routes'))
    const summaries: readonly unknown[] = Array.isArray(sections)
      ? sections.map((section: unknown) => Object(section).summary)
      : []
    if (summaries.length === 0) return failed('no route with sections')
    const sum = (name: string): number =>
      summaries.reduce<number>((total, each) => total + numberIn(each, name), 0)
    const optional = (name: string): number | null =>
      summaries.every((each) => optionalNumberIn(each, name) !== null) ? sum(name) : null
    const times = {
      durationS: sum('duration'),
      freeFlowS: optional('baseDuration'),
      typicalS: optional('typicalDuration'),
      distanceM: sum('length'),
    }
    return plausible(times) ? ok(times) : failed('sections without duration and length')
  },
}
