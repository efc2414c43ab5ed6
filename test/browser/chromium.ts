// A real browser for the tests: headless Chromium, a profile of its own, and a list of everything on a
// page that should not have happened.

import { existsSync, mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { TestContext } from 'node:test'
import { fileURLToPath } from 'node:url'
import { type BrowserContext, chromium, type Page } from 'playwright-core'
import { requireOrSkip } from '../requirements.ts'

const EXECUTABLE = process.env.OUTRIDER_TEST_CHROMIUM ?? '/usr/bin/chromium'
const BUILT_PAGE = fileURLToPath(new URL('../../web/build/index.html', import.meta.url))
const FLAGS = [
  '--no-sandbox',
  '--disable-gpu',
  '--disable-quic',
  '--no-first-run',
  '--disable-background-networking',
  '--disable-component-update',
  '--disable-sync',
]
/** How long a page may take to show what a test waits for, on a busy machine. */
const PATIENCE_MS = 20_000

export const DESKTOP = { width: 1440, height: 900 } as const
export const PHONE = { width: 390, height: 844 } as const

/** Undefined where there is no browser or no built dashboard: the test is then skipped. */
export async function openBrowser(t: TestContext): Promise<BrowserContext | undefined> {
  const hasBrowser = existsSync(EXECUTABLE)
  if (!requireOrSkip(t, 'Chromium', hasBrowser, `there is no ${EXECUTABLE}`)) return undefined
  const isBuilt = existsSync(BUILT_PAGE)
  if (!requireOrSkip(t, 'the dashboard', isBuilt, 'run `npm run build` first')) return undefined
  const profile = mkdtempSync(join(tmpdir(), 'outrider-browser-'))
  const browser = await chromium.launchPersistentContext(profile, {
    executablePath: EXECUTABLE,
    headless: true,
    args: FLAGS,
    viewport: DESKTOP,
    timezoneId: 'Africa/Nairobi',
  })
  browser.setDefaultTimeout(PATIENCE_MS)
  t.after(async () => {
    await browser.close()
    rmSync(profile, { recursive: true, force: true, maxRetries: 5 })
  })
  return browser
}

export interface WatchedPage {
  readonly page: Page
  /** What went wrong so far: errors in the console, thrown, and requests that left the machine. */
  readonly complaints: string[]
}

/** A page whose misdeeds are written down. */
export async function openPage(browser: BrowserContext, address: string): Promise<WatchedPage> {
  const page = await browser.newPage()
  const complaints: string[] = []
  page.on('console', (message) => {
    if (message.type() === 'error' || message.type() === 'warning') {
      complaints.push(`console ${message.type()}: ${message.text()}`)
    }
  })
  page.on('pageerror', (error) => complaints.push(`thrown: ${error.stack ?? error.message}`))
  page.on('request', (request) => {
    const isOurs = request.url().startsWith(address) || /^(?:data|blob):/.test(request.url())
    if (!isOurs) complaints.push(`left the machine: ${request.url()}`)
  })
  return { page, complaints }
}
