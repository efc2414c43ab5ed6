// The row of a stock line as it is now: table `stock`.

import type { RowTable } from '../../../ports/row-table.ts'
import { isLow, type StockLine } from './stock.ts'

export interface StockRow {
  readonly warehouseId: string
  readonly line: StockLine
}

export const stockTable: RowTable<StockRow> = {
  name: 'stock',
  columns: [
    { name: 'warehouse_id', type: 'text' },
    { name: 'merchant_id', type: 'text' },
    { name: 'sku', type: 'text' },
    { name: 'on_hand', type: 'float8' },
    { name: 'picked', type: 'float8' },
    { name: 'received', type: 'float8' },
    { name: 'dispatched', type: 'float8' },
    { name: 'adjusted', type: 'float8' },
    { name: 'reorder_point', type: 'float8' },
    { name: 'low', type: 'bool' },
    { name: 'negative', type: 'bool' },
    { name: 'dwell_unit_s', type: 'float8' },
    { name: 'dwell_units', type: 'float8' },
    { name: 'oldest_at', type: 'timestamptz' },
    { name: 'counted_at', type: 'timestamptz' },
    { name: 'count_difference', type: 'float8' },
    { name: 'bin', type: 'text' },
    { name: 'region', type: 'text' },
    { name: 'recorded_at', type: 'timestamptz' },
  ],
  keyColumns: 3,
  write(row, { warehouseId, line }) {
    row.text(warehouseId)
    row.text(line.merchantId)
    row.text(line.sku)
    row.float8(line.onHand)
    row.float8(line.picked)
    row.float8(line.received)
    row.float8(line.dispatched)
    row.float8(line.adjusted)
    row.float8(line.reorderPoint)
    row.bool(isLow(line))
    row.bool(line.onHand < 0)
    row.float8(line.dwellUnitS)
    row.float8(line.dwellUnits)
    row.timestamp(line.lots[0] ?? null)
    row.timestamp(line.countedAtMs)
    row.float8(line.countDifference)
    row.text(line.bin)
    row.text(line.region)
    row.timestamp(line.recordedAtMs)
  },
}
