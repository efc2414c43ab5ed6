// What a merchant does: is let in by a token made on screen, finds its parcels and nothing of the platform, gives
// a customer a link and takes it back, and chooses what customers are told.

import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { Page } from 'playwright-core'
import { startProgram, temporaryDataDir } from '../program.ts'
import { DESKTOP, openBrowser, openPage, PHONE } from './chromium.ts'

const ADMIN_TOKEN = 'admin-token-of-the-merchant-story-0123456789'

async function signIn(page: Page, address: string, token: string): Promise<void> {
  await page.goto(address)
  await page.getByLabel('Access token').fill(token)
  await page.getByRole('button', { name: 'Sign in' }).click()
}

const navigation = (page: Page) =>
  page.getByRole('navigation', { name: 'Pages' }).getByRole('link').allInnerTexts()

test('a merchant finds its own parcels, and gives a customer a link', async (t) => {
  const browser = await openBrowser(t)
  if (browser === undefined) return
  const program = await startProgram(temporaryDataDir(t), ['--no-simulate'], {
    OUTRIDER_LOG_LEVEL: 'error',
    OUTRIDER_ADMIN_TOKEN: ADMIN_TOKEN,
  })
  t.after(() => program.stop())
  const { address } = program
  const recordedAt = Date.now() - 60_000
  const response = await fetch(`${address}/api/v1/events/shipment-events`, {
    method: 'POST',
    headers: { 'content-type': 'application/json', authorization: `Bearer ${ADMIN_TOKEN}` },
    body: JSON.stringify([
      { shipmentId: 'OURS-1', merchantId: 'acme', type: 'exception', recordedAt, reason: 'lost' },
      { shipmentId: 'THEIRS-1', merchantId: 'zenith', type: 'departed', recordedAt },
    ]),
  })
  assert.equal(response.status, 202, await response.clone().text())

  const { page, complaints } = await openPage(browser, address)
  let secret = ''
  await t.test('an admin makes its token, which is shown once', async () => {
    await signIn(page, address, ADMIN_TOKEN)
    await page.getByRole('link', { name: 'Tokens' }).click()
    await page.getByRole('link', { name: 'New token' }).click()
    await page.getByLabel('Merchant, as its events name it').fill('acme')
    await page.getByLabel('Who has it').fill('Web shop')
    await page.getByRole('button', { name: 'Make the token' }).click()
    secret = await page.getByRole('textbox', { name: 'Token' }).inputValue()
    assert.match(secret, /^outrider_/)
    await page.getByText('Web shop').waitFor()
    await page.reload()
    await page.getByText('Web shop').waitFor()
    assert.equal((await page.content()).includes(secret), false)
  })

  await t.test('with it one sees shipments, and pages that work', async () => {
    await page.goto(`${address}/more`)
    await page.getByRole('button', { name: 'Sign out' }).click()
    await signIn(page, address, secret)
    await page.getByRole('link', { name: 'OURS-1' }).waitFor()
    complaints.splice(0)
    assert.equal(new URL(page.url()).pathname, '/shipments')
    assert.equal(await page.getByText('THEIRS-1').count(), 0)
    const labels = (await navigation(page)).map((each) => /^[A-Za-z ]+/.exec(each.trim())?.[0])
    assert.deepEqual(labels, ['Alerts', 'Shipments', 'Warehouses', 'Customers'])
    for (const [path, text] of [
      ['/alerts?state=open', 'OURS-1'],
      ['/warehouses', 'No warehouse has been heard of'],
      ['/more', 'merchant acme'],
    ] as const) {
      await page.goto(address + path)
      await page.getByText(text).first().waitFor()
    }
    await page.goto(`${address}/rules`)
    await page.getByText('Rules is not open to the role merchant').waitFor()
    await page.goto(`${address}/alerts?state=open`)
    await page.getByRole('link', { name: 'OURS-1' }).click()
    await page.getByText('Why it fired').waitFor()
    assert.equal(await page.getByRole('button', { name: 'Acknowledge' }).count(), 0)
    assert.deepEqual(complaints.splice(0), [])
  })

  await t.test('a customer follows the parcel until the link is revoked', async () => {
    await page.goto(`${address}/shipments/OURS-1`)
    await page.getByText('It was aboard no truck').waitFor()
    await page.getByRole('button', { name: 'Make a link' }).click()
    const link = await page.getByRole('textbox', { name: 'Link for the customer' }).inputValue()
    const { page: customer } = await openPage(browser, address)
    await customer.goto(link)
    await customer.getByText('OURS-1').first().waitFor()
    await page.getByRole('button', { name: /^Revoke the link/ }).click()
    await page.getByText('No link holds; 1 ended').waitFor()
    await customer.reload()
    await customer.getByText('This link leads nowhere').waitFor()
    await customer.close()
    assert.deepEqual(complaints.splice(0), [])
  })

  await t.test('a milestone is chosen, and stays chosen', async () => {
    await page.setViewportSize(PHONE)
    await page.goto(`${address}/customers`)
    await page.getByRole('checkbox', { name: 'Out for delivery' }).check()
    await page.getByText(/chosen by Web shop/).waitFor()
    await page.reload()
    await page.getByRole('checkbox', { name: 'Out for delivery', checked: true }).waitFor()
    const tabs = await page.getByRole('navigation', { name: 'Main' }).getByRole('link').count()
    assert.equal(tabs, 5)
    await page.setViewportSize(DESKTOP)
    assert.deepEqual(complaints.splice(0), [])
  })
})
