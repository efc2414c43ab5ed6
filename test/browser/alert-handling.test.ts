// What an operator does about alerts beyond taking notice: resolve and reopen, silence and hear again, see
// who was told.

import assert from 'node:assert/strict'
import { mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'
import { startProgram, temporaryDataDir } from '../program.ts'
import { DESKTOP, openBrowser, openPage, PHONE } from './chromium.ts'
import { sendReadings } from './readings.ts'

const TRUCK = 'KDG 481P'
const OTHER = 'KCB 207M'
const SCREENSHOTS = process.env.OUTRIDER_TEST_SCREENSHOTS
const ROUTING = `
receivers: [{name: dispatch, channels: [inbox]}]
route: {receiver: dispatch, groupBy: [rule], groupWait: 1s, groupInterval: 2s}
`

test('an operator resolves, silences, and sees who was told', async (t) => {
  const browser = await openBrowser(t)
  if (browser === undefined) return
  const dataDir = temporaryDataDir(t)
  mkdirSync(dataDir, { recursive: true, mode: 0o755 })
  writeFileSync(join(dataDir, 'routing.yaml'), ROUTING)
  const program = await startProgram(dataDir, ['--no-simulate'], { OUTRIDER_LOG_LEVEL: 'error' })
  t.after(() => program.stop())
  const { address } = program
  const { page, complaints } = await openPage(browser, address)
  const drawer = page.getByRole('complementary')
  const row = (truckId: string) => page.getByRole('row').filter({ hasText: truckId })

  const pictures = async (name: string): Promise<void> => {
    if (SCREENSHOTS === undefined) return
    mkdirSync(SCREENSHOTS, { recursive: true })
    for (const [size, viewport] of Object.entries({ desktop: DESKTOP, phone: PHONE })) {
      for (const colorScheme of ['light', 'dark'] as const) {
        await page.setViewportSize(viewport)
        await page.emulateMedia({ colorScheme })
        await page.screenshot({ path: join(SCREENSHOTS, `${name}-${size}-${colorScheme}.png`) })
      }
    }
    await page.setViewportSize(DESKTOP)
    await page.emulateMedia({ colorScheme: 'light' })
  }

  await t.test('r resolves by hand, although the stream still sees it; undo reopens', async () => {
    await sendReadings(address, [
      { truckId: TRUCK, temperatureC: 9.4, ageS: 30 },
      { truckId: OTHER, temperatureC: 8.1, ageS: 20 },
    ])
    await page.goto(`${address}/alerts`)
    await row(TRUCK).getByRole('link').click()
    await drawer.getByText('Told to dispatch').waitFor()
    await page.keyboard.press('r')
    await drawer.getByText(/Resolved by local/).waitFor()
    await drawer.getByText('local resolved').waitFor()
    await page.getByRole('button', { name: 'Undo' }).click()
    await drawer.getByText(/Firing since/).waitFor()
    await drawer.getByText('local reopened').waitFor()
  })

  await t.test('a false alarm is marked, and the mark can be taken back', async () => {
    await drawer.getByRole('button', { name: 'False alarm', exact: true }).click()
    await drawer.getByText('Marked as a false alarm by local').waitFor()
    await pictures('detail')
    await drawer.getByRole('button', { name: 'No false alarm' }).click()
    await drawer.getByText('Marked as a false alarm by local').waitFor({ state: 'detached' })
  })

  await t.test('a silence says what it would keep quiet, and marks the alert', async () => {
    await drawer.getByRole('link', { name: 'Silence' }).click()
    await page.getByText('Keeps 1 open alert quiet now').waitFor()
    await page.getByLabel('Why').fill('In the workshop')
    await pictures('silence-new')
    await page.getByRole('button', { name: 'Silence', exact: true }).click()
    await page.getByText('1 alert quiet now').waitFor()
    await pictures('silences')
    await page.getByRole('link', { name: '1 alert quiet now' }).click()
    await row(TRUCK).getByText('Silenced').waitFor()
    assert.equal(await row(OTHER).count(), 0)
    await pictures('inbox-silenced')
    await page.goto(`${address}/alerts`)
    await row(OTHER).waitFor()
    assert.equal(await row(TRUCK).count(), 0, 'it does not ask for action')
  })

  await t.test('ended, it is heard again on a page that was open all the time', async () => {
    const second = await openPage(browser, address)
    await second.page.goto(`${address}/alerts/silences`)
    await second.page.getByRole('button', { name: 'End', exact: true }).click()
    await second.page.getByText('Nothing is silenced').waitFor()
    await row(TRUCK).waitFor()
    assert.deepEqual(second.complaints, [])
    await second.page.close()
  })

  await t.test('several are assigned and resolved together', async () => {
    await page.getByRole('checkbox', { name: 'Select all shown' }).check()
    await pictures('inbox-selected')
    await page.getByLabel('Assign the selected to').fill('Wanjiru')
    await page.getByRole('button', { name: 'Assign', exact: true }).click()
    await row(TRUCK).getByText('Wanjiru').waitFor()
    await page.getByRole('checkbox', { name: 'Select all shown' }).check()
    await page.getByRole('button', { name: 'Resolve', exact: true }).click()
    await page.getByText('2 alerts resolved').waitFor()
  })

  await t.test('what was told to whom is on a page of its own', async () => {
    await page.getByRole('link', { name: 'Notifications' }).click()
    await page.getByRole('cell', { name: 'rule="temperature-excursion"' }).first().waitFor()
    await page.getByRole('cell', { name: 'dispatch inbox' }).first().waitFor()
    await pictures('notifications')
  })

  assert.deepEqual(complaints, [])
})
