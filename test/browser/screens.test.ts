// Every screen, in light and dark, on a desk and on a phone: accessible, quiet, and within its frame.

import assert from 'node:assert/strict'
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import { join } from 'node:path'
import { type TestContext, test } from 'node:test'
import type { Page } from 'playwright-core'
import { startProgram, temporaryDataDir } from '../program.ts'
import { DESKTOP, openBrowser, openPage, PHONE } from './chromium.ts'
import { sendReadings } from './readings.ts'

const AXE = readFileSync(createRequire(import.meta.url).resolve('axe-core/axe.min.js'), 'utf8')
const TRUCK = 'KDG 481P'
const ROUTING = `
receivers: [{name: dispatch, channels: [inbox]}]
route: {receiver: dispatch, groupBy: [rule], groupWait: 1s}
`
/** What a finger needs, in CSS pixels. */
const TARGET_PX = 44

interface Screen {
  readonly name: string
  readonly path: string
  /** Shown when the screen has what it needs. */
  readonly ready: (page: Page) => Promise<void>
  /** A complaint that the browser itself makes here and that means nothing. */
  readonly harmless?: RegExp
}

const screens: readonly Screen[] = [
  {
    name: 'overview',
    path: '/',
    ready: (page) => page.getByText('of 3 trucks').waitFor(),
  },
  {
    name: 'map with a truck',
    path: `/map?truck=${encodeURIComponent(TRUCK)}`,
    ready: (page) => page.getByRole('img', { name: /^Fuel/ }).waitFor(),
  },
  {
    name: 'alerts',
    path: '/alerts?state=open',
    ready: (page) => page.getByRole('link', { name: TRUCK }).waitFor(),
  },
  {
    name: 'no alert matches',
    path: '/alerts?state=open&q=nothing-like-this',
    ready: (page) => page.getByRole('button', { name: 'Clear filters' }).waitFor(),
  },
  {
    name: 'pending alerts',
    path: '/alerts/pending',
    ready: (page) => page.getByText('Nothing is about to fire').waitFor(),
  },
  {
    name: 'silences',
    path: '/alerts/silences',
    ready: (page) => page.getByText('Nothing is silenced').waitFor(),
  },
  {
    name: 'cold chain',
    path: '/cold-chain',
    ready: (page) => page.getByRole('link', { name: TRUCK }).waitFor(),
  },
  {
    name: 'a truck',
    path: `/cold-chain/${encodeURIComponent(TRUCK)}?range=1h`,
    ready: async (page) => {
      await page.getByText('Mean kinetic temperature').waitFor()
      await page.getByRole('img', { name: /^Fuel/ }).waitFor()
    },
  },
  {
    name: 'a truck that nobody knows',
    path: '/cold-chain/unknown',
    ready: (page) => page.getByText('unknown has not been heard of').waitFor(),
    harmless: /Failed to load resource: .* 404/,
  },
  {
    name: 'trips',
    path: '/trips?range=400d',
    ready: (page) => page.getByText('EUR 12.345').first().waitFor(),
  },
  {
    name: 'arrivals',
    path: '/arrivals',
    ready: (page) => page.getByRole('link', { name: 'Interview' }).waitFor(),
  },
  {
    name: 'a journey',
    path: '/arrivals/J-1',
    ready: (page) => page.getByText('Probability of being late').waitFor(),
  },
  {
    name: 'vehicles',
    path: '/vehicles',
    ready: (page) => page.getByRole('link', { name: 'CAR-1' }).waitFor(),
  },
  {
    name: 'a vehicle',
    path: '/vehicles/CAR-1?range=1h',
    ready: (page) =>
      page
        .getByRole('img', { name: /^Speed/ })
        .first()
        .waitFor(),
  },
  {
    name: 'shipments',
    path: '/shipments',
    ready: (page) => page.getByRole('link', { name: 'S-1' }).waitFor(),
  },
  {
    name: 'a shipment',
    path: '/shipments/S-1',
    ready: async (page) => {
      await page.getByRole('cell', { name: 'Departed' }).waitFor()
      await page.getByRole('img', { name: /^Way of the shipment: Nairobi/ }).waitFor()
      await page.getByText('No link holds').waitFor()
    },
  },
  {
    name: 'customers',
    path: '/customers',
    ready: (page) => page.getByRole('checkbox', { name: 'Out for delivery' }).waitFor(),
  },
  {
    name: 'regions',
    path: '/regions',
    ready: (page) => page.getByRole('cell', { name: 'shipment-events' }).first().waitFor(),
  },
  {
    name: 'tokens',
    path: '/tokens',
    ready: (page) => page.getByText('No token was made yet').waitFor(),
  },
  {
    name: 'a new token',
    path: '/tokens?new=1',
    ready: (page) => page.getByRole('button', { name: 'Make the token' }).waitFor(),
  },
  {
    name: 'warehouses',
    path: '/warehouses?warehouse=MBA-1',
    ready: (page) => page.getByRole('cell', { name: 'TEA-1' }).waitFor(),
  },
  {
    name: 'fleet',
    path: '/fleet',
    ready: (page) => page.getByRole('heading', { name: 'Fleet' }).waitFor(),
  },
  {
    name: 'topics',
    path: '/data',
    ready: (page) => page.getByRole('button', { name: 'truck-readings' }).waitFor(),
  },
  {
    name: 'dead letters',
    path: '/data?tab=dead-letters',
    ready: (page) => page.locator('details').first().waitFor(),
  },
  {
    name: 'rules',
    path: '/rules',
    ready: (page) => page.getByRole('link', { name: 'high-speed' }).waitFor(),
  },
  {
    name: 'a rule',
    path: '/rules/high-speed',
    ready: (page) => page.getByText('good, cases pass').waitFor(),
  },
  {
    name: 'notifications',
    path: '/alerts/notifications',
    ready: (page) =>
      page
        .getByRole('cell', { name: /^rule=/ })
        .first()
        .waitFor(),
  },
  {
    name: 'workflows',
    path: '/workflows',
    ready: (page) => page.getByRole('heading', { name: 'Workflows' }).waitFor(),
  },
  {
    name: 'messages',
    path: '/messages',
    ready: (page) => page.getByRole('heading', { name: 'Messages' }).waitFor(),
  },
  {
    name: 'message templates',
    path: '/messages/templates',
    ready: (page) => page.getByRole('heading', { name: 'Excursion driver' }).waitFor(),
  },
  {
    name: 'channels',
    path: '/messages/channels',
    ready: (page) => page.getByText('https://erp.example.org').first().waitFor(),
  },
  {
    name: 'a new channel',
    path: '/messages/channels?new=1',
    ready: (page) => page.getByLabel('Name', { exact: true }).waitFor(),
  },
  {
    name: 'how people want to be written to',
    path: '/messages/preferences',
    ready: (page) => page.getByText('ada@example.org').waitFor(),
  },
  {
    name: 'settings',
    path: '/more',
    ready: (page) => page.getByText('Distance and speed').waitFor(),
  },
]

