// The cold-chain report of a truck or shipment over a range: read, judged, and told as JSON.

import {
  DEFAULT_PROFILE_NAME,
  findProfile,
  type GoodsProfile,
} from '../domains/cold-chain/profiles.ts'
import {
  medianReadingIntervalMs,
  type ReadingScope,
  readingsInOrder,
  readingsOverview,
  type StoredReading,
} from '../domains/cold-chain/queries.ts'
import { gapLimitMs, type ReportScope, reportBuilder } from '../domains/cold-chain/report.ts'
import type { ServerOptions } from './options.ts'
import type { ReportDocument } from './report-json.ts'
import { invalidParameter } from './validation.ts'

/** Sees each reading of the report too, once what it is judged by is known. */
export type ReadingWatch = (scope: ReportScope) => (reading: StoredReading) => void

export interface ReportQuestion extends ReadingScope {
  /** Profile to judge by, in place of the one that the readings name. */
  readonly profileName?: string | undefined
}

/** Null where there are no readings. */
export async function coldChainReport(
  { database, profiles }: Pick<ServerOptions, 'database' | 'profiles'>,
  { profileName, ...asked }: ReportQuestion,
  watch: ReadingWatch = () => () => undefined,
): Promise<ReportDocument | null> {
  // An unknown name in the request fails before the archive is read.
  const named = profileName === undefined ? undefined : knownProfile(profiles(), profileName)
  const overview = await readingsOverview(database, asked)
  const fromMs = asked.fromMs ?? overview.firstMs
  const toMs = asked.toMs ?? (overview.lastMs === undefined ? undefined : overview.lastMs + 1)
  if (fromMs === undefined || toMs === undefined || fromMs >= toMs) return null
  const scope = { ...asked, fromMs, toMs }
  const profile = named ?? usedProfile(profiles(), overview.profile)
  const limitMs = gapLimitMs(profile, await medianReadingIntervalMs(database, scope))
  const judged = { profile, fromMs, toMs, gapLimitMs: limitMs }
  const builder = reportBuilder(judged)
  const seen = watch(judged)
  for await (const readings of readingsInOrder(database, scope)) {
    for (const reading of readings) {
      builder.add(reading)
      seen(reading)
    }
  }
  return {
    truckId: asked.truckId ?? overview.truckId ?? null,
    shipmentId: asked.shipmentId ?? null,
    ...builder.finish(),
    excluded: { duplicate: overview.excludedDuplicates, future: overview.excludedFuture },
  }
}

function knownProfile(profiles: readonly GoodsProfile[], name: string): GoodsProfile {
  const profile = findProfile(profiles, name)
  if (profile !== undefined) return profile
  const names = profiles.map((candidate) => candidate.name).join(', ')
  throw invalidParameter('profile', `"${name}" is not one of ${names}`)
}

/** The profile that the readings name, or the default where they name none that we know. */
function usedProfile(profiles: readonly GoodsProfile[], name: string | undefined): GoodsProfile {
  const used = name === undefined ? undefined : findProfile(profiles, name)
  return used ?? knownProfile(profiles, DEFAULT_PROFILE_NAME)
}
