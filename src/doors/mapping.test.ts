import { deepEqual, equal, ok } from 'node:assert/strict'
import { test } from 'node:test'
import { type TObject, Type } from '@sinclair/typebox'
import fc from 'fast-check'
import { truckReadings } from '../domains/cold-chain/events.ts'
import { domains } from '../domains/registry.ts'
import { toIso } from '../kernel/time.ts'
import { compileParser } from '../streams/parse.ts'
import type { StreamEvent, TopicDefinition } from '../streams/topic.ts'
import { compileMapping, type FileMapper, type Mapping, type Row } from './mapping.ts'
import { builtInMappingNames, findMapping } from './mapping-library.ts'
import { showIssue } from './mapping-text.ts'

const time = Type.Union([Type.String(), Type.Number()])

/** Topics of the shapes that other data sets need. */
function topicOf(name: string, schema: TObject): TopicDefinition<StreamEvent> {
  const parse = compileParser(schema, (_wire, recordedAtMs) => ({ recordedAtMs, eventId: null }))
  const { archive } = truckReadings
  return { name, schema, parse, keyOf: () => 'key', archive }
}

const topics: ReadonlyMap<string, TopicDefinition<StreamEvent>> = new Map(
  [
    truckReadings,
    topicOf(
      'vehicle-telemetry',
      Type.Object({
        vehicleId: Type.String({ minLength: 1 }),
        recordedAt: time,
        speedKmh: Type.Optional(Type.Number({ minimum: 0, maximum: 400 })),
        rpm: Type.Optional(Type.Number()),
        gear: Type.Optional(Type.Integer()),
        lat: Type.Optional(Type.Number()),
        lon: Type.Optional(Type.Number()),
        headingDeg: Type.Optional(Type.Number({ minimum: 0, maximum: 360 })),
        accuracyM: Type.Optional(Type.Number()),
      }),
    ),
    topicOf(
      'trips',
      Type.Object({
        tripId: Type.String({ minLength: 1 }),
        recordedAt: time,
        status: Type.String(),
        pickupAt: time,
        dropoffAt: Type.Optional(time),
        distanceKm: Type.Optional(Type.Number()),
        fare: Type.Optional(Type.String()),
        paymentMethod: Type.Optional(Type.String()),
        items: Type.Optional(Type.Array(Type.Object({}))),
        words: Type.Optional(Type.Record(Type.String(), Type.String())),
      }),
    ),
    topicOf(
      'traffic',
      Type.Object({ segmentId: Type.String(), recordedAt: time, speedKmh: Type.Number() }),
    ),
  ].map((topic) => [topic.name, topic]),
)

function mappingOf(text: string): Mapping {
  const mapping = compileMapping({ file: 'm.yaml', text }, topics)
  if (!mapping.ok) throw new Error(mapping.error.map(showIssue).join('\n'))
  return mapping.value
}

function mapperOf(text: string, fileName = 'file.csv'): FileMapper {
  const mapper = mappingOf(text).forFile(fileName)
  if (!mapper.ok) throw new Error(mapper.error)
  return mapper.value
}

function rowOf(cells: Readonly<Record<string, unknown>>, number = 1): Row {
  return { number, get: (place) => cells[place], all: () => cells }
}

/** The event that the row becomes, `skipped`, or why it cannot become one. */
function mapped(mapper: FileMapper, row: Row): unknown {
  const result = mapper.map(row)
  if (result.kind === 'event') return result.event
  return result.kind === 'skipped' ? 'skipped' : `${result.field}: ${result.message}`
}

function check(
  text: string,
  cells: Readonly<Record<string, unknown>>,
  expected: unknown,
  fileName?: string,
): void {
  deepEqual(mapped(mapperOf(text, fileName), rowOf(cells)), expected)
}

function checkIssues(text: string, ...expected: readonly string[]): void {
  const mapping = compileMapping({ file: 'm.yaml', text }, topics)
  ok(!mapping.ok, 'the mapping was taken')
  const found = mapping.error.map(showIssue)
  deepEqual(found.length, expected.length, found.join('\n'))
  expected.forEach((part, index) => {
    ok(found[index]?.startsWith(part), `${found[index]} does not begin with ${part}`)
  })
}