async function violations(page: Page): Promise<string[]> {
  await page.evaluate(AXE)
  return page.evaluate(`axe.run(document, { resultTypes: ['violations'] }).then((result) =>
    result.violations.map((each) => each.id + ': ' + each.nodes.map((node) => node.html).join(' | ')))`)
}

/** Controls that a finger would miss. */
function smallTargets(page: Page): Promise<string[]> {
  return page.evaluate(`[...document.querySelectorAll('button, select, nav a, .button, .field')]
    .filter((each) => each.checkVisibility({ checkOpacity: true, checkVisibilityCSS: true }))
    .filter((each) => each.getBoundingClientRect().height > 2)
    .filter((each) => each.getBoundingClientRect().height < ${TARGET_PX})
    .map((each) => each.outerHTML.slice(0, 160) + ' ' + each.getBoundingClientRect().height)`)
}

async function alertIdOf(address: string): Promise<string> {
  const url = `${address}/api/v1/alerts?status=open&entity=${encodeURIComponent(TRUCK)}`
  const list: unknown = await (await fetch(url)).json()
  assert.ok(typeof list === 'object' && list !== null && 'items' in list)
  assert.ok(Array.isArray(list.items))
  return String(list.items[0]?.id)
}

async function prepare(t: TestContext): Promise<string> {
  const dataDir = temporaryDataDir(t)
  mkdirSync(dataDir, { recursive: true, mode: 0o755 })
  writeFileSync(join(dataDir, 'routing.yaml'), ROUTING)
  const program = await startProgram(dataDir, ['--no-simulate'], {
    OUTRIDER_LOG_LEVEL: 'error',
  })
  t.after(() => program.stop())
  const { address } = program
  await sendReadings(address, [
    { truckId: 'KCB 207M', temperatureC: 5, ageS: 60, fuelPercent: 70, lat: -4.04, lon: 39.66 },
    { truckId: 'KAA 001A', temperatureC: 4, ageS: 50, fuelPercent: 80, lat: -0.28, lon: 36.07 },
    ...Array.from({ length: 20 }, (_, index) => ({
      truckId: TRUCK,
      temperatureC: index < 14 ? 4 + index / 10 : 9.4,
      ageS: 600 - index * 30,
      fuelPercent: 61,
      shipmentId: 'S-77',
    })),
  ])
  const now = Date.now()
  const trip = {
    tripId: 'T-1',
    status: 'completed',
    recordedAt: now,
    pickupAt: now - 600_000,
    dropoffAt: now,
    distanceKm: 5,
    fare: '12.345',
    currency: 'EUR',
    paymentMethod: 'card',
  }
  await fetch(`${address}/api/v1/events/trips`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify([trip, { ...trip, tripId: 'T-2', fare: 500, paymentMethod: 'shells' }]),
  })
  const shipment = { shipmentId: 'S-1', merchantId: 'acme', recordedAt: now - 300_000 }
  const movement = {
    warehouseId: 'MBA-1',
    merchantId: 'acme',
    sku: 'TEA-1',
    region: 'coast',
    recordedAt: now - 60_000,
  }
  await send(address, 'shipment-events', [
    { ...shipment, type: 'created', promisedAt: new Date(now + 86_400_000).toISOString() },
    {
      ...{ ...shipment, type: 'departed', truckId: TRUCK, location: 'Nairobi', region: 'nairobi' },
      ...{ lat: -1.29, lon: 36.82 },
    },
    {
      ...{ ...shipment, type: 'arrived', timing: 'planned', location: 'Mombasa' },
      ...{ milestoneAt: now + 36_000_000, lat: -4.04, lon: 39.66 },
    },
  ])
  await post(
    address,
    'channels/erp',
    { kind: 'webhook', url: 'https://erp.example.org/hooks', zone: 'Africa/Nairobi' },
    'PUT',
  )
  await post(
    address,
    'contact-preferences/ada@example.org',
    {
      ...{ zone: 'Africa/Nairobi', quietHours: { from: '22:00', to: '06:00' } },
      refused: ['excursion'],
    },
    'PUT',
  )
  const place = { lat: -1.2864, lon: 36.8172 }
  await post(address, 'appointments', {
    appointmentId: 'A-1',
    title: 'Interview',
    startsAt: new Date(now + 3_600_000).toISOString(),
    ...place,
    organizerEmail: 'organizer@example.com',
  })
  await post(address, 'journeys', {
    journeyId: 'J-1',
    appointmentId: 'A-1',
    travelerEmail: 'traveler@example.com',
    mode: 'car',
  })
  await send(address, 'journeys', [
    { journeyId: 'J-1', recordedAt: now, lat: -1.3, lon: 36.79, speedKmh: 40 },
  ])
  await send(
    address,
    'vehicle-telemetry',
    [3, 2, 1].map((minutes) => ({
      vehicleId: 'CAR-1',
      recordedAt: now - minutes * 60_000,
      speedKmh: 40 + minutes,
      rpm: 2_000,
      gear: 3,
      ...place,
    })),
  )
  await send(address, 'warehouse-events', [
    { ...movement, type: 'counted', quantity: 40 },
    { ...movement, type: 'dispatched', quantity: 4 },
  ])
  await fetch(`${address}/api/v1/events/truck-readings`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify({ truckId: TRUCK, recordedAt: '2026-02-30T10:00:00Z', temperatureC: 4 }),
  })
  return address
}

