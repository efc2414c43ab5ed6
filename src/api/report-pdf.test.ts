// The report as PDF, read back from the file: what stands on the paper, and that nothing grows without end.

import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { test } from 'node:test'
import fc from 'fast-check'
import { type PdfPage, pdfPages } from '../../test/pdf-text.ts'
import { sharedDataOrSkip } from '../../test/requirements.ts'
import { systemClock } from '../adapters/clock/system-clock.ts'
import { builtInProfiles, findProfile } from '../domains/cold-chain/profiles.ts'
import {
  gapLimitMs,
  medianIntervalMs,
  type ReportReading,
  reportBuilder,
} from '../domains/cold-chain/report.ts'
import { HOUR_MS, MINUTE_MS } from '../kernel/time.ts'
import { HttpProblem } from './problems.ts'
import { reportCurves } from './report-curves.ts'
import { MAX_LISTED_EXCURSIONS, MAX_LISTED_GAPS, type PrintedReport } from './report-pages.ts'
import { createReportPrinter } from './report-pdf.ts'
import { printable, spanText } from './report-words.ts'

const START_MS = Date.UTC(2026, 0, 1)
const GENERATED_AT_MS = Date.UTC(2026, 0, 31, 12, 5)
const printer = createReportPrinter(systemClock())

interface Case {
  readonly readings: readonly ReportReading[]
  readonly profile?: string
  readonly truckId?: string
  readonly shipmentId?: string
  /** Of a report without readings. */
  readonly toMs?: number
}

function printed({ readings, profile: name = 'default', ...about }: Case): PrintedReport {
  const profile = findProfile(builtInProfiles, name)
  assert.ok(profile)
  const fromMs = readings[0]?.recordedAtMs ?? START_MS
  const toMs = about.toMs ?? (readings.at(-1)?.recordedAtMs ?? 0) + 1
  const limitMs = gapLimitMs(profile, medianIntervalMs(readings))
  const scope = { profile, fromMs, toMs, gapLimitMs: limitMs }
  const builder = reportBuilder(scope)
  const curves = reportCurves()
  const seen = curves.watch(scope)
  for (const reading of readings) {
    builder.add(reading)
    seen(reading)
  }
  return {
    report: {
      truckId: about.truckId ?? 'KE-014',
      shipmentId: about.shipmentId ?? null,
      ...builder.finish(),
      excluded: { duplicate: 2, future: 1 },
    },
    curves: curves.finish(),
    generatedAtMs: GENERATED_AT_MS,
    version: '1.2.3',
  }
}

async function pagesOf(report: Case): Promise<readonly PdfPage[]> {
  return pdfPages(await printer.print(printed(report)))
}

/** Without line ends, which fall where they must, and with ordinary spaces. */
function paper(pages: readonly PdfPage[]): string {
  return pages.map(({ text }) => text.replaceAll('\n', ' ').replaceAll('\u00a0', ' ')).join(' ')
}

const reading = (minute: number, temperatureC: number, zone: string | null = null) => ({
  recordedAtMs: START_MS + minute * MINUTE_MS,
  temperatureC,
  zone,
})

test('the real logger leg on paper has the facts that are known of it', async (t) => {
  const file = sharedDataOrSkip(t, 'cold-chain-logger-leg-2021/readings.csv')
  if (file === undefined) return
  const readings = readFileSync(file, 'utf8')
    .trim()
    .split('\n')
    .slice(1)
    .map((line) => {
      const [time = '', temperature] = line.split(',')
      return { recordedAtMs: Date.parse(time), temperatureC: Number(temperature), zone: null }
    })
  const pages = await pagesOf({ readings, profile: 'pharma', shipmentId: 'LEG-1' })
  const text = paper(pages)
  for (const fact of [
    'LEG-1',
    'Controlled room temperature, 20–25 °C (pharma)',
    'USP <1079.2>',
    'Excursion within the allowance',
    '14 above, 0 below',
    '89.4 %',
    '2021-11-09 14:58:16',
    '2021-11-09 18:49:56',
    '3 h 51 min 40 s',
    '27 °C',
    'Generated 2026-01-31 12:05:00 UTC by Outrider 1.2.3',
    'time (UTC)',
    'What the verdict rests on',
  ]) {
    assert.ok(text.includes(fact), `the paper says "${fact}"`)
  }
  pages.forEach(({ text: page }, index) => {
    assert.match(page, new RegExp(`Page ${index + 1} of ${pages.length}`))
  })
})

