// The cold-chain report on paper: what an auditor is handed, and what it stands on. Every list is bounded;
// what is left out is counted, and stands in the CSV report.

import type { Curve } from '../domains/cold-chain/curve.ts'
import type { TemperatureLimit } from '../domains/cold-chain/profiles.ts'
import { type Breach, MAX_LISTED } from '../domains/cold-chain/report.ts'
import { MIN_COVERAGE_PERCENT, type Verdict } from '../domains/cold-chain/verdict.ts'
import { type EpochMs, SECOND_MS, toIso } from '../kernel/time.ts'
import type { PdfContent, PdfDocument, PdfTableLayout, PdfWidth } from './pdf-document.ts'
import { CHART_WIDTH, chartSvg, limitsOffChart } from './report-chart.ts'
import type { ReportDocument } from './report-json.ts'
import { count, degrees, instantText, printable, spanText } from './report-words.ts'

/** Rows of one table. */
export const MAX_LISTED_EXCURSIONS = 200
export const MAX_LISTED_GAPS = 100
const MAX_LISTED_FINDINGS = 60
const MAX_REASONS = 20
/** Compartments with a chart of their own; those with excursions come first. */
export const MAX_CHARTS = 8
/** Of an id in the head of a page, and of a zone in a row: they stand in full further up. */
const MAX_SHORT_CHARACTERS = 48
/** A word longer than this may be broken anywhere. */
const LONGEST_WORD = 24

export interface ZoneCurve {
  readonly zone: string | null
  readonly curve: Curve
}

/** Everything that the pages say; plain data, so that another thread can draw them. */
export interface PrintedReport {
  readonly report: ReportDocument
  readonly curves: readonly ZoneCurve[]
  readonly generatedAtMs: EpochMs
  readonly version: string
}

const INK = '#1c2733'
const FAINT = '#5b6875'
const LINE = '#c9d0d6'
const HEAD_FILL = '#eef1f3'

const VERDICTS: Readonly<Record<Verdict, { word: string; colour: string; fill: string }>> = {
  conformant: { word: 'Conformant', colour: '#1f6b3d', fill: '#e6f4ec' },
  'excursion-within-allowance': {
    word: 'Excursion within the allowance',
    colour: '#7a5200',
    fill: '#fdf3dc',
  },
  'non-conformant': { word: 'Not conformant', colour: '#9b1c15', fill: '#fbe7e5' },
  'insufficient-data': { word: 'Not enough data', colour: '#3d4752', fill: '#e9ecef' },
}

export function reportPages(printed: PrintedReport): PdfDocument {
  const { report, generatedAtMs, version } = printed
  const generatedAt = `${instantText(toIso(generatedAtMs))} UTC`
  const about = subject(report)
  return {
    pageSize: 'A4',
    pageMargins: [40, 54, 40, 48],
    defaultStyle: { font: 'Roboto', fontSize: 8.5, color: INK, lineHeight: 1.15 },
    styles: {
      title: { fontSize: 18, bold: true },
      section: { fontSize: 11, bold: true, margin: [0, 14, 0, 5] },
      name: { color: FAINT },
      small: { fontSize: 7.5, color: FAINT },
    },
    language: 'en',
    displayTitle: true,
    info: {
      title: `Cold-chain report of ${about}`,
      subject: `${report.from} to ${report.to}`,
      creator: `Outrider ${version}`,
      producer: `Outrider ${version}`,
      creationDate: new Date(generatedAtMs),
    },
    header: (page) => ({
      columns: [
        { text: 'Cold-chain report', width: 'auto', bold: page > 1 },
        { text: page > 1 ? about : '', alignment: 'right' },
      ],
      style: 'small',
      margin: [40, 26, 40, 0],
    }),
    footer: (page, pages) => ({
      columns: [
        { text: `Generated ${generatedAt} by Outrider ${version}. All times are UTC.` },
        { text: `Page ${page} of ${pages}`, alignment: 'right', width: 'auto' },
      ],
      style: 'small',
      margin: [40, 16, 40, 0],
    }),
    content: [
      { text: 'Cold-chain report', style: 'title', margin: [0, 0, 0, 8] },
      facts(report),
      verdict(report),
      figures(report),
      ...charts(printed),
      ...zones(report),
      ...excursions(report),
      ...gaps(report),
      ...findings(report),
      ...basis(report),
    ],
  }
}