const truck = (fields: string): string => `
topic: truck-readings
format: csv
fields:
  truckId: id
  recordedAt: at
${fields
  .split('\n')
  .map((line) => `  ${line}`)
  .join('\n')}`

const base = { id: 'A', at: '2026-01-01T00:00:00Z', t: '4.5' }
const event = { truckId: 'A', recordedAt: '2026-01-01T00:00:00Z', temperatureC: 4.5 }

test('a column becomes a field of the type that the topic asks for', () => {
  const text = truck('temperatureC: t\ndoorOpen: door\nzone: z')
  check(text, { ...base, door: 'open', z: '7' }, { ...event, doorOpen: true, zone: '7' })
  check(text, { ...base, door: '0', z: 7 }, { ...event, doorOpen: false, zone: '7' })
})

test('an empty cell is a field that was not measured', () => {
  check(truck('temperatureC: t\nfuelPercent: f'), { ...base, f: '' }, event)
  check(truck('temperatureC: t\nfuelPercent: f'), { ...base, f: null }, event)
})

test('what is not a number is named, and left as it was found', () => {
  const mapper = mapperOf(truck('temperatureC: t'))
  for (const bad of ['warm', '4,5', '1e999', '0x10', 'NaN', '--1', '1'.repeat(70)]) {
    const result = mapper.map(rowOf({ ...base, t: bad }))
    ok(result.kind === 'unmappable', bad)
    equal(result.field, 'temperatureC')
    deepEqual(result.event.temperatureC, { unmapped: bad, reason: result.message })
  }
})

test('a unit is converted to the one in the name of the field', () => {
  check(
    truck('temperatureC: {from: t, unit: F}'),
    { ...base, t: '44.6' },
    { ...event, temperatureC: 7 },
  )
  check(
    truck(
      'temperatureC: t\nspeedKmh: {from: v, unit: mph}\nfuelPercent: {from: f, unit: fraction}',
    ),
    { ...base, v: '100', f: '0.5' },
    { ...event, speedKmh: 160.9344, fuelPercent: 50 },
  )
})

test('numbers with a decimal comma are read where the mapping says so', () => {
  const text = `csv: {delimiter: ';', decimal: ','}${truck('temperatureC: t')}`
  check(text, { ...base, t: '-4,25' }, { ...event, temperatureC: -4.25 })
})

test('constants and CEL give fields, and skipWhen leaves rows out', () => {
  const text = `${truck(`temperatureC: {cel: 'double(row.t) - 1.5'}
zone: {cel: 'fileName + ":" + string(rowNumber)'}`)}
constants: {profile: pharma, fuelPercent: 50}
skipWhen: row.t == "x"`
  check(text, base, {
    ...event,
    temperatureC: 3,
    zone: 'file.csv:1',
    profile: 'pharma',
    fuelPercent: 50,
  })
  check(text, { ...base, t: 'x' }, 'skipped')
  check(
    text,
    { ...base, t: 'y' },
    'temperatureC: CEL: double() type error: cannot convert to double',
  )
})

test('CEL may give a list, a count or a time', () => {
  const text = (fields: string) => `
topic: trips
format: ndjson
constants: {tripId: a, status: completed, recordedAt: 0}
fields:
${fields}`
  const trip = { tripId: 'a', status: 'completed', recordedAt: 0 }
  check(
    text(`  items: {cel: '[{"sku": "x", "quantity": 2}]'}
  distanceKm: {cel: 'size(row.stops)'}
  pickupAt: {cel: 'timestamp("2026-01-01T00:00:00Z")'}`),
    { stops: [1, 2, 3] },
    {
      ...trip,
      items: [{ sku: 'x', quantity: 2 }],
      distanceKm: 3,
      pickupAt: '2026-01-01T00:00:00.000Z',
    },
  )
})

test('a condition that cannot be told refuses the row', () => {
  const text = `${truck('temperatureC: t')}\nskipWhen: row.gone == "x"`
  check(text, base, 'skipWhen: CEL: No such key: gone')
})

