// Routes on real extracts: as long as what people drove, and as another library's.

import { ok } from 'node:assert/strict'
import { type TestContext, test } from 'node:test'
import createGraph from 'ngraph.graph'
import { aStar } from 'ngraph.path'
import { seededRandom } from '../../src/adapters/random/seeded-random.ts'
import { readRoadFile } from '../../src/adapters/roads/road-file.ts'
import { buildRoads } from '../../src/domains/arrivals/roads/road-builder.ts'
import { CAR, ROAD_TABLE } from '../../src/domains/arrivals/roads/road-document.ts'
import { RoadGraph } from '../../src/domains/arrivals/roads/road-graph.ts'
import { searchRoute } from '../../src/domains/arrivals/roads/route-search.ts'
import { arrivalFleets, ORDERS } from '../../src/domains/arrivals/simulate.ts'
import { distanceM } from '../../src/kernel/geo.ts'
import { sharedDataOrSkip } from '../requirements.ts'

async function roadsOf(t: TestContext, file: string, format: 'osm-xml' | 'osm-pbf') {
  const path = sharedDataOrSkip(t, `geo-natural-earth-osm/${file}`)
  if (path === undefined) return undefined
  const { lines } = await readRoadFile(path, format)
  return new RoadGraph(buildRoads(lines, { name: file, version: '1', attribution: '' }))
}

/** Shortest ways by a search of somebody else, over the same stretches. */
function otherSearch(graph: RoadGraph) {
  const other = createGraph<null, number>()
  for (let edge = 0; edge < 2 * graph.segmentCount; edge++) {
    if (((graph.users[edge] ?? 0) & CAR) === 0) continue
    const [from, to] = [graph.startOf(edge), graph.endOf(edge)]
    const lengthM = graph.lengthM[edge >> 1] ?? 0
    const known = other.getLink(from, to)
    if (known === undefined || known.data > lengthM) other.addLink(from, to, lengthM)
  }
  const finder = aStar(other, { oriented: true, distance: (_from, _to, link) => link.data })
  return (from: number, to: number): number | null => {
    if (!other.hasNode(from) || !other.hasNode(to)) return null
    const path = finder.find(from, to).map(({ id }) => Number(id))
    if (path.length === 0) return null
    const ordered = path[0] === from ? path : path.toReversed()
    return ordered.slice(1).reduce((sum, node, at) => {
      return sum + (other.getLink(ordered[at] ?? 0, node)?.data ?? Number.NaN)
    }, 0)
  }
}

for (const [file, format] of [
  ['monaco.osm.gz', 'osm-xml'],
  ['andorra.osm.pbf', 'osm-pbf'],
] as const) {
  test(`routes across ${file} are as long as those of another library`, async (t) => {
    const graph = await roadsOf(t, file, format)
    if (graph === undefined) return
    const search = otherSearch(graph)
    const random = seededRandom(7)
    let compared = 0
    for (let tries = 0; tries < 400 && compared < 40; tries++) {
      const from = Math.floor(random.next() * graph.nodeCount)
      const to = Math.floor(random.next() * graph.nodeCount)
      const at = (node: number) => ({ lat: graph.latOf(node), lon: graph.lonOf(node) })
      const theirsM = distanceM(at(from), at(to)) < 500 ? null : search(from, to)
      if (theirsM === null) continue
      const ours = searchRoute(graph, {
        from: at(from),
        to: at(to),
        users: CAR,
        timeS: (edge) => (graph.lengthM[edge >> 1] ?? 0) / (graph.fastestKmh / 3.6),
      })
      if (ours === null) continue
      compared++
      // Theirs may turn round on the spot, ours may begin on a stretch across the street.
      ok(
        Math.abs(ours.lengthM - theirsM) <= Math.max(60, 0.1 * theirsM),
        `${from} to ${to}: ${ours.lengthM} m, the other ${theirsM} m`,
      )
    }
    ok(compared >= 30, `${compared} routes`)
  })
}

test('simulated travellers drive on the roads that the operator gives', async (t) => {
  const path = sharedDataOrSkip(t, 'geo-natural-earth-osm/monaco.osm.gz')
  if (path === undefined) return
  const { lines } = await readRoadFile(path, 'osm-xml')
  const roads = buildRoads(lines, { name: 'monaco', version: '1', attribution: '' })
  const [west, south, east, north] = [7.4, 43.7, 7.46, 43.77]
  const simulate = (topic: string) => {
    const fleet = arrivalFleets.find((each) => each.topic === topic)
    ok(fleet !== undefined)
    return fleet.create({
      ...{ vehicles: 20, random: seededRandom(1), startMs: 0, intervalMs: 10_000 },
      tables: new Map([[ROAD_TABLE, roads]]),
    })
  }
  const orders = simulate(ORDERS).take({ untilMs: 30 * 60_000, maxEvents: 1_000 })
  ok(orders.count >= 10, `${orders.count} of 20 travellers have somewhere to go`)
  const positions = simulate('journeys').take({ untilMs: 30 * 60_000, maxEvents: 5_000 })
  const text = Buffer.from(positions.ndjson).toString('utf8').trimEnd().split('\n')
  ok(text.length > 500, `${text.length} positions`)
  const ends = new Map<string, number[]>()
  for (const line of text) {
    const { journeyId, lat, lon } = JSON.parse(line) as Record<string, number>
    ok(lat !== undefined && lat > south && lat < north)
    ok(lon !== undefined && lon > west && lon < east)
    ends.set(String(journeyId), [...(ends.get(String(journeyId)) ?? []), lat, lon])
  }
  ok(ends.size >= 10)
  const moved = [...ends.values()].filter((places) => {
    const [lat0 = 0, lon0 = 0] = places
    const [lat1 = 0, lon1 = 0] = places.slice(-2)
    return distanceM({ lat: lat0, lon: lon0 }, { lat: lat1, lon: lon1 }) > 500
  })
  ok(moved.length >= 5, `${moved.length} of ${ends.size} came 500 m far`)
})
