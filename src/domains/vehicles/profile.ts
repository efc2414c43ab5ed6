// What the reference tables say of the vehicle of an event, in the version that the event sees.

import type { ReferenceReader } from '../../streams/windows.ts'
import type { VehicleTelemetry } from './events.ts'
import {
  COLORS_TABLE,
  fleetJoin,
  MODELS_TABLE,
  profileIn,
  UNKNOWN_VEHICLE,
  VEHICLES_TABLE,
  type VehicleProfile,
} from './reference.ts'

const fleetOf = fleetJoin()

/** What reference tables say of a vehicle, in the version that `tables` gives; `known` is what they said of it before. */
export function profileOf(
  vehicleId: string,
  tables: ReferenceReader,
  known: VehicleProfile | null = null,
): VehicleProfile {
  const fleet = fleetOf({
    vehicles: tables.reference(VEHICLES_TABLE),
    models: tables.reference(MODELS_TABLE),
    colors: tables.reference(COLORS_TABLE),
  })
  return profileIn(fleet, vehicleId, known)
}

/**
 * The same for an event, which the pipeline and its windows ask for in turn: remembered for the newest. An
 * event is judged again with the tables that it was judged with before, or by another task.
 */
export function profileAt(
  event: VehicleTelemetry,
  tables: ReferenceReader,
  known: VehicleProfile | null = null,
): VehicleProfile {
  if (event !== asked.event || tables !== asked.tables) {
    asked.profile = profileOf(event.vehicleId, tables, known)
    asked.event = event
    asked.tables = tables
  }
  return asked.profile
}

const asked: {
  event: VehicleTelemetry | null
  tables: ReferenceReader | null
  profile: VehicleProfile
} = { event: null, tables: null, profile: UNKNOWN_VEHICLE }