test('ships: knots become km/h, and 102.3 and 511 mean not available', () => {
  const text = `
topic: vehicle-telemetry
format: csv
fields:
  vehicleId: MMSI
  recordedAt: {from: BaseDateTime, format: 'YYYY-MM-DDTHH:mm:ss', zone: UTC}
  speedKmh: {from: SOG, unit: knots, absent: [102.3]}
  headingDeg: {from: Heading, absent: 511}
  lat: LAT
  lon: LON`
  const row = { MMSI: '368084090', BaseDateTime: '2022-01-03T00:00:09', LAT: '29.9', LON: '-90.1' }
  const ship = {
    vehicleId: '368084090',
    recordedAt: '2022-01-03T00:00:09.000Z',
    lat: 29.9,
    lon: -90.1,
  }
  check(
    text,
    { ...row, SOG: '10.0', Heading: '90.0' },
    { ...ship, speedKmh: 18.52, headingDeg: 90 },
  )
  check(text, { ...row, SOG: '102.30', Heading: '511.0' }, ship)
})

test('a car log: the date stands in the file name, the time of day in a column', () => {
  const text = `
topic: vehicle-telemetry
format: csv
fields:
  vehicleId: {fileName: '^\\d{4}-\\d{2}-\\d{2}_([A-Za-z]+_[A-Za-z]+)_'}
  recordedAt:
    from: [{fileName: '^(\\d{4}-\\d{2}-\\d{2})_'}, Time]
    format: YYYY-MM-DD HH:mm:ss.SSS
    zone: Europe/Berlin
  rpm: Engine RPM [RPM]`
  const name = '2017-07-05_Seat_Leon_RT_S_Stau.csv.gz'
  check(
    text,
    { Time: '07:15:18.372', 'Engine RPM [RPM]': '' },
    { vehicleId: 'Seat_Leon', recordedAt: '2017-07-05T05:15:18.372Z' },
    name,
  )
  const other = mappingOf(text).forFile('drive.csv')
  equal(other.ok, false)
})

test('an electric car: date and time in two columns, and dates that do not exist are refused', () => {
  const text = `
topic: vehicle-telemetry
format: csv
constants: {vehicleId: twizy}
fields:
  recordedAt: {from: [Date, Time], format: M/D/YYYY HH:mm:ss, zone: Africa/Casablanca}
  speedKmh: Speed`
  const found = { vehicleId: 'twizy', recordedAt: '2021-03-29T09:05:00.000Z', speedKmh: 12 }
  check(text, { Date: '3/29/2021', Time: '10:05:00', Speed: '12' }, found)
  check(
    text,
    { Date: '30/00/2001', Time: '10:05:01', Speed: '12' },
    'recordedAt: "30/00/2001 10:05:01" is no time of the form M/D/YYYY HH:mm:ss',
  )
  check(
    text,
    { Date: '2/30/2021', Time: '10:05:01', Speed: '12' },
    'recordedAt: "2/30/2021 10:05:01" is no time of the form M/D/YYYY HH:mm:ss',
  )
})

test('taxis: New York wall clock, miles, codes, and an id made of the row', () => {
  const text = `
topic: trips
format: csv
constants: {status: completed}
fields:
  tripId: {cel: 'fileName + "#" + string(rowNumber)'}
  recordedAt: {from: lpep_dropoff_datetime, format: 'YYYY-MM-DD HH:mm:ss', zone: America/New_York}
  pickupAt: {from: lpep_pickup_datetime, format: 'YYYY-MM-DD HH:mm:ss', zone: America/New_York}
  distanceKm: {from: trip_distance, unit: mi}
  fare: fare_amount
  paymentMethod:
    from: payment_type
    map: {1: card, 2: cash, 3: no-charge, 4: dispute, 5: unknown, '': null}`
  const row = {
    lpep_pickup_datetime: '2025-11-01 12:00:00',
    lpep_dropoff_datetime: '2025-11-03 12:00:00',
    trip_distance: '26.2',
    fare_amount: '12.50',
  }
  const trip = {
    status: 'completed',
    tripId: 'file.csv#1',
    recordedAt: '2025-11-03T17:00:00.000Z',
    pickupAt: '2025-11-01T16:00:00.000Z',
    distanceKm: 42.1648128,
    fare: '12.50',
  }
  check(text, { ...row, payment_type: '1.0' }, { ...trip, paymentMethod: 'card' })
  check(text, { ...row, payment_type: 3 }, { ...trip, paymentMethod: 'no-charge' })
  check(text, { ...row, payment_type: '' }, trip)
  check(text, { ...row, payment_type: '9' }, 'paymentMethod: "9" has no entry in the map')
})

