// Everything that turns a number or an instant into text, with its unit. Pure: what a person prefers
// comes in, so that the same module serves tables, charts and announcements.

export interface Units {
  readonly temperature: 'C' | 'F'
  readonly distance: 'km' | 'mi'
  /** IANA name of the zone that instants are shown in. */
  readonly timeZone: string
}

const KM_PER_MILE = 1.609344
const SECOND_MS = 1000
const MINUTE_MS = 60 * SECOND_MS
const HOUR_MS = 60 * MINUTE_MS
const DAY_MS = 24 * HOUR_MS
/** A number of milliseconds above this is an instant (2001), below it a span. */
const FIRST_INSTANT_MS = 978_307_200_000
/** Shown where a value is not known. */
export const UNKNOWN = '–'

type Instant = string | number | null | undefined
type Quantity = number | null | undefined

export type Formatter = ReturnType<typeof formatter>

export function formatter(units: Units) {
  const at = (options: Intl.DateTimeFormatOptions) =>
    new Intl.DateTimeFormat('en-GB', { timeZone: units.timeZone, hourCycle: 'h23', ...options })
  const clockFormat = at({ hour: '2-digit', minute: '2-digit' })
  const clockSecondsFormat = at({ hour: '2-digit', minute: '2-digit', second: '2-digit' })
  const dayFormat = at({ day: 'numeric', month: 'short' })
  const dateFormat = at({ day: 'numeric', month: 'short', year: 'numeric' })
  const zoneFormat = at({ timeZoneName: 'short' })

  const toC = (celsius: number) => (units.temperature === 'F' ? celsius * 1.8 + 32 : celsius)
  const toKm = (km: number) => (units.distance === 'mi' ? km / KM_PER_MILE : km)
  const clockOf = (instant: Instant) => withInstant(instant, (ms) => clockFormat.format(ms))
  const dateOf = (instant: Instant) => withInstant(instant, (ms) => dateFormat.format(ms))
  const distance = (km: Quantity, digits = 0) =>
    withQuantity(km, (value) => `${fixed(toKm(value), digits)} ${units.distance}`)
  const temperature = (celsius: Quantity, digits = 1) =>
    withQuantity(celsius, (value) => `${fixed(toC(value), digits)} °${units.temperature}`)
  const speed = (kmh: Quantity) =>
    withQuantity(
      kmh,
      (value) => `${fixed(toKm(value), 0)} ${units.distance === 'mi' ? 'mph' : 'km/h'}`,
    )

  const mass = (kg: Quantity) =>
    withQuantity(kg, (value) =>
      value < KG_PER_TONNE ? `${fixed(value, 0)} kg` : `${fixed(value / KG_PER_TONNE, 1)} t`,
    )

  /** Undefined where it is no instant. */
  const dayAndSeconds = (instant: Instant) => {
    const ms = toMs(instant)
    return ms === undefined ? undefined : `${dayFormat.format(ms)} ${clockSecondsFormat.format(ms)}`
  }

  const wallFormat = at({ dateStyle: 'short', timeStyle: 'medium' })
  /** What the zone's clocks are ahead of UTC at an instant. */
  const zoneOffsetMs = (ms: number) => {
    const [day, month, year, time] = wallFormat.format(ms).split(/[/,]\s*/)
    return Date.parse(`${year}-${month}-${day}T${time}Z`) - Math.floor(ms / SECOND_MS) * SECOND_MS
  }

  return {
    temperature,
    /** The number alone, for a table whose head names the unit. */
    temperatureValue: (celsius: number) => toC(celsius),
    temperatureUnit: `°${units.temperature}`,
    speed,
    speedValue: (kmh: number) => toKm(kmh),
    speedUnit: units.distance === 'mi' ? 'mph' : 'km/h',
    distance,
    distanceValue: (km: number) => toKm(km),
    distanceUnit: units.distance,
    /** `2–7 °C`, or one-sided. */
    limits(limits: { minC: number | null; maxC: number | null } | null | undefined): string {
      if (!limits || (limits.minC === null && limits.maxC === null)) return UNKNOWN
      const { minC, maxC } = limits
      if (minC === null) return `≤ ${temperature(maxC, 0)}`
      if (maxC === null) return `≥ ${temperature(minC, 0)}`
      return `${trim(toC(minC))} to ${trim(toC(maxC))} °${units.temperature}`
    },
    percent: (value: Quantity, digits = 0) => withQuantity(value, (v) => `${fixed(v, digits)} %`),
    /** `850 kg`, `9.4 t`. */
    mass,
    litres: (value: Quantity) => withQuantity(value, (v) => `${fixed(v, 0)} L`),
    count: (value: Quantity) => withQuantity(value, (v) => trueMinus(grouped.format(v))),
    rate: (value: Quantity) => withQuantity(value, (v) => `${v < 10 ? trim(v) : fixed(v, 0)}/s`),
    clock: clockOf,
    clockSeconds: (instant: Instant) => withInstant(instant, (ms) => clockSecondsFormat.format(ms)),
    day: (instant: Instant) => withInstant(instant, (ms) => dayFormat.format(ms)),
    date: dateOf,
    /** Day and time to the minute; the day is left out when it is the day of `nowMs`. */
    instant(instant: Instant, nowMs: number): string {
      return withInstant(instant, (ms) =>
        dateFormat.format(ms) === dateFormat.format(nowMs)
          ? clockFormat.format(ms)
          : `${dayFormat.format(ms)} ${clockFormat.format(ms)}`,
      )
    },
    /** Everything, for a tooltip: date, seconds and zone. */
    full: (instant: Instant) =>
      withInstant(
        instant,
        (ms) =>
          `${dateFormat.format(ms)}, ${clockSecondsFormat.format(ms)} ${zoneOf(zoneFormat, ms)}`,
      ),
    zoneName: units.timeZone,
    /** Short name of the zone at an instant, as in `EAT`. */
    zone: (nowMs: number) => zoneOf(zoneFormat, nowMs),
    /** For an `<input type="datetime-local">`, in the zone that is shown. */
    fieldText: (ms: number) => new Date(ms + zoneOffsetMs(ms)).toISOString().slice(0, 16),
    /** Back from such a field; undefined where it is not filled in. */
    fromFieldText(text: string): number | undefined {
      const wallMs = Date.parse(`${text}Z`)
      if (Number.isNaN(wallMs)) return undefined
      // The offset belongs to the instant, which is only known after a first guess.
      const guessMs = wallMs - zoneOffsetMs(wallMs)
      return wallMs - zoneOffsetMs(guessMs)
    },
    duration,
    age,
    /** A field of an event by the unit that ends its name. */
    field(name: string, value: unknown): string {
      if (value === null || value === undefined) return UNKNOWN
      if (typeof value === 'boolean') return value ? 'yes' : 'no'
      if (typeof value === 'string' && name.endsWith('At')) return dayAndSeconds(value) ?? value
      if (typeof value !== 'number') return String(value)
      if (name.endsWith('Kmh')) return speed(value)
      if (name.endsWith('Km')) return distance(value, 1)
      if (name.endsWith('Percent')) return `${trim(value)} %`
      if (name.endsWith('Kg')) return mass(value)
      if (name.endsWith('Litres')) return `${trim(value)} L`
      if (name.endsWith('Deg')) return `${trim(value)}°`
      if (name.endsWith('Ms'))
        return (value > FIRST_INSTANT_MS ? dayAndSeconds(value) : undefined) ?? duration(value)
      // Not as a duration: what comes in time is late by less than nothing.
      if (/[a-z]Min(utes)?$/.test(name)) return `${trim(value)} min`
      if (/[a-z]C$/.test(name)) return temperature(value)
      if (/[a-z]S$/.test(name)) return duration(value * SECOND_MS)
      return trim(value)
    },
  }
}