/** Of the truck or the shipment, short enough for the head of a page. */
function subject({ truckId, shipmentId }: ReportDocument): string {
  const id = shortened(printable(shipmentId ?? truckId ?? ''))
  return `${shipmentId === null ? 'truck' : 'shipment'} ${id}`
}

function facts(report: ReportDocument): PdfContent {
  const { truckId, shipmentId, profile, from, to } = report
  const seconds = (Date.parse(to) - Date.parse(from)) / SECOND_MS
  const rows: readonly (readonly [string, PdfContent])[] = [
    ...(shipmentId === null ? [] : [['Shipment', wrapped(shipmentId)] as const]),
    ['Truck', truckId === null ? 'not known' : wrapped(truckId)],
    [
      'Period (UTC)',
      `${instantText(from)} to ${instantText(to)}, end excluded (${spanText(seconds)})`,
    ],
    ['Goods profile', wrapped(`${profile.title} (${profile.name})`)],
    ['Storage range', `${degrees(profile.minC)} to ${degrees(profile.maxC)}, both ends included`],
    ['Source of the profile', wrapped(profile.source ?? 'not stated')],
  ]
  return {
    table: {
      widths: [94, '*'],
      body: rows.map(([name, value]) => [{ text: name, style: 'name' }, value]),
    },
    layout: { ...bare, paddingTop: () => 1.5, paddingBottom: () => 1.5 },
  }
}

function verdict({ verdict: found, reasons }: ReportDocument): PdfContent {
  const { word, colour, fill } = VERDICTS[found]
  const shown = reasons.slice(0, MAX_REASONS).map((reason) => wrapped(reason))
  const more = reasons.length > MAX_REASONS ? [`and ${reasons.length - MAX_REASONS} more`] : []
  return {
    margin: [0, 10, 0, 10],
    table: {
      widths: ['*'],
      body: [
        [
          {
            stack: [
              { text: `Verdict: ${word}`, bold: true, fontSize: 13, color: colour },
              { ul: [...shown, ...more], margin: [0, 4, 0, 0] },
            ],
            fillColor: fill,
          },
        ],
      ],
    },
    layout: {
      ...bare,
      vLineWidth: (index) => (index === 0 ? 3 : 0),
      vLineColor: () => colour,
      paddingLeft: () => 10,
      paddingRight: () => 10,
      paddingTop: () => 8,
      paddingBottom: () => 8,
    },
  }
}

/** The figures that everybody looks for first. */
function figures(report: ReportDocument): PdfContent {
  const { readings, readingsAbove, readingsBelow, mkt } = report
  const several = report.zones.length > 1
  const window =
    mkt === null
      ? 'no limit in the profile'
      : `worst ${spanText(mkt.windowS)}: ${degrees(mkt.worstC)}, allowed ${degrees(mkt.maxC)}`
  const cells = [
    figure(
      'Readings',
      count(readings),
      `${count(readingsAbove)} above, ${count(readingsBelow)} below`,
    ),
    figure(
      'Coverage',
      `${report.coveragePercent} %`,
      several ? 'of the zone covered least' : 'of the period',
    ),
    figure('Excursions', count(report.excursionCount), 'outside the storage range'),
    figure('Gaps', count(report.gapCount), `longer than ${spanText(report.gapLimitS)}`),
    figure('Minimum', degrees(report.minimumC), 'lowest reading'),
    figure('Maximum', degrees(report.maximumC), 'highest reading'),
    figure(
      'Mean',
      degrees(report.meanC),
      several ? 'by time, of the warmest zone' : 'weighted by time',
    ),
    figure('Mean kinetic temperature', degrees(report.meanKineticTemperatureC), window),
  ]
  return {
    table: { widths: ['*', '*', '*', '*'], body: [cells.slice(0, 4), cells.slice(4)] },
    layout: {
      hLineWidth: () => 0.5,
      vLineWidth: () => 0.5,
      hLineColor: () => LINE,
      vLineColor: () => LINE,
      paddingLeft: () => 7,
      paddingRight: () => 7,
      paddingTop: () => 5,
      paddingBottom: () => 5,
    },
    unbreakable: true,
  }
}

