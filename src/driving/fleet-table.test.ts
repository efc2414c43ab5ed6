import { equal, match } from 'node:assert/strict'
import { test } from 'node:test'
import { checkFleetTable, fleetRowOf } from './fleet-table.ts'

test('a table that fits gives the row of a vehicle, whatever of it is there', () => {
  const table = [{ entityId: 'KDA 1', driver: 'Amina' }, { entityId: 'V2' }]
  equal(checkFleetTable(table), undefined)
  equal(fleetRowOf(table, 'KDA 1')?.driver, 'Amina')
  equal(fleetRowOf(table, 'V2')?.driver, undefined)
  equal(fleetRowOf(table, 'gone'), undefined)
  equal(fleetRowOf(undefined, 'KDA 1'), undefined)
})

test('a table that is malformed is refused with the place of the fault, and holds nothing', () => {
  match(String(checkFleetTable({ rows: [] })), /must be a list/)
  const empty = [{ entityId: 'KDA 1', loadCapacityKg: 0 }]
  match(String(checkFleetTable(empty)), /^\/0\/loadCapacityKg: /)
  equal(fleetRowOf(empty, 'KDA 1'), undefined)
  match(String(checkFleetTable([{ fleet: 'East' }])), /^\/0\/entityId: /)
  const twice = [{ entityId: 'A' }, { entityId: 'B' }, { entityId: 'A' }]
  match(String(checkFleetTable(twice)), /\/2\/entityId: "A" is there twice/)
})
