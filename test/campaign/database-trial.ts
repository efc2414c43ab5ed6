// FAULTS 11: PostgreSQL away for a minute, and killed twenty times, while trucks get too warm. Warnings go on as
// fast as before; the archive catches up.

import { startCluster } from '../cluster/cluster.ts'
import { startWarmTrucks, untilHeard, type WarmTrucks } from '../cluster/warm-trucks.ts'
import { runCommand } from '../program.ts'
import { until } from '../waiting.ts'
import { query } from './audit.ts'
import { type CountedReport, seconds } from './counted.ts'
import { pause } from './faults.ts'
import { percentile, waitsText } from './waits.ts'

const PER_SECOND = 50
const QUIET_MS = 30_000
const AWAY_MS = 60_000
const KILLS = 20
const DOWN_MS = 500
const BETWEEN_KILLS_MS = 2_500
const CATCH_UP_MS = 60_000
const PATIENCE_MS = 60_000
const SLOWER_AT_MOST = 2
/** Waits so short are noise of the machine, not of the outage. */
const NO_MATTER_MS = 50

export async function runDatabaseTrial({
  seed,
  share,
  say,
}: {
  readonly seed: number
  readonly share: number
  readonly say: (line: string) => void
}): Promise<CountedReport> {
  const cluster = await startCluster({ brokers: 1, doors: 1, tasks: 2, serve: 1, say })
  try {
    const { address } = cluster.front
    const load = startWarmTrucks({
      doors: () => address,
      serve: () => address,
      perSecond: PER_SECOND,
    })
    await until('alerts come', () => load.waitsMs(0, Number.POSITIVE_INFINITY).length > PER_SECOND)
    const figures: Record<string, string> = {}
    const violations: string[] = []
    const during = async (what: string, work: () => Promise<void>): Promise<number> => {
      say(what)
      const fromMs = performance.now()
      await work()
      const toMs = performance.now()
      await untilHeard(load, toMs, PATIENCE_MS)
      const waits = load.waitsMs(fromMs, toMs)
      figures[`alerts, ${what}`] = waitsText(waits)
      return percentile(waits, 0.99)
    }
    const usual = await during('quiet', () => pause(QUIET_MS * share))
    const hold = (what: string, p99: number): void => {
      if (p99 <= Math.max(SLOWER_AT_MOST * usual, NO_MATTER_MS)) return
      violations.push(`${what}: p99 ${Math.round(p99)} ms, where it is ${Math.round(usual)} ms`)
    }
    const away = await during('PostgreSQL away', async () => {
      await cluster.postgres.node().kill()
      await pause(AWAY_MS * share)
    })
    hold('PostgreSQL away', away)
    await cluster.postgres.restart()
    const backMs = performance.now()
    await archived(cluster.postgres.url, load)
    const caughtUpMs = performance.now() - backMs
    figures['archive caught up after'] = seconds(caughtUpMs)
    if (caughtUpMs > CATCH_UP_MS)
      violations.push(`the archive caught up after ${seconds(caughtUpMs)}`)
    const kills = Math.max(1, Math.round(KILLS * share))
    const killed = await during('PostgreSQL killed', async () => {
      for (let kill = 0; kill < kills; kill++) {
        await cluster.postgres.node().kill()
        await pause(DOWN_MS)
        await cluster.postgres.restart()
        await pause(BETWEEN_KILLS_MS)
      }
    })
    hold('PostgreSQL killed', killed)
    await load.finish(PATIENCE_MS)
    await archived(cluster.postgres.url, load)
    const verified = await runCommand(['verify', '--json'], { ...cluster.settings })
    if (verified.code !== 0) violations.push(`verify: ${verified.stdout}${verified.stderr}`)
    return {
      title: `PostgreSQL away for ${seconds(AWAY_MS * share)}, and ${kills} SIGKILLs of it`,
      seed,
      faults: { 'postgres-away': 1, 'postgres-killed': kills },
      figures,
      violations,
    }
  } finally {
    await cluster.stop()
  }
}

/** Everything acknowledged by now stands in the archive. */
async function archived(url: string, load: WarmTrucks): Promise<void> {
  const acknowledged = [...load.trucks.values()].filter(({ acknowledgedMs }) => acknowledgedMs > 0)
  await until(
    'the archive has caught up',
    async () => {
      const [row] = await query(url, 'SELECT count(DISTINCT truck_id) AS trucks FROM truck_reading')
      return Number(row?.trucks) >= acknowledged.length
    },
    2 * CATCH_UP_MS,
  )
}