const KG_PER_TONNE = 1_000
/** Zero has no sign, also where a number is rounded to it. */
const NEGATIVE = { signDisplay: 'negative' } as const
const grouped = new Intl.NumberFormat('en-GB', NEGATIVE)
/** By decimals: making one costs more than using it many times. */
const groupedTo = new Map<number, Intl.NumberFormat>()

function withQuantity(value: Quantity, text: (value: number) => string): string {
  return value === null || value === undefined || !Number.isFinite(value) ? UNKNOWN : text(value)
}

function withInstant(instant: Instant, text: (ms: number) => string): string {
  const ms = toMs(instant)
  return ms === undefined ? UNKNOWN : text(ms)
}

export function toMs(instant: Instant): number | undefined {
  if (instant === null || instant === undefined) return undefined
  const ms = typeof instant === 'number' ? instant : Date.parse(instant)
  return Number.isNaN(ms) ? undefined : ms
}

/** With a true minus sign, never `−0`, and thousands set apart. */
export function fixed(value: number, digits: number): string {
  let format = groupedTo.get(digits)
  if (format === undefined) {
    const decimals = { minimumFractionDigits: digits, maximumFractionDigits: digits }
    format = new Intl.NumberFormat('en-GB', { ...NEGATIVE, ...decimals })
    groupedTo.set(digits, format)
  }
  return trueMinus(format.format(value))
}

function trueMinus(text: string): string {
  return text.replace('-', '−')
}

/** At most two decimals, none that say nothing. */
function trim(value: number): string {
  return fixed(value, 2).replace(/\.?0+$/, '')
}

function zoneOf(format: Intl.DateTimeFormat, ms: number): string {
  return format.formatToParts(ms).find((part) => part.type === 'timeZoneName')?.value ?? ''
}

/** The two largest units: `45 s`, `12 min`, `3 h 05 min`, `2 d 4 h`. */
export function duration(ms: Quantity): string {
  return withQuantity(ms, (value) => {
    const span = Math.max(0, value)
    if (span < MINUTE_MS) return `${Math.floor(span / SECOND_MS)} s`
    if (span < HOUR_MS) return `${Math.floor(span / MINUTE_MS)} min`
    if (span < DAY_MS) {
      const minutes = Math.floor((span % HOUR_MS) / MINUTE_MS)
      const hours = `${Math.floor(span / HOUR_MS)} h`
      return minutes === 0 ? hours : `${hours} ${String(minutes).padStart(2, '0')} min`
    }
    const hours = Math.floor((span % DAY_MS) / HOUR_MS)
    return hours === 0
      ? `${Math.floor(span / DAY_MS)} d`
      : `${Math.floor(span / DAY_MS)} d ${hours} h`
  })
}

/** How long ago, in one unit: `now`, `8 s`, `4 min`, `3 h`, `12 d`. */
export function age(instant: Instant, nowMs: number): string {
  return withInstant(instant, (ms) => {
    const span = nowMs - ms
    if (span < 2 * SECOND_MS) return 'now'
    if (span < MINUTE_MS) return `${Math.floor(span / SECOND_MS)} s`
    if (span < HOUR_MS) return `${Math.floor(span / MINUTE_MS)} min`
    if (span < 2 * DAY_MS) return `${Math.floor(span / HOUR_MS)} h`
    return `${Math.floor(span / DAY_MS)} d`
  })
}
