// What a dispatcher does: sees an excursion arrive, opens it, takes it, and all of it by keyboard too.

import assert from 'node:assert/strict'
import { type TestContext, test } from 'node:test'
import type { Page } from 'playwright-core'
import { startProgram, temporaryDataDir } from '../program.ts'
import { openBrowser, openPage } from './chromium.ts'
import { sendReadings } from './readings.ts'

const TRUCK = 'KDG 481P'
const OTHER = 'KCB 207M'

async function startQuietly(t: TestContext, environment: NodeJS.ProcessEnv = {}) {
  const program = await startProgram(temporaryDataDir(t), ['--no-simulate'], {
    OUTRIDER_LOG_LEVEL: 'error',
    ...environment,
  })
  t.after(() => program.stop())
  return program
}

async function alertsOf(address: string, truckId: string) {
  const url = `${address}/api/v1/alerts?entity=${encodeURIComponent(truckId)}`
  const list: unknown = await (await fetch(url)).json()
  assert.ok(typeof list === 'object' && list !== null && 'items' in list)
  assert.ok(Array.isArray(list.items))
  return list.items
}

async function until(what: string, isTrue: () => Promise<boolean>): Promise<void> {
  const deadline = performance.now() + 15_000
  while (performance.now() < deadline) {
    if (await isTrue()) return
    await new Promise((resolve) => setTimeout(resolve, 50))
  }
  assert.fail(`never came true: ${what}`)
}

const row = (page: Page, truckId: string) =>
  page.locator('section', { hasText: 'Needs attention' }).getByRole('listitem').filter({
    hasText: truckId,
  })

test('an excursion arrives, is seen on the overview, opened, acknowledged and resolved', async (t) => {
  const browser = await openBrowser(t)
  if (browser === undefined) return
  const { address } = await startQuietly(t)
  const { page, complaints } = await openPage(browser, address)

  await t.test('a healthy fleet needs nobody', async () => {
    await sendReadings(address, [
      { truckId: TRUCK, temperatureC: 4.4, ageS: 120 },
      { truckId: TRUCK, temperatureC: 4.6, ageS: 60 },
      { truckId: OTHER, temperatureC: 5, ageS: 60, lat: -4.04, lon: 39.66 },
    ])
    await page.goto(address)
    await page.getByRole('heading', { name: 'Nothing needs you' }).waitFor()
    await page.getByText('of 2 trucks').waitFor()
    await page.getByText('Live', { exact: true }).first().waitFor()
  })

  await t.test('the excursion comes up without a reload', async () => {
    await sendReadings(address, [{ truckId: TRUCK, temperatureC: 9.4, ageS: 1 }])
    await row(page, TRUCK).waitFor()
    await page.getByRole('heading', { name: '1 alert needs you' }).waitFor()
  })

  await t.test('opened, it shows its curve, its rule and the reading behind it', async () => {
    await row(page, TRUCK).getByRole('link').click()
    await page.getByRole('img', { name: /^Temperature: lowest 4\.4 °C, highest 9\.4 °C/ }).waitFor()
    await page.getByText('Rule temperature-excursion, version 1').waitFor()
    await page.getByText('The event that opened it').click()
    await page.getByRole('complementary').getByText('9.4', { exact: true }).waitFor()
  })

  await t.test('acknowledged, it still fires, and the way back works', async () => {
    const drawer = page.getByRole('complementary')
    await drawer.getByRole('button', { name: 'Acknowledge' }).click()
    await drawer.getByText('Acknowledged by').waitFor()
    const [taken] = await alertsOf(address, TRUCK)
    assert.equal(taken.status, 'firing')
    assert.notEqual(taken.acknowledgedAt, null)
    await page.getByRole('button', { name: 'Undo' }).click()
    await drawer.getByRole('button', { name: 'Acknowledge' }).waitFor()
    const [givenBack] = await alertsOf(address, TRUCK)
    assert.equal(givenBack.acknowledgedAt, null)
    await drawer.getByRole('button', { name: 'Acknowledge' }).click()
    await drawer.getByText('Acknowledged by').waitFor()
  })

  await t.test('a comment and an assignee are on its timeline', async () => {
    const drawer = page.getByRole('complementary')
    await drawer.getByLabel('Comment').fill('Driver called, reefer restarted <b>now</b>')
    await drawer.getByRole('button', { name: 'Comment' }).click()
    await drawer.getByText('Driver called, reefer restarted <b>now</b>').waitFor()
    await drawer.getByLabel('Assign to').fill('Wanjiru')
    await drawer.getByRole('button', { name: 'Assign', exact: true }).click()
    await drawer.getByText('local assigned Wanjiru').waitFor()
  })

  await t.test('the address shows a colleague the same', async () => {
    const colleague = await openPage(browser, address)
    await colleague.page.goto(page.url())
    await colleague.page.getByRole('complementary').getByText('Acknowledged by').waitFor()
    assert.deepEqual(colleague.complaints, [])
    await colleague.page.close()
  })

  await t.test('back within its limits it is resolved, and found under Resolved', async () => {
    const drawer = page.getByRole('complementary')
    for (let reading = 0; reading < 3; reading += 1) {
      await sendReadings(address, [{ truckId: TRUCK, temperatureC: 4.2 }])
    }
    await until('resolved', async () => (await alertsOf(address, TRUCK))[0]?.status === 'resolved')
    await drawer.getByText(/^\s*Lasted/).waitFor()
    await page.getByRole('link', { name: 'Resolved', exact: true }).click()
    await page.getByRole('row').filter({ hasText: TRUCK }).waitFor()
  })

  await t.test('the truck has a report that says what happened', async () => {
    await page.goto(`${address}/cold-chain/${encodeURIComponent(TRUCK)}?range=1h`)
    await page.getByText('One excursion').waitFor()
    await page.getByRole('button', { name: 'Temperature as a table' }).click()
    await page.getByRole('cell', { name: '9.4', exact: true }).waitFor()
  })

  assert.deepEqual(complaints, [])
})