function figure(name: string, value: string, detail: string): PdfContent {
  return {
    stack: [
      { text: name, style: 'small' },
      { text: value, fontSize: 13, bold: true },
      { text: detail, style: 'small' },
    ],
  }
}

function charts({ report, curves }: PrintedReport): readonly PdfContent[] {
  const drawn = [...curves]
    .sort((a, b) => Number(b.curve.excursions.length > 0) - Number(a.curve.excursions.length > 0))
    .slice(0, MAX_CHARTS)
  const left = curves.length - drawn.length
  return [
    ...drawn.map((zoneCurve, index) => chart(report, zoneCurve, index === 0)),
    ...(left > 0 ? [{ text: `and ${left} more zones, without a chart`, style: 'small' }] : []),
  ]
}

function chart(report: ReportDocument, { zone, curve }: ZoneCurve, first: boolean): PdfContent {
  const fromMs = Date.parse(report.from)
  const toMs = Date.parse(report.to)
  const scope = { curve, profile: report.profile, fromMs, toMs }
  const off = limitsOffChart(scope)
  const title = zone === null ? 'Temperature' : `Temperature in zone ${printable(zone)}`
  const notes = [
    ...(curve.readings === 0 ? ['There are no readings in this period.'] : []),
    ...(off.length === 0
      ? []
      : [`Limits and ends of the range outside this scale: ${off.join(', ')}.`]),
  ]
  return {
    stack: [
      { ...wrapped(title), style: 'section', ...(first ? {} : { margin: [0, 8, 0, 5] }) },
      { svg: chartSvg(scope), width: CHART_WIDTH },
      ...(notes.length === 0 ? [] : [{ text: notes.join(' '), style: 'small' }]),
    ],
    unbreakable: true,
  }
}

function zones({ zones: found }: ReportDocument): readonly PdfContent[] {
  if (found.length < 2) return []
  return section({
    title: 'Zones, each judged by itself',
    columns: [
      { head: 'Zone', width: '*' },
      { head: 'Readings', width: 55, numeric: true },
      { head: 'Coverage', width: 55, numeric: true },
      { head: 'Minimum', width: 60, numeric: true },
      { head: 'Maximum', width: 60, numeric: true },
      { head: 'Mean kinetic', width: 70, numeric: true },
    ],
    rows: found.map((each) => [
      wrapped(each.zone ?? 'not named'),
      count(each.readings),
      `${each.coveragePercent} %`,
      degrees(each.minimumC),
      degrees(each.maximumC),
      degrees(each.meanKineticTemperatureC),
    ]),
    more: 0,
  })
}

function excursions(report: ReportDocument): readonly PdfContent[] {
  const shown = report.excursions.slice(0, MAX_LISTED_EXCURSIONS)
  if (report.excursionCount === 0) return []
  const zoned = hasZones(report)
  return section({
    title: `Excursions: ${count(report.excursionCount)}`,
    columns: [
      { head: 'From (UTC)', width: 88 },
      { head: 'To (UTC)', width: 88 },
      { head: 'Lasted', width: zoned ? 82 : '*' },
      { head: 'Side', width: 32 },
      { head: 'Worst', width: 50, numeric: true },
      { head: 'Readings', width: 44, numeric: true },
      ...zoneColumn(zoned),
    ],
    rows: shown.map((each) => [
      instantText(each.startsAt),
      each.endsAt === null ? 'not over' : instantText(each.endsAt),
      spanText(each.durationS),
      each.side,
      degrees(each.maximumC ?? each.minimumC ?? null),
      count(each.readings),
      ...zoneCell(zoned, each.zone),
    ]),
    more: report.excursionCount - shown.length,
  })
}

