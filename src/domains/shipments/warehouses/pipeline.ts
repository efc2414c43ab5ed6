// Warehouses as the engine runs them: stock by merchant and sku, what moved in each hour, and what runs low.

import { DAY_MS, type EpochMs, toIso } from '../../../kernel/time.ts'
import { copyRuns, openEpisodesOf, type RuleRuns } from '../../../rules/rule-set.ts'
import {
  archiveColumnsFor,
  liveRules,
  pipelineRules,
  type RuleSource,
} from '../../../rules/rule-source.ts'
import type { Pipeline } from '../../../streams/pipeline.ts'
import { type WarehouseEvent, warehouseEvents } from './events.ts'
import { REORDER_TABLE, reorderPointOf } from './reorder-points.ts'
import { warehouseRules } from './rules.ts'
import { emptyLine, isLow, lineAfter, type StockLine } from './stock.ts'
import { allLines, lineOf, MAX_LINES, NO_LINES, type StockLines, withLine } from './stock-lines.ts'
import { stockTable } from './stock-table.ts'
import { hoursAfter, merchantOf, type OpenHours, warehouseHourTable } from './throughput.ts'

export const WAREHOUSE_VIEW = 'warehouses'
/** A warehouse that says nothing for so long has closed. */
const FORGET_AFTER_MS = 400 * DAY_MS

export interface WarehouseState {
  lines: StockLines
  hours: OpenHours
  region: string | null
  recordedAtMs: EpochMs
  low: number
  negative: number
  runs: RuleRuns
}

/** The pipeline with other rules than the built-in ones, for trying them over history. */
export function warehousesPipelineWith(
  rules: RuleSource,
): Pipeline<WarehouseEvent, WarehouseState> {
  return {
    name: 'warehouses',
    topic: warehouseEvents,
    ...archiveColumnsFor(rules, warehouseEvents.archive),
    stateFormat: 1,
    forgetAfterMs: FORGET_AFTER_MS,
    takesLateEvents: true,
    newState: () => ({
      lines: NO_LINES,
      hours: {},
      region: null,
      recordedAtMs: 0,
      low: 0,
      negative: 0,
      runs: [],
    }),
    copyState: ({ runs, ...state }) => ({ ...state, runs: copyRuns(runs) }),
    onEvent(state, event, context) {
      const { warehouseId, merchantId, sku } = event
      const atMs = Math.min(event.recordedAtMs, context.eventTimeMs)
      const known = lineOf(state.lines, event)
      if (known === undefined && state.lines.count >= MAX_LINES) return
      const reorderPoint = reorderPointOf(context.reference(REORDER_TABLE), event)
      const line = { ...lineAfter(known ?? emptyLine(event), event, atMs), reorderPoint }
      count(state, known, line)
      state.lines = withLine(state.lines, line)
      state.region = event.region ?? state.region
      state.recordedAtMs = Math.max(state.recordedAtMs, atMs)
      const { onHand, picked, countDifference } = line
      const derived = {
        item: `${merchantId} ${sku}`,
        onHand,
        picked,
        reorderPoint,
        low: isLow(line),
        countDifference,
      }
      rules.at(context).onEvent(state.runs, { event, derived }, context)
      if (rules.scope.alertsOnly) return
      context.put(stockTable, { warehouseId, line })
      const moved = hoursAfter(state.hours, event, atMs)
      if (moved === null) return
      state.hours = moved.hours
      const { region } = state
      context.put(warehouseHourTable, { warehouseId, merchantId, region, ...moved.hour })
    },
    onTimer() {
      // Warehouses set no timers.
    },
    openEpisodes: (state) => openEpisodesOf(state.runs),
    silences: [],
    rules: pipelineRules<WarehouseState>(rules, { runs: ({ runs }) => runs }),
    windows: [],
    broadcasts: [],
    rows: {
      tables: [stockTable, warehouseHourTable],
      open(state, warehouseId, put) {
        for (const line of allLines(state.lines)) {
          put(stockTable, { warehouseId, line })
        }
        for (const [name, hours] of Object.entries(state.hours)) {
          const about = { warehouseId, merchantId: merchantOf(name), region: state.region }
          for (const hour of hours) put(warehouseHourTable, { ...about, ...hour })
        }
      },
    },
    view: {
      name: WAREHOUSE_VIEW,
      document(state, warehouseId, { open, receivedAtMs }) {
        return {
          warehouseId,
          region: state.region,
          lines: state.lines.count,
          low: state.low,
          negative: state.negative,
          recordedAt: toIso(state.recordedAtMs),
          receivedAt: toIso(receivedAtMs),
          alerts: open.length,
        }
      },
    },
  }
}

export const warehousesPipeline = warehousesPipelineWith(liveRules(warehouseRules))

function count(state: WarehouseState, known: StockLine | undefined, line: StockLine): void {
  const change = (flag: (line: StockLine) => boolean): number =>
    (flag(line) ? 1 : 0) - (known !== undefined && flag(known) ? 1 : 0)
  state.low += change(isLow)
  state.negative += change(({ onHand }) => onHand < 0)
}
