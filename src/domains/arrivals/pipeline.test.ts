// What journeys promise, against a task of the engine with nothing else around it, in the sketch of a city.

import { deepEqual, equal, ok } from 'node:assert/strict'
import { test } from 'node:test'
import { memoryEncoder } from '../../../test/simulation/memory-encoder.ts'
import { MINUTE_MS, SECOND_MS } from '../../kernel/time.ts'
import type { RowTable } from '../../ports/row-table.ts'
import { type BatchOutput, NO_INPUTS } from '../../streams/batch.ts'
import { Task } from '../../streams/task.ts'
import { journeyPositions } from './events.ts'
import { WATCHED_AFTER_START_MS } from './journey-state.ts'
import { journeyPipeline } from './pipeline.ts'
import { journeyPlans, wirePlan } from './plans.ts'
import { CAR, ROAD_TABLE } from './roads/road-document.ts'
import { RoadGraph } from './roads/road-graph.ts'
import { searchRoute } from './roads/route-search.ts'
import { arrivalTable, estimateTable } from './rows.ts'
import { traffic } from './traffic.ts'
import { sketchOfCity } from './world/city.ts'

const START_MS = Date.UTC(2026, 0, 5, 8)
const city = sketchOfCity()
const graph = new RoadGraph(city)
const at = (node: number) => ({ lat: graph.latOf(node), lon: graph.lonOf(node) })
const [home, office] = [at(10), at(300)]
const usualS = (edge: number): number =>
  ((graph.lengthM[edge >> 1] ?? 0) * 3.6) / (graph.freeFlowKmh[edge >> 1] ?? 30)
const way = searchRoute(graph, { from: home, to: office, users: CAR, timeS: usualS })
const wayS = (way?.durationS ?? 0) / 0.85

interface Planned {
  readonly journeyId?: string
  readonly startsInS?: number
  readonly over?: boolean
  readonly lat?: number
  readonly lon?: number
}

/** A task with the roads of the city; times are seconds after the start. */
function openTask() {
  const task = new Task({
    pipeline: journeyPipeline,
    topic: journeyPositions.name,
    partition: 0,
    encoder: memoryEncoder(journeyPositions.archive),
  })
  const reached: Record<string, number> = { [traffic.name]: 0, [journeyPlans.name]: 0 }
  let offset = 0
  const references = [{ name: ROAD_TABLE, version: 1, content: city }]
  task.process([], 0, { ...NO_INPUTS, references })
  const broadcast = (topic: string, atS: number, key: string, value: unknown): BatchOutput => {
    const offsetThere = reached[topic] ?? 0
    reached[topic] = offsetThere + 1
    const receivedAtMs = START_MS + atS * SECOND_MS
    const record = { offset: offsetThere, key, tenantId: 'default', receivedAtMs, value }
    const broadcasts = [{ topic, records: [record], nextOffset: offsetThere + 1 }]
    return task.process([], offset, { ...NO_INPUTS, broadcasts })
  }
  return {
    plan(atS: number, planned: Planned = {}) {
      const { journeyId = 'j1', startsInS = 3_600, over = false, lat, lon } = planned
      const place = { lat: lat ?? office.lat, lon: lon ?? office.lon }
      const plan = wirePlan({
        ...{ journeyId, appointmentId: 'a1', title: 'Visit', mode: 'car', online: true, over },
        ...place,
        recordedAtMs: START_MS + atS * SECOND_MS,
        eventId: null,
        startsAtMs: START_MS + startsInS * SECOND_MS,
        travelTime: null,
      })
      return broadcast(journeyPlans.name, atS, journeyId, plan)
    },
    traffic(atS: number, segmentId: string, speedKmh: number) {
      const observedAt = START_MS + atS * SECOND_MS
      return broadcast(traffic.name, atS, segmentId, { segmentId, observedAt, speedKmh })
    },
    position(atS: number, place: { readonly lat: number; readonly lon: number }, journeyId = 'j1') {
      const recordedAt = START_MS + atS * SECOND_MS
      const value = Buffer.from(JSON.stringify({ journeyId, recordedAt, ...place }))
      const record = {
        offset,
        key: journeyId,
        value,
        receivedAtMs: recordedAt,
        tenantId: 'default',
      }
      offset++
      return task.process([record], offset, NO_INPUTS)
    },
    pass: (atS: number) =>
      task.process([], offset, { ...NO_INPUTS, tickMs: START_MS + atS * SECOND_MS }),
  }
}

function rowsOf(output: BatchOutput, table: RowTable<never> | RowTable<unknown>) {
  return output.rows
    .filter((row) => row.table.name === table.name)
    .map(({ values }) =>
      Object.fromEntries(table.columns.map(({ name }, index) => [name, values?.[index] ?? null])),
    )
}

const estimatesIn = (output: BatchOutput) =>
  output.rows
    .filter((row) => row.table.name === estimateTable.name)
    .map(({ values }) => {
      const row = Object.fromEntries(
        estimateTable.columns.map(({ name }, index) => [name, values?.[index] ?? null]),
      )
      return {
        journeyId: String(row.journey_id),
        cause: String(row.cause),
        source: String(row.source),
        p50S: (Number(row.eta_p50) - START_MS) / SECOND_MS,
        p90S: (Number(row.eta_p90) - START_MS) / SECOND_MS,
        late: Number(row.late_probability),
      }
    })

