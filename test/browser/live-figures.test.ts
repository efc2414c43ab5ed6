// What moves on screen by itself while the simulated fleets of `npm start` drive: the sliding windows over
// vehicles, and all five figures of the trips.

import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { Page } from 'playwright-core'
import { startProgram, temporaryDataDir } from '../program.ts'
import { until } from '../waiting.ts'
import { openBrowser, openPage } from './chromium.ts'

/** What the issue asks for. */
const WATCHED_MS = 120_000

/** Resolves once every one of the parts reads otherwise than when it was first seen. */
async function allMove(page: Page, parts: Readonly<Record<string, string>>): Promise<void> {
  const first = new Map<string, string>()
  for (const [name, selector] of Object.entries(parts)) {
    first.set(name, await page.locator(selector).innerText())
  }
  for (const [name, selector] of Object.entries(parts)) {
    const moved = async (): Promise<boolean> =>
      (await page.locator(selector).innerText()) !== first.get(name)
    await until(`${name} moves on screen`, moved, WATCHED_MS)
  }
}

test('windows of vehicles and all five figures of trips move by themselves within two minutes', async (t) => {
  const browser = await openBrowser(t)
  if (browser === undefined) return
  const program = await startProgram(temporaryDataDir(t), ['--vehicles', '30'], {
    OUTRIDER_LOG_LEVEL: 'error',
  })
  t.after(() => program.stop())
  const { page, complaints } = await openPage(browser, program.address)

  await t.test('the window that fills', async () => {
    await page.goto(`${program.address}/vehicles`)
    await allMove(page, { readings: '[data-readings]' })
  })

  await t.test('total, revenue, average distance, status and payment', async () => {
    await page.goto(`${program.address}/trips`)
    await allMove(page, {
      total: '.tiles > div:nth-child(1) dd',
      revenue: '.tiles > div:nth-child(2) dd',
      distance: '.tiles > div:nth-child(3) dd',
      status: '.two > section:nth-child(1) table',
      payment: '.two > section:nth-child(2) table',
    })
  })

  assert.deepEqual(complaints, [])
})