test('words where a number or a time was asked for are kept as they are, if the mapping says so', () => {
  const text = [
    'topic: trips',
    'format: csv',
    'constants: {status: completed}',
    'fields:',
    '  tripId: id',
    '  recordedAt: {from: at, format: YYYY-MM-DD}',
    '  pickupAt: {from: at, format: YYYY-MM-DD}',
    '  dropoffAt: {from: end, format: YYYY-MM-DD, words: keep}',
    '  distanceKm: {from: km, words: keep}',
  ].join('\n')
  const day = '2026-01-31T00:00:00.000Z'
  const event = { status: 'completed', tripId: 't', recordedAt: day, pickupAt: day }
  const row = { id: 't', at: '2026-01-31' }
  deepEqual(mapped(mapperOf(text), rowOf({ ...row, end: 'Not Captured', km: 'See t2' })), {
    ...event,
    words: { dropoffAt: 'Not Captured', distanceKm: 'See t2' },
  })
  deepEqual(mapped(mapperOf(text), rowOf({ ...row, end: '2026-02-01', km: '7.5' })), {
    ...event,
    dropoffAt: '2026-02-01T00:00:00.000Z',
    distanceKm: 7.5,
  })
  checkIssues(
    'topic: truck-readings\nformat: csv\nfields:\n  truckId: a\n  recordedAt: b\n  temperatureC: {from: c, words: keep}',
    'm.yaml:6:17: truck-readings has no field "words" to keep words in',
  )
})

test('a map may say what everything else becomes', () => {
  const text = truck("temperatureC: t\nzone: {from: z, map: {a: front, '': none}, otherwise: rear}")
  check(text, { ...base, z: 'a' }, { ...event, zone: 'front' })
  check(text, { ...base, z: 'b' }, { ...event, zone: 'rear' })
  check(text, { ...base, z: '' }, { ...event, zone: 'none' })
})

test('a map may leave everything else as it is', () => {
  const text = truck("temperatureC: t\nzone: {from: z, map: {a: front, '': none}, unlisted: keep}")
  check(text, { ...base, z: 'a' }, { ...event, zone: 'front' })
  check(text, { ...base, z: '9' }, { ...event, zone: '9' })
  check(text, { ...base, z: '' }, { ...event, zone: 'none' })
  checkIssues(
    truck('temperatureC: t\nzone: {from: z, unlisted: keep}'),
    'm.yaml:8:29: unlisted belongs to a map without otherwise',
  )
})

const FOLD = (fold: string) => `
topic: traffic
format: csv
constants: {segmentId: s, speedKmh: 1}
fields:
  recordedAt: {from: at, format: 'YYYY-MM-DD HH:mm', zone: America/New_York${fold}}`

test('an hour that happened twice is the first of them, or as the mapping says', () => {
  const at = (text: string, wall: string, expected: string) => {
    const found = mapped(mapperOf(text), rowOf({ at: wall }))
    equal(typeof found === 'string' ? found : Reflect.get(Object(found), 'recordedAt'), expected)
  }
  at(FOLD(''), '2025-11-02 01:30', '2025-11-02T05:30:00.000Z')
  at(FOLD(', fold: earlier'), '2025-11-02 01:30', '2025-11-02T05:30:00.000Z')
  at(FOLD(', fold: later'), '2025-11-02 01:30', '2025-11-02T06:30:00.000Z')
  at(
    FOLD(', fold: refuse'),
    '2025-11-02 01:30',
    'recordedAt: "2025-11-02 01:30" is no time of the form YYYY-MM-DD HH:mm',
  )
  for (const fold of ['', ', fold: later', ', fold: refuse']) {
    at(FOLD(fold), '2025-11-02 00:59', '2025-11-02T04:59:00.000Z')
    at(FOLD(fold), '2025-11-02 02:00', '2025-11-02T07:00:00.000Z')
  }
  at(FOLD(''), '2025-03-09 02:30', '2025-03-09T07:30:00.000Z')
  at(FOLD(', fold: later'), '2025-03-09 02:30', '2025-03-09T07:30:00.000Z')
})