test('many excursions and gaps are listed up to a bound, and the rest is counted', async () => {
  const readings = Array.from({ length: 3_000 }, (_, index) =>
    reading(index + 20 * Math.floor(index / 10), index % 4 === 0 ? 9.25 : 5),
  )
  const report = printed({ readings })
  const { excursionCount, gapCount } = report.report
  assert.ok(excursionCount > MAX_LISTED_EXCURSIONS && gapCount > MAX_LISTED_GAPS)
  const pdf = await printer.print(report)
  assert.ok(pdf.length < 400_000, `${pdf.length} bytes`)
  const pages = pdfPages(pdf)
  const text = paper(pages)
  assert.equal(text.match(/above9\.25 °C/g)?.length, MAX_LISTED_EXCURSIONS)
  assert.ok(text.includes(`and ${excursionCount - MAX_LISTED_EXCURSIONS} more`))
  assert.ok(text.includes(`and ${gapCount - MAX_LISTED_GAPS} more`))
  assert.ok(pages.length < 15, `${pages.length} pages`)
})

test('without readings the paper says so, and claims nothing', async () => {
  const text = paper(await pagesOf({ readings: [], toMs: START_MS + 48 * HOUR_MS }))
  assert.ok(text.includes('Verdict: Not enough data'))
  assert.ok(text.includes('There are no readings in this period.'))
  assert.ok(text.includes('not known'))
  assert.ok(!text.includes('kept'))
})

test('ids and zones from outside wrap, and stand as text whatever they hold', async () => {
  const truckId = `<b>&amp;"${'W'.repeat(188)}`
  const zone = '</svg><script>'
  const pages = await pagesOf({
    readings: [reading(0, 5, zone), reading(1, 9, zone), reading(2, 5, 'rear')],
    truckId,
    shipmentId: `evil\u202e東京\n\\ ${'x'.repeat(180)}`,
  })
  const [first] = pages
  const text = first?.text ?? ''
  assert.ok(text.replaceAll('\n', '').includes(truckId), 'the whole id is there')
  assert.ok(text.split('\n').every((line) => line.length <= 140, 'no line runs off the page'))
  assert.ok(text.includes('evil\\u{202E}\\u{6771}\\u{4EAC}\\u{A}\\\\ '))
  assert.ok(paper(pages).includes('Temperature in zone </svg><script>'))
  assert.ok(pages.every(({ missingGlyphs }) => missingGlyphs === 0))
})

test('the fonts have every character that is printed as it is', async () => {
  const characters = Array.from({ length: 0xffff }, (_, code) => String.fromCharCode(code))
  const plain = characters.filter((character) => printable(character) === character)
  assert.ok(plain.length > 500)
  const truckId = plain.join('')
  const pages = await pagesOf({ readings: [reading(0, 5)], truckId })
  assert.deepEqual(
    pages.map(({ missingGlyphs }) => missingGlyphs),
    pages.map(() => 0),
  )
})

test('two names never look the same on paper', () => {
  const text = fc.string({
    unit: fc.constantFrom('\\', 'u', '{', '1', '}', 'é', '\u202e', '\u0001'),
  })
  fc.assert(
    fc.property(text, text, (one, other) => {
      assert.equal(printable(one) === printable(other), one === other)
    }),
    { numRuns: 2_000 },
  )
})

test('a span is said to the second', () => {
  assert.equal(spanText(13_900), '3 h 51 min 40 s')
  assert.equal(spanText(2_592_000), '30 d')
  assert.equal(spanText(0.25), '0.25 s')
  assert.equal(spanText(0), '0 s')
})

test('reports that are asked for at once are printed one after the other', async () => {
  const asked = [1, 2, 3].map((n) => pagesOf({ readings: [reading(0, n)], truckId: `T-${n}` }))
  const texts = (await Promise.all(asked)).map(paper)
  texts.forEach((text, index) => {
    assert.ok(text.includes(`T-${index + 1}`))
  })
})

test('a report that takes too long is given up with a problem, and the next one is printed', async () => {
  const hasty = createReportPrinter(systemClock(), 1)
  await assert.rejects(
    hasty.print(printed({ readings: [reading(0, 5)] })),
    (error) => error instanceof HttpProblem && error.code === 'busy',
  )
  const patient = await printer.print(printed({ readings: [reading(0, 5)] }))
  assert.equal(pdfPages(patient).length, 2)
})

test('the same report twice is the same file', async () => {
  const report = printed({ readings: [reading(0, 5), reading(1, 9), reading(2, 4)] })
  const [one, other] = [await printer.print(report), await printer.print(report)]
  assert.ok(one.equals(other))
})