test('the keyboard reaches everything, and a list keeps still under the pointer', async (t) => {
  const browser = await openBrowser(t)
  if (browser === undefined) return
  const program = await startQuietly(t)
  const { address } = program
  const { page, complaints } = await openPage(browser, address)
  const links = page.getByRole('table').getByRole('link')

  await t.test('j and k walk, o opens, Escape closes, e acknowledges', async () => {
    await sendReadings(address, [
      { truckId: TRUCK, temperatureC: 9.4, ageS: 30 },
      { truckId: OTHER, temperatureC: 8.1, ageS: 20 },
    ])
    await page.goto(address)
    await row(page, OTHER).waitFor()
    await page.keyboard.press('g')
    await page.keyboard.press('a')
    await page.waitForURL('**/alerts')
    await links.nth(1).waitFor()
    await page.keyboard.press('j')
    await page.keyboard.press('j')
    await page.keyboard.press('k')
    assert.equal(await page.locator(':focus').textContent(), await links.nth(0).textContent())
    await page.keyboard.press('o')
    await page.getByRole('complementary').waitFor()
    await page.keyboard.press('Escape')
    await page.getByRole('complementary').waitFor({ state: 'detached' })
    await page.keyboard.press('e')
    await page.getByRole('link', { name: 'Acknowledged 1' }).waitFor()
  })

  await t.test('? shows the commands and gives the focus back', async () => {
    await page.keyboard.press('?')
    const help = page.getByRole('dialog', { name: 'Keyboard' })
    await help.getByText('Acknowledge the selected, or the current').waitFor()
    await page.keyboard.press('Escape')
    await help.waitFor({ state: 'hidden' })
    await page.keyboard.press('/')
    assert.equal(await page.locator(':focus').getAttribute('type'), 'search')
  })

  await t.test('a new alert waits while the pointer is in the list', async () => {
    await page.goto(`${address}/alerts?state=open`)
    await links.nth(1).hover()
    const before = await links.allTextContents()
    await sendReadings(address, [{ truckId: 'KAA 001A', temperatureC: 12, ageS: 10 }])
    const more = page.getByRole('button', { name: 'Show 1 new' })
    await more.waitFor()
    assert.deepEqual(await links.allTextContents(), before)
    await more.click()
    await page.getByRole('link', { name: 'KAA 001A' }).waitFor()
  })

  await t.test('several are acknowledged together', async () => {
    await page.getByRole('checkbox', { name: 'Select all shown' }).check()
    await page.getByRole('button', { name: 'Acknowledge', exact: true }).click()
    await page.getByText('2 alerts acknowledged').waitFor()
    await page.getByRole('link', { name: 'Acknowledged 3' }).waitFor()
  })

  assert.deepEqual(complaints, [])

  await t.test('without the server it says so, and does not call old data live', async () => {
    await program.stop()
    await page.getByText('Reconnecting').first().waitFor()
    await page
      .getByText(/last heard/)
      .first()
      .waitFor()
    assert.equal(await page.getByText('Live', { exact: true }).count(), 0)
  })
})

test('with a token set, nobody gets in without it', async (t) => {
  const browser = await openBrowser(t)
  if (browser === undefined) return
  const token = 'a-token-of-the-test-that-is-long-enough'
  const { address } = await startQuietly(t, { OUTRIDER_ADMIN_TOKEN: token })
  const { page } = await openPage(browser, address)

  await page.goto(`${address}/alerts?state=resolved`)
  await page.getByLabel('Access token').fill('wrong')
  await page.getByRole('button', { name: 'Sign in' }).click()
  await page.getByRole('alert').getByText('This token is not known here').waitFor()
  await page.getByLabel('Access token').fill(token)
  await page.getByRole('button', { name: 'Sign in' }).click()
  await page.getByRole('heading', { name: 'Alerts' }).waitFor()
  assert.equal(new URL(page.url()).search, '?state=resolved')
  await page.getByText('Live', { exact: true }).first().waitFor()

  const stored: string = await page.evaluate('JSON.stringify({...localStorage, ...sessionStorage})')
  assert.ok(!stored.includes(token), 'the token is not kept where a script can read it')

  await page.goto(`${address}/more`)
  await page.getByRole('button', { name: 'Sign out' }).click()
  await page.getByLabel('Access token').waitFor()
})