test('an hour that happened twice is the second of them where the first would come before another time', () => {
  const text = `
topic: trips
format: csv
constants: {tripId: t, status: completed}
fields:
  recordedAt: {from: end, format: 'YYYY-MM-DD HH:mm', zone: America/New_York, notBefore: pickupAt}
  pickupAt: {from: start, format: 'YYYY-MM-DD HH:mm', zone: America/New_York}`
  const at = (start: string, end: string, expected: string) => {
    const found = mapped(mapperOf(text), rowOf({ start, end }))
    equal(Reflect.get(Object(found), 'recordedAt'), expected)
  }
  at('2025-11-02 01:58', '2025-11-02 01:09', '2025-11-02T06:09:00.000Z')
  at('2025-11-02 01:20', '2025-11-02 01:30', '2025-11-02T05:30:00.000Z')
  at('2025-11-02 00:50', '2025-11-02 01:09', '2025-11-02T05:09:00.000Z')
  at('2025-11-08 14:55', '2025-11-08 14:54', '2025-11-08T19:54:00.000Z')
})

test('notBefore names another field, of a field that is a time', () => {
  const text = (field: string): string => `
topic: trips
format: csv
constants: {tripId: t, status: completed}
fields:
  recordedAt: a
  pickupAt: ${field}`
  checkIssues(
    text('{from: b, zone: UTC, notBefore: pickupAt}'),
    'm.yaml:7:45: notBefore: "pickupAt" is no other field of it',
  )
  checkIssues(
    text('{from: b, notBefore: recordedAt}'),
    'm.yaml:7:34: notBefore: "recordedAt" needs a time from a column',
  )
})

test('times are read in all the forms that formats can say', () => {
  const at = (about: string, text: string, expected: string | null) => {
    const mapper = mapperOf(`
topic: traffic
format: csv
constants: {segmentId: s, speedKmh: 1}
fields:
  recordedAt: {from: at, ${about}}`)
    const found = mapper.map(rowOf({ at: text }))
    equal(found.kind === 'event' ? found.event.recordedAt : null, expected, text)
  }
  at('format: epoch-s', '1700000000', '2023-11-14T22:13:20.000Z')
  at('format: epoch-s', '1700000000.25', '2023-11-14T22:13:20.250Z')
  at('format: epoch-ms', '1700000000250', '2023-11-14T22:13:20.250Z')
  at('format: epoch-s', '-5', null)
  at('format: [epoch-s, epoch-ms]', '1700000000250', '2023-11-14T22:13:20.250Z')
  at('format: iso', '2026-02-03T04:05:06+02:00', '2026-02-03T02:05:06.000Z')
  at('format: iso, zone: Africa/Nairobi', '2026-02-03 04:05:06', '2026-02-03T01:05:06.000Z')
  at('zone: Africa/Nairobi', '2026-02-03', '2026-02-02T21:00:00.000Z')
  at('zone: Africa/Nairobi', '2026-02-30', null)
  at('format: [D-MMM-YY, M/D/YYYY]', '4-Aug-09', '2009-08-04T00:00:00.000Z')
  at('format: [D-MMM-YY, M/D/YYYY]', '10/17/2014', '2014-10-17T00:00:00.000Z')
  at('format: [D-MMM-YY, M/D/YYYY]', 'Date Not Captured', null)
  at('format: D-MMM-YY', '31-Dec-99', '1999-12-31T00:00:00.000Z')
  at('format: D-MMM-YY', '4-Abc-09', null)
  at('format: M/D/YYYY h:mm A', '1/2/2026 12:05 AM', '2026-01-02T00:05:00.000Z')
  at('format: M/D/YYYY h:mm A', '1/2/2026 12:05 pm', '2026-01-02T12:05:00.000Z')
  at('format: M/D/YYYY h:mm A', '1/2/2026 13:05 PM', null)
  at("format: 'YYYY-MM-DD HH:mm:ss Z'", '2026-01-02 03:04:05 -0500', '2026-01-02T08:04:05.000Z')
  at("format: '[am] DD.MM.YYYY'", 'am 05.01.2026', '2026-01-05T00:00:00.000Z')
  at('format: YYYYMMDD', '20260105', '2026-01-05T00:00:00.000Z')
  at("format: 'YYYY-MM-DD HH:mm'", '2026-01-05 24:00', null)
  at("format: 'YYYY-MM-DD HH:mm'", ' '.repeat(100), null)
})