async function post(address: string, route: string, body: object, method = 'POST'): Promise<void> {
  const response = await fetch(`${address}/api/v1/${route}`, {
    method,
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify(body),
  })
  assert.ok(response.ok, await response.clone().text())
}

async function send(address: string, topic: string, events: readonly object[]): Promise<void> {
  const response = await fetch(`${address}/api/v1/events/${topic}`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify(events),
  })
  assert.equal(response.status, 202, await response.clone().text())
}

test('every screen is accessible, quiet and within its frame', async (t) => {
  const browser = await openBrowser(t)
  if (browser === undefined) return
  const address = await prepare(t)
  const { page, complaints } = await openPage(browser, address)
  await page.goto(address)
  // The truck's temperature; the alert of a trip whose fare is far off ended with the trip.
  await page.getByText('1 alert needs you').waitFor()
  const alert: Screen = {
    name: 'an alert',
    path: `/alerts?state=open&alert=${await alertIdOf(address)}`,
    ready: async (shown) => {
      await shown.getByText('The event that opened it').waitFor()
      await shown.getByRole('img', { name: /^Temperature: lowest/ }).waitFor()
    },
  }

  for (const colorScheme of ['light', 'dark'] as const) {
    for (const size of [DESKTOP, PHONE]) {
      await page.setViewportSize(size)
      await page.emulateMedia({ colorScheme, reducedMotion: 'reduce' })
      for (const screen of [...screens, alert]) {
        await t.test(`${screen.name}, ${colorScheme}, ${size.width} px`, async () => {
          await page.goto(address + screen.path)
          await screen.ready(page)
          assert.deepEqual(await violations(page), [])
          const widthPx: number = await page.evaluate('document.documentElement.scrollWidth')
          assert.ok(widthPx <= size.width, `${widthPx} px wide`)
          if (size === PHONE) assert.deepEqual(await smallTargets(page), [])
          const meant = complaints.splice(0).filter((each) => !screen.harmless?.test(each))
          assert.deepEqual(meant, [])
        })
      }
    }
  }
})
