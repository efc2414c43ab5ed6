// What an operator does with a rule of their own: writes it, sees what it would have said, puts it in force,
// sees it pending and firing, takes notice, and silences it.

import assert from 'node:assert/strict'
import { test } from 'node:test'
import { startProgram, temporaryDataDir } from '../program.ts'
import { openBrowser, openPage } from './chromium.ts'
import { sendReadings } from './readings.ts'

const TRUCK = 'KDG 481P'
const HOUR_S = 3_600
const RULE = `name: nearly-warm
topic: truck-readings
description: Close to the limit for half a minute. Call the driver.
when: event.temperatureMph > 6
for: 30s
severity: minor
peak: event.temperatureC
fields: [temperatureC, profile]
summary: '{temperatureC} °C, nearly too warm'
cases:
  - name: half a minute of it fires
    events:
      - {at: 0s, temperatureC: 6.5}
      - {at: 30s, temperatureC: 6.6}
    alerts:
      - {status: firing, startsAt: 0s}
`

test('a rule is written, tried over history, published, fires, is acknowledged and silenced', async (t) => {
  const browser = await openBrowser(t)
  if (browser === undefined) return
  const program = await startProgram(temporaryDataDir(t), ['--no-simulate'], {
    OUTRIDER_LOG_LEVEL: 'error',
  })
  t.after(() => program.stop())
  const { address } = program
  const { page, complaints } = await openPage(browser, address)
  const drawer = page.getByRole('complementary')
  const warm = (ageS: number, temperatureC: number) => ({ truckId: TRUCK, temperatureC, ageS })

  await sendReadings(address, [
    warm(HOUR_S, 5),
    warm(HOUR_S - 60, 6.4),
    warm(HOUR_S - 120, 6.8),
    warm(HOUR_S - 180, 5),
    warm(HOUR_S - 600, 6.2),
    warm(HOUR_S - 610, 5),
  ])

  await t.test('what is wrong is said while it is typed, with its place', async () => {
    await page.goto(`${address}/rules`)
    await page.getByRole('link', { name: 'New rule' }).click()
    await page.getByRole('textbox', { name: 'Rule document' }).fill(RULE)
    await page.getByText('1 to mend').waitFor()
    await page
      .getByRole('button', { name: /^4:\d+\s*when: event\.temperatureMph does not exist/ })
      .waitFor()
    assert.ok(await page.getByRole('button', { name: 'Publish' }).isDisabled())
  })

  await t.test('mended, its cases pass', async () => {
    const mended = RULE.replace('temperatureMph', 'temperatureC')
    await page.getByRole('textbox', { name: 'Rule document' }).fill(mended)
    await page.getByText('good, cases pass').waitFor()
  })

  await t.test(
    'over history it says what it would have told: the long one, not the short',
    async () => {
      await page.getByRole('button', { name: 'Replay' }).click()
      const panel = page.locator('section', { hasText: 'Over history' }).last()
      await panel.getByText('6.8 °C, nearly too warm').waitFor()
      assert.equal(await panel.getByText('nearly too warm').count(), 1)
    },
  )

  await t.test('published, it is in force under its own name', async () => {
    await page.getByRole('button', { name: 'Publish' }).click()
    await page.getByText('nearly-warm is in force as version 1').waitFor()
    await page.getByRole('heading', { name: 'nearly-warm' }).waitFor()
    await page.goto(`${address}/rules`)
    await page.getByRole('link', { name: 'nearly-warm' }).waitFor()
  })

  await t.test('while it waits it is pending, and nobody is told', async () => {
    await sendReadings(address, [warm(90, 5), warm(60, 6.5)])
    await page.goto(`${address}/alerts/pending`)
    const pending = page.getByRole('row').filter({ hasText: TRUCK })
    await pending.getByText('Nearly warm').waitFor()
    await page.goto(`${address}/alerts`)
    await page.getByText('No alert waits for anybody').waitFor()
  })

  await t.test('it fires on a page that is open, and says what it rests on', async () => {
    await sendReadings(address, [warm(20, 6.7)])
    await page.getByRole('row').filter({ hasText: TRUCK }).getByRole('link').click()
    await drawer.getByText('6.7 °C, nearly too warm').first().waitFor()
    await drawer.getByText('Rule nearly-warm, version 1').waitFor()
    await drawer.getByText('Its text in that version').click()
    await drawer.getByText('when: event.temperatureC > 6').last().waitFor()
    await drawer.getByText('Reference data it was judged with').click()
    await drawer.getByText('goods-profiles').waitFor()
    assert.equal(await drawer.getByText('The event that closed it').count(), 0)
  })

  await t.test('acknowledged, it no longer waits', async () => {
    await drawer.getByRole('button', { name: 'Acknowledge' }).click()
    await drawer.getByText('Acknowledged by local').waitFor()
  })

  await t.test('silenced, it is told to nobody', async () => {
    await drawer.getByRole('link', { name: 'Silence' }).click()
    await page.getByText('Keeps 1 open alert quiet now').waitFor()
    await page.getByLabel('Why').fill('The driver knows')
    await page.getByRole('button', { name: 'Silence', exact: true }).click()
    await page.getByRole('link', { name: '1 alert quiet now' }).click()
    const silenced = page.getByRole('row').filter({ hasText: TRUCK })
    await silenced.getByRole('link').click()
    await drawer.getByText('Silenced', { exact: true }).first().waitFor()
  })

  await t.test('over, it shows the reading that closed it, without a reload', async () => {
    await sendReadings(address, [warm(5, 4.2)])
    await drawer.getByText('The event that closed it').click()
    await drawer.getByText('4.2', { exact: true }).waitFor()
  })

  // The browser's own word on an alert that is on the feed a moment before it is in the database.
  const meant = complaints.filter((each) => !/Failed to load resource: .* 503/.test(each))
  assert.deepEqual(meant, [])
})