test('wall times come back as they were, in any zone and on both sides of a change', () => {
  const zones = [
    'UTC',
    'America/New_York',
    'Europe/Berlin',
    'Africa/Nairobi',
    'Asia/Kathmandu',
    'Australia/Lord_Howe',
  ]
  const mappers = new Map(
    zones.map((zone) => [
      zone,
      mapperOf(`
topic: traffic
format: csv
constants: {segmentId: s, speedKmh: 1}
fields:
  recordedAt: {from: at, format: 'YYYY-MM-DD HH:mm:ss.SSS', zone: ${zone}, fold: refuse}`),
    ]),
  )
  fc.assert(
    fc.property(
      fc.constantFrom(...zones),
      fc.integer({ min: Date.UTC(2000, 0, 1), max: Date.UTC(2035, 0, 1) }),
      (zone, atMs) => {
        const wall = wallTime(atMs, zone)
        const found = mappers.get(zone)?.map(rowOf({ at: wall }))
        ok(found !== undefined && found.kind !== 'skipped')
        // Refused only where the wall time happened twice: an hour before or after looks the same.
        if (found.kind === 'unmappable') {
          const twin = [30, 60].some((minutes) =>
            [-1, 1].some((sign) => wallTime(atMs + sign * minutes * 60_000, zone) === wall),
          )
          ok(twin, `${wall} in ${zone} was refused`)
        } else equal(found.event.recordedAt, toIso(atMs))
      },
    ),
    { numRuns: 400 },
  )
})

/** Independent of the code under test: by the formatter of the runtime. */
function wallTime(atMs: number, zone: string): string {
  const parts = new Intl.DateTimeFormat('sv-SE', {
    timeZone: zone,
    dateStyle: 'short',
    timeStyle: 'medium',
  }).format(atMs)
  return `${parts}.${String(((atMs % 1_000) + 1_000) % 1_000).padStart(3, '0')}`
}

test('whatever a row holds, a mapper never throws, and a good event is one the topic takes', () => {
  const mapper = mapperOf(
    truck(`temperatureC: {from: t, unit: F, absent: [999]}
doorOpen: {from: door, map: {1: true, 0: false}}
lat: {cel: 'double(row.lat)'}`).replace(
      'recordedAt: at',
      'recordedAt: {from: at, format: [iso, epoch-s], zone: Asia/Kolkata}',
    ),
  )
  const cell = fc.oneof(
    fc.string(),
    fc.string({ unit: 'grapheme' }),
    fc.constantFrom(
      '',
      '0',
      '1',
      '999',
      '44.6',
      '2026-01-01 00:00:00',
      '1700000000',
      '1e999',
      '__proto__',
    ),
    fc.jsonValue(),
  )
  fc.assert(
    fc.property(
      fc.record({ id: cell, at: cell, t: cell, door: cell, lat: cell }, { requiredKeys: [] }),
      (cells) => {
        const result = mapper.map(rowOf(cells))
        if (result.kind !== 'event') return
        const again: unknown = JSON.parse(JSON.stringify(result.event))
        // JSON has one zero; a row's −0 arrives as that.
        const said = Object.entries(result.event).map(([name, value]) => [
          name,
          value === 0 ? 0 : value,
        ])
        deepEqual(again, Object.fromEntries(said))
      },
    ),
    { numRuns: 2_000 },
  )
})

