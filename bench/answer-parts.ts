// The part that asks the program over HTTP, filled with a day of windows, very many trips and shipments.

import { rmSync } from 'node:fs'
import { join } from 'node:path'
import { AT_MOST, type Findings } from './findings.ts'
import { startProgram } from './program.ts'
import {
  fillShipments,
  fillTrips,
  fillWindows,
  letMerchantIn,
  SHIPMENT_QUESTIONS,
  timeAnswers,
  WINDOW_QUESTIONS,
} from './stored-answers.ts'

/** A day of sliding windows, and the sums of very many trips, asked for over HTTP. */
export async function timesOfAnswers({ plan, folder, say, add }: Findings): Promise<void> {
  const dataDir = join(folder, 'answers')
  const program = await startProgram({ dataDir })
  say('filling a day of windows')
  await fillWindows(dataDir)
  const trips = plan.trips.toLocaleString('en')
  say(`filling ${trips} trips`)
  await fillTrips(dataDir, plan.trips)
  const time: TimeAnswer = async (id, label, path, bar, token) => {
    const { p50Ms, p95Ms } = await timeAnswers(program.url, path, token)
    add({ id: `${id}.p50`, label: `${label}, p50`, value: p50Ms, unit: 'ms', goal: AT_MOST(bar) })
    add({ id: `${id}.p95`, label: '  p95', value: p95Ms, unit: 'ms' })
  }
  say('asking for windows and sums')
  const { quarterHours, page } = WINDOW_QUESTIONS
  await time('windows.day', 'windows of 24 h at 10,000 vehicles, by quarters', quarterHours, 50)
  await time('windows.page', 'windows of 24 h by minutes, a page of 1,000', page, 50)
  await time('trips.summary', `summary of ${trips} trips`, '/trips/summary', 20)
  await timesOfShipments({ plan, say }, { dataDir, url: program.url, time })
  await program.stop()
  rmSync(dataDir, { recursive: true, force: true })
}

type TimeAnswer = (
  id: string,
  label: string,
  path: string,
  bar: number,
  token?: string,
) => Promise<void>

/** As a merchant sees its own of very many, through row-level security; and its customer, by the link alone. */
async function timesOfShipments(
  { plan, say }: Pick<Findings, 'plan' | 'say'>,
  about: { readonly dataDir: string; readonly url: string; readonly time: TimeAnswer },
): Promise<void> {
  const { dataDir, url, time } = about
  const shipments = plan.shipments.toLocaleString('en')
  say(`filling ${shipments} shipments`)
  await fillShipments(dataDir, plan.shipments)
  say('asking for shipments as a merchant, and for a tracking page')
  const { token, trackingPage } = await letMerchantIn(url)
  const { recent, due, region, summary } = SHIPMENT_QUESTIONS
  await time(
    'shipments.recent',
    `a merchant's of ${shipments} shipments, by status`,
    recent,
    50,
    token,
  )
  await time('shipments.due', '  by promise, due first', due, 50, token)
  await time('shipments.region', '  of a region', region, 50, token)
  await time('shipments.summary', '  its figures', summary, 50, token)
  await time('shipments.tracking', 'the tracking page of one of them', trackingPage, 20)
}