test('a position gives an estimate of what the way takes, with P90 after P50', () => {
  const task = openTask()
  task.plan(0)
  const [found] = estimatesIn(task.position(1, home))
  ok(found !== undefined)
  equal(found.source, 'roads')
  ok(Math.abs(found.p50S - 1 - wayS) < 0.15 * wayS, `${found.p50S} s, the way takes ${wayS} s`)
  ok(found.p90S > found.p50S * 1.1 && found.late < 0.05)
})

test('traffic touches the journeys whose way it lies on, and no others', () => {
  const task = openTask()
  for (const journeyId of ['j1', 'j2', 'j3']) task.plan(0, { journeyId })
  const [before] = estimatesIn(task.position(1, home))
  task.position(2, at(470), 'j2')
  const edge = way?.edges[Math.floor((way.edges.length ?? 0) / 2)] ?? 0
  const touched = estimatesIn(task.traffic(30, graph.idOf(edge), 3))
  deepEqual(
    touched.map(({ journeyId, cause }) => [journeyId, cause]),
    [['j1', 'traffic']],
  )
  ok((touched[0]?.p50S ?? 0) > (before?.p50S ?? 0) + 60, 'a jam takes time')
  deepEqual(estimatesIn(task.traffic(31, 'nowhere', 3)), [])
})

test('silence widens the estimate, and moves the median back', () => {
  const task = openTask()
  task.plan(0)
  const [before] = estimatesIn(task.position(1, home))
  const later = estimatesIn(task.pass(200)).at(-1)
  ok(before !== undefined && later !== undefined)
  equal(later.cause, 'time')
  ok(later.p90S - later.p50S > before.p90S - before.p50S + 30)
  ok(later.p50S > before.p50S)
})

test('being late for a minute fires, and another start takes it back', () => {
  const task = openTask()
  task.plan(0, { startsInS: Math.round(wayS / 2) })
  const alerts = [1, 20, 45, 62].flatMap((atS) => task.position(atS, home).alerts)
  deepEqual(
    alerts.map(({ rule, status, labels }) => [rule, status, labels.appointmentId, labels.online]),
    [['late-arrival', 'firing', 'a1', 'yes']],
  )
  const moved = task.plan(70, { startsInS: 7_200 })
  deepEqual(
    moved.alerts.map(({ id, status }) => [id, status]),
    [[alerts[0]?.id, 'resolved']],
  )
})

test('who is never heard of again is late until nobody waits any more', () => {
  const task = openTask()
  task.plan(0, { startsInS: 300 })
  task.position(10, home)
  const fired = task.position(80, home)
  deepEqual(
    fired.alerts.map(({ status }) => status),
    ['firing'],
  )
  const twoHoursS = 300 + WATCHED_AFTER_START_MS / SECOND_MS
  deepEqual(
    task.pass(twoHoursS - 1).alerts.filter(({ status }) => status === 'resolved'),
    [],
  )
  const over = task.pass(twoHoursS)
  deepEqual(
    over.alerts.map(({ status, endsAtMs }) => [status, endsAtMs]),
    [['resolved', START_MS + twoHoursS * SECOND_MS]],
  )
  deepEqual(task.pass(twoHoursS + 86_400).alerts, [])
})

test('a second episode between the same two positions is another alert', () => {
  const task = openTask()
  task.plan(0, { startsInS: Math.round(wayS / 2) })
  const first = [1, 62].flatMap((atS) => task.position(atS, home).alerts)
  task.plan(70, { startsInS: 7_200 })
  const again = [80, 150].flatMap(
    (atS) => task.plan(atS, { startsInS: Math.round(wayS / 2) }).alerts,
  )
  equal(again.length, 1)
  ok(again[0]?.id !== first[0]?.id)
})

test('the arrival is kept and ends the journey', () => {
  const task = openTask()
  task.plan(0, { startsInS: 300 })
  task.position(1, home)
  const [row] = rowsOf(task.position(240, office), arrivalTable)
  equal(row?.arrived_at, START_MS + 240 * SECOND_MS)
  equal(row?.late_probability, 0)
  deepEqual(task.position(250, home).rows, [])
  deepEqual(task.pass(900).rows, [])
})

test('a position off the roads is estimated as the crow flies, and less surely', () => {
  const task = openTask()
  task.plan(0)
  const far = { lat: home.lat - 0.3, lon: home.lon - 0.3 }
  const [found] = estimatesIn(task.position(1, far))
  equal(found?.source, 'straight-line')
  ok((found?.p90S ?? 0) > (found?.p50S ?? 0) * 1.3)
})

test('whoever leaves the way gets another one', () => {
  const task = openTask()
  task.plan(0)
  task.position(1, home)
  const elsewhere = at(200)
  task.position(60, elsewhere)
  const [found] = estimatesIn(task.position(70, elsewhere))
  const other = searchRoute(graph, { from: elsewhere, to: office, users: CAR, timeS: usualS })
  ok(Math.abs((found?.p50S ?? 0) - 70 - (other?.durationS ?? 0) / 0.85) < MINUTE_MS / SECOND_MS)
})

test('a journey without a plan is estimated as soon as it has one', () => {
  const task = openTask()
  deepEqual(task.position(1, home).rows, [])
  const [found] = estimatesIn(task.plan(5))
  equal(found?.cause, 'plan')
})