test('what is wrong in a mapping is told with its line and column', () => {
  checkIssues('topic: [', 'm.yaml:1:')
  checkIssues('- a', 'm.yaml:1:1: a mapping is a YAML map')
  checkIssues('fields: {}', 'm.yaml:1:1: topic is missing', 'm.yaml:1:1: format is missing')
  checkIssues(
    `topics: x${truck('temperatureC: t')}`,
    'm.yaml:1:1: "topics" is not known here; there are name,',
  )
  checkIssues(
    truck('temperatureC: t').replace('truck-readings', 'trucks'),
    'm.yaml:2:8: there is no topic "trucks"',
  )
  checkIssues(
    truck('temperatureC: t').replace('csv', 'xml'),
    'm.yaml:3:9: "xml" must be one of auto csv ndjson',
  )
  checkIssues(
    truck('temperature: t'),
    'm.yaml:7:16: truck-readings has no field "temperature"; it has truckId,',
    'm.yaml:5:3: temperatureC is required by truck-readings, and nothing gives it',
  )
  checkIssues(
    truck('temperatureC: {from: t, unit: Fahrenheit}'),
    'm.yaml:7:33: "Fahrenheit" is no unit',
  )
  checkIssues(
    truck('temperatureC: {from: t, unit: knots}'),
    'm.yaml:7:33: temperatureC is kept in C; it cannot come from knots',
  )
  checkIssues(truck('temperatureC: t\nzone: {from: z, unit: C}'), 'm.yaml:8:25: zone has no unit')
  checkIssues(
    truck('temperatureC: {from: t, color: red}'),
    'm.yaml:7:27: "color" is not known here',
  )
  checkIssues(
    truck('temperatureC: {from: t, cel: "1.0"}'),
    'm.yaml:7:17: temperatureC needs one of from, fileName, cel, const; it has 2',
  )
  checkIssues(
    truck('temperatureC: {cel: "double(rows.t)"}'),
    'm.yaml:7:23: CEL: Unknown variable: rows',
  )
  checkIssues(truck('temperatureC: {cel: "1 +"}'), 'm.yaml:7:23: CEL: ')
  checkIssues(
    `${truck('temperatureC: t')}\nskipWhen: size(row)`,
    'm.yaml:8:11: a condition must be true or false; this one is of the type int',
  )
  checkIssues(
    truck("temperatureC: t\nzone: {fileName: '(a'}"),
    'm.yaml:8:20: Invalid regular expression',
  )
  checkIssues(
    truck('temperatureC: t').replace('recordedAt: at', 'recordedAt: {from: at, zone: Mars/Base}'),
    'm.yaml:6:32: "Mars/Base" is not a time zone',
  )
  checkIssues(
    truck('temperatureC: t').replace('recordedAt: at', 'recordedAt: {from: at, format: HH:mm}'),
    'm.yaml:6:34: "HH:mm" has no year',
  )
  checkIssues(
    truck('temperatureC: t').replace(
      'recordedAt: at',
      "recordedAt: {from: at, format: 'YYYY-MM-DD q'}",
    ),
    'm.yaml:6:34: "q" in "YYYY-MM-DD q" is no part of a time',
  )
  checkIssues(
    `constants: {truckId: x}${truck('temperatureC: t')}`,
    'm.yaml:5:12: truckId is given twice',
  )
  checkIssues(
    `csv: {delimiter: ';;'}${truck('temperatureC: t')}`,
    'm.yaml:1:18: delimiter must be one character',
  )
})

test('every mapping that comes with the program fits the topics there are', async () => {
  const names = await builtInMappingNames()
  ok(names.includes('truck-sensors'))
  const known = new Map(
    domains.flatMap(({ pipelines }) => pipelines.map(({ topic }) => [topic.name, topic] as const)),
  )
  for (const name of names) {
    const source = await findMapping(name)
    ok(source.ok)
    const mapping = compileMapping(source.value, known)
    ok(mapping.ok, mapping.ok ? '' : mapping.error.map(showIssue).join('\n'))
    equal(mapping.value.name, name)
  }
})

test('an unknown mapping is answered with those there are', async () => {
  const found = await findMapping('cold-chain-loger')
  ok(!found.ok)
  ok(found.error.includes(', cold-chain-logger, '))
})