function gaps(report: ReportDocument): readonly PdfContent[] {
  const shown = report.gaps.slice(0, MAX_LISTED_GAPS)
  if (shown.length === 0) return []
  const zoned = hasZones(report)
  return section({
    title: `Gaps, in which nothing was measured: ${count(report.gapCount)}`,
    columns: [
      { head: 'From (UTC)', width: 88 },
      { head: 'To (UTC)', width: 88 },
      { head: 'Lasted', width: zoned ? 82 : '*' },
      ...zoneColumn(zoned),
    ],
    rows: shown.map((each) => [
      instantText(each.startsAt),
      instantText(each.endsAt),
      spanText(each.durationS),
      ...zoneCell(zoned, each.zone),
    ]),
    more: report.gapCount - shown.length,
  })
}

/** Each limit of the profile with what was found of it, the kept ones too. */
function findings(report: ReportDocument): readonly PdfContent[] {
  const { profile, breaches } = report
  if (profile.limits.length === 0) return []
  const zoned = hasZones(report)
  const rows = profile.limits.flatMap((limit) => {
    const rule = [limitText(limit), allowedText(limit)]
    const broken = breaches.filter((breach) => isOf(breach, limit))
    if (broken.length === 0) {
      return [[...rule, 'not reached', '', keptText(report), ...zoneCell(zoned, '')]]
    }
    return broken.map((breach) => [
      ...rule,
      spanText(breach.reachedS),
      instantText(breach.at),
      breach.excused ? 'broken, within the allowance' : 'broken',
      ...zoneCell(zoned, breach.zone),
    ])
  })
  return section({
    title: 'Limits of the profile',
    columns: [
      { head: 'Limit', width: 84 },
      { head: 'Allowed', width: 90 },
      { head: 'Reached', width: 78 },
      { head: 'At (UTC)', width: 88 },
      { head: 'Finding', width: zoned ? 70 : '*' },
      ...zoneColumn(zoned),
    ],
    rows: rows.slice(0, MAX_LISTED_FINDINGS),
    more: Math.max(0, rows.length - MAX_LISTED_FINDINGS),
  })
}

/** What nobody measured was not kept. */
function keptText({ readings, coveragePercent }: ReportDocument): string {
  if (readings === 0) return 'not known'
  return coveragePercent < MIN_COVERAGE_PERCENT ? 'kept where measured' : 'kept'
}

function isOf(breach: Breach, limit: TemperatureLimit): boolean {
  return (
    breach.side === limit.side &&
    breach.thresholdC === limit.thresholdC &&
    breach.inclusive === limit.inclusive &&
    breach.mode === limit.mode &&
    breach.limitS === limit.durationMs / SECOND_MS
  )
}

function limitText({ side, thresholdC, inclusive }: TemperatureLimit): string {
  return `${side}${inclusive ? ' or at' : ''} ${degrees(thresholdC)}`
}

function allowedText({ mode, durationMs }: TemperatureLimit): string {
  if (mode === 'instant') return 'no time at all'
  const span = spanText(durationMs / SECOND_MS)
  return `less than ${span} ${mode === 'consecutive' ? 'running' : 'in total'}`
}

