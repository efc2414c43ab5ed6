// Shipments as the engine runs them: keeps the state of each, writes it as a row, judges its promise.

import { DAY_MS, type EpochMs, MINUTE_MS, toIso } from '../../kernel/time.ts'
import { copyRuns, openEpisodesOf, type RuleRuns } from '../../rules/rule-set.ts'
import {
  archiveColumnsFor,
  liveRules,
  pipelineRules,
  type RuleSource,
} from '../../rules/rule-source.ts'
import type { KeyContext, Pipeline } from '../../streams/pipeline.ts'
import { type ShipmentEvent, shipmentEvents } from './events.ts'
import { factOf } from './facts.ts'
import { journey, positionAfter } from './journey.ts'
import { judgePromise, type PromiseState } from './promise.ts'
import { shipmentRules } from './rules.ts'
import { newShipment, type Shipment, tell } from './shipment.ts'
import { type ShipmentRow, shipmentTable } from './shipment-table.ts'
import { SHIPMENT_VIEW, shipmentDocument } from './views.ts'

/** Longer than goods are at sea. */
const FORGET_AFTER_MS = 90 * DAY_MS

export interface ShipmentState {
  shipment: Shipment | null
  /** A promise that the clock has passed. */
  passedMs: EpochMs | null
  /** A promise that is still open; null where there is none. */
  dueMs: EpochMs | null
  runs: RuleRuns
}

/** The pipeline with other rules than the built-in ones, for trying them over history. */
export function shipmentsPipelineWith(rules: RuleSource): Pipeline<ShipmentEvent, ShipmentState> {
  return {
    name: 'shipments',
    topic: shipmentEvents,
    ...archiveColumnsFor(rules, shipmentEvents.archive),
    stateFormat: 2,
    forgetAfterMs: FORGET_AFTER_MS,
    takesLateEvents: true,
    newState: () => ({ shipment: null, passedMs: null, dueMs: null, runs: [] }),
    copyState: ({ shipment, runs, ...state }) => ({
      ...state,
      shipment: shipment === null ? null : { ...shipment },
      runs: copyRuns(runs),
    }),
    onEvent(state, event, context) {
      state.shipment ??= newShipment(event)
      if (state.shipment.merchantId !== event.merchantId) return
      tell(state.shipment, event, context.eventTimeMs)
      judge(state, state.shipment, event, context)
    },
    onTimer() {
      // Shipments set no timers: a promise passes by the clock, not by what is heard of the shipment.
    },
    deadline: {
      atMs: ({ dueMs }) => dueMs,
      onPassed(state, context) {
        if (state.shipment === null) return
        state.passedMs = factOf(state.shipment.statements, 'promisedAtMs')
        judge(state, state.shipment, null, context)
      },
    },
    openEpisodes: (state) => openEpisodesOf(state.runs),
    silences: [],
    rules: pipelineRules<ShipmentState>(rules, { runs: ({ runs }) => runs }),
    windows: [],
    broadcasts: [],
    rows: {
      tables: [shipmentTable],
      open(state, _key, put) {
        const row = rowOf(state)
        if (row !== null) put(shipmentTable, row)
      },
    },
    view: {
      name: SHIPMENT_VIEW,
      document(state, _key, facts) {
        const row = rowOf(state)
        return row === null ? undefined : shipmentDocument(row, facts)
      },
    },
  }

  function judge(
    state: ShipmentState,
    shipment: Shipment,
    event: ShipmentEvent | null,
    context: KeyContext,
  ): void {
    const row = rowAt(shipment, state.passedMs, context.eventTimeMs)
    state.dueMs = dueOf(row, state.passedMs)
    const input = { event: event ?? shownOf(shipment), derived: derivedOf(row, context) }
    rules.at(context).onEvent(state.runs, input, context)
    if (!rules.scope.alertsOnly) context.put(shipmentTable, row)
  }
}

export const shipmentsPipeline = shipmentsPipelineWith(liveRules(shipmentRules))

function dueOf({ shipment, position }: ShipmentRow, passedMs: EpochMs | null): EpochMs | null {
  if (position.deliveredAtMs !== null || journey[position.state].outcome !== null) return null
  const promisedAtMs = factOf(shipment.statements, 'promisedAtMs')
  return passedMs === promisedAtMs ? null : promisedAtMs
}

/** As it was judged last. */
function rowOf({ shipment, passedMs }: Readonly<ShipmentState>): ShipmentRow | null {
  return shipment === null ? null : rowAt(shipment, passedMs, shipment.recordedAtMs)
}

function rowAt(shipment: Shipment, passedMs: EpochMs | null, atMs: EpochMs): ShipmentRow {
  const position = positionAfter(shipment.actual)
  return { shipment, position, judgement: judgePromise(shipment, position, { atMs, passedMs }) }
}

/** What a rule sees in place of an event where time alone has passed. */
function shownOf(shipment: Shipment): object {
  const { shipmentId, merchantId, statements, region, location, lat, lon, truckId, warehouseId } =
    shipment
  const carrier = factOf(statements, 'carrier')
  return { shipmentId, merchantId, carrier, region, location, lat, lon, truckId, warehouseId }
}

function derivedOf({ shipment, position, judgement }: ShipmentRow, context: KeyContext): object {
  const { status, outcome } = journey[position.state]
  const promisedAtMs = factOf(shipment.statements, 'promisedAtMs')
  const undelivered = position.deliveredAtMs === null
  const { reason } = shipment
  const lateByMin = judgement.lateByMs === null ? null : Math.round(judgement.lateByMs / MINUTE_MS)
  const exceptional = position.state === 'exception' || position.state === 'contradicted'
  return {
    status,
    outcome,
    promise: judgement.promise,
    late: undelivered && judgement.promise === 'late',
    atRisk: judgement.promise === 'at-risk',
    lateByMin,
    lateness: lateByMin === null ? null : latenessText(judgement.promise, lateByMin),
    promisedAt: promisedAtMs === null ? null : toIso(promisedAtMs),
    expectedAt: judgement.expected === null ? null : toIso(judgement.expected.deliveryMs),
    expectedBy: judgement.expected?.basis ?? null,
    exceptional,
    contradicted: position.contradiction !== null,
    contradiction: position.contradiction,
    problem: exceptional ? (position.contradiction ?? reason ?? 'no reason given') : null,
    hoursInStatus:
      position.sinceMs === null
        ? null
        : (context.eventTimeMs - position.sinceMs) / (60 * MINUTE_MS),
  }
}

function latenessText(promise: PromiseState, lateByMin: number): string {
  if (promise !== 'late') return `At risk: expected ${lateByMin} min after its promise`
  return lateByMin === 0
    ? 'Late: the promised time has passed'
    : `Late: ${lateByMin} min after its promise`
}