/** What the verdict rests on, in words that need no manual. */
function basis(report: ReportDocument): readonly PdfContent[] {
  const { profile, excluded, mkt } = report
  const { permitted } = profile
  const statements = [
    `Every reading of the archive in the period, ${count(report.readings)} in all. Left out, because they prove nothing: repeats of a reading (${count(excluded.duplicate)}) and readings whose clock ran ahead of ours (${count(excluded.future)}).`,
    `A reading stands until the next one of its zone, but no longer than ${spanText(report.gapLimitS)}: three times the usual interval, at least 5 minutes and at most 2 hours. What lies beyond is a gap. Coverage is the share of the period for which a reading stands; below ${MIN_COVERAGE_PERCENT} % good readings are not enough for a verdict.`,
    'An excursion goes from the first reading outside the storage range to the first one back inside; a gap within it counts as outside. What was not measured never speaks for the goods.',
    permitted === undefined
      ? 'The profile allows no excursion beyond its limits.'
      : `The profile bears excursions from ${degrees(permitted.minC)} to ${degrees(permitted.maxC)} that last no longer than ${spanText(permitted.durationMs / SECOND_MS)} each.`,
    mkt === null
      ? 'The mean kinetic temperature (ΔH = 83.144 kJ/mol) is stated for information; the profile sets no limit to it.'
      : `The mean kinetic temperature (ΔH = 83.144 kJ/mol) of any ${spanText(mkt.windowS)} may reach ${degrees(mkt.maxC)}; the highest found is ${degrees(mkt.worstC)}${mkt.windowComplete ? '' : ', over a period shorter than such a window'}. It can only add a fault: nothing but the permitted range excuses an excursion below.`,
    ...(report.zones.length > 1
      ? ['Zones are judged apart; the figures on the first page are those of the worst one.']
      : []),
  ]
  return [
    {
      stack: [
        { text: 'What the verdict rests on', style: 'section' },
        { ul: statements.map((text) => ({ text, margin: [0, 0, 0, 3] })) },
      ],
      unbreakable: true,
    },
  ]
}

interface Column {
  readonly head: string
  readonly width: PdfWidth
  readonly numeric?: boolean
}

interface Section {
  readonly title: string
  readonly columns: readonly Column[]
  readonly rows: readonly (readonly PdfContent[])[]
  /** Rows that are not listed. */
  readonly more: number
}

function section({ title, columns, rows, more }: Section): readonly PdfContent[] {
  const aligned = columns.map(({ numeric = false }) => (numeric ? 'right' : 'left'))
  const cell = (content: PdfContent, column: number): PdfContent => {
    const alignment = aligned[column] ?? 'left'
    return typeof content === 'string' ? { text: content, alignment } : content
  }
  const heading = ({ head }: Column, column: number): PdfContent => {
    return { text: head, bold: true, fillColor: HEAD_FILL, alignment: aligned[column] ?? 'left' }
  }
  return [
    { text: title, style: 'section' },
    {
      table: {
        headerRows: 1,
        keepWithHeaderRows: 1,
        dontBreakRows: true,
        widths: columns.map(({ width }) => width),
        body: [columns.map(heading), ...rows.map((row) => row.map(cell))],
      },
      layout: {
        ...bare,
        hLineWidth: (index: number) => (index === 0 ? 0 : 0.4),
        hLineColor: () => LINE,
        paddingLeft: () => 4,
        paddingRight: () => 4,
        paddingTop: () => 2.5,
        paddingBottom: () => 2.5,
      },
      fontSize: 8,
    },
    ...(more === 0 ? [] : [unlisted(more)]),
  ]
}

function unlisted(rows: number): PdfContent {
  const text = `and ${count(rows)} more; the CSV report lists up to ${count(MAX_LISTED)}`
  return { text, style: 'small', margin: [4, 3, 0, 0] }
}

const bare: PdfTableLayout = {
  hLineWidth: () => 0,
  vLineWidth: () => 0,
  paddingLeft: () => 0,
  paddingRight: () => 0,
}

function hasZones({ zones: found }: ReportDocument): boolean {
  return found.some(({ zone }) => zone !== null)
}

function zoneColumn(zoned: boolean): readonly Column[] {
  return zoned ? [{ head: 'Zone', width: '*' }] : []
}

function zoneCell(zoned: boolean, zone: string | null): readonly PdfContent[] {
  return zoned ? [broken(shortened(printable(zone ?? '')))] : []
}

function shortened(text: string): string {
  if (text.length <= MAX_SHORT_CHARACTERS) return text
  return `${text.slice(0, MAX_SHORT_CHARACTERS - 1)}…`
}

/** Text from outside. */
function wrapped(text: string): WrappedText {
  return broken(printable(text))
}

/** A word too long for its line is broken where it must be. */
function broken(text: string): WrappedText {
  const long = text.split(' ').some((word) => word.length > LONGEST_WORD)
  return long ? { text, wordBreak: 'break-all' } : { text }
}

interface WrappedText {
  readonly text: string
  readonly wordBreak?: 'break-all'
}
