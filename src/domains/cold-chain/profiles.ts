// Goods profiles: which temperatures a kind of goods bears, and for how long. Reference data with pure
// helpers; the live rule and the report judge by the same definitions.

import { type Static, Type } from '@sinclair/typebox'
import { TypeCompiler } from '@sinclair/typebox/compiler'
import { failed, ok, type Result } from '../../kernel/result.ts'
import { DAY_MS, HOUR_MS, MINUTE_MS } from '../../kernel/time.ts'

const strict = { additionalProperties: false }
const celsius = (description: string) => Type.Number({ minimum: -200, maximum: 200, description })

export const temperatureLimitSchema = Type.Object(
  {
    side: Type.Union([Type.Literal('above'), Type.Literal('below')]),
    thresholdC: celsius('Where the limit begins'),
    inclusive: Type.Boolean({ description: 'The threshold itself counts as beyond' }),
    mode: Type.Union([
      Type.Literal('instant', { description: 'One reading beyond is a breach' }),
      Type.Literal('consecutive', { description: 'Beyond for durationMs without a break' }),
      Type.Literal('cumulative', { description: 'Beyond for durationMs in total' }),
    ]),
    durationMs: Type.Integer({ minimum: 0, description: '0 for an instant limit' }),
    severity: Type.Union([
      Type.Literal('critical'),
      Type.Literal('major'),
      Type.Literal('minor'),
      Type.Literal('warning'),
      Type.Literal('info'),
    ]),
  },
  strict,
)

export const goodsProfileSchema = Type.Object(
  {
    name: Type.String({ pattern: '^[a-z0-9][a-z0-9-]{0,62}$' }),
    title: Type.String({ minLength: 1, maxLength: 200 }),
    minC: celsius('Lowest temperature of the storage range, itself inside'),
    maxC: celsius('Highest temperature of the storage range, itself inside'),
    hysteresisC: Type.Number({
      minimum: 0,
      maximum: 20,
      description: 'How far inside a live alert must see the temperature before it resolves',
    }),
    limits: Type.Array(temperatureLimitSchema, { maxItems: 20 }),
    mkt: Type.Optional(
      Type.Object(
        { windowMs: Type.Integer({ minimum: MINUTE_MS }), maxC: celsius('Highest mean allowed') },
        { ...strict, description: 'Mean kinetic temperature over any window of this length' },
      ),
    ),
    permitted: Type.Optional(
      Type.Object(
        {
          minC: celsius('Lowest'),
          maxC: celsius('Highest'),
          durationMs: Type.Integer({ minimum: 0, description: 'Longest single excursion' }),
        },
        { ...strict, description: 'Excursions that the goods bear' },
      ),
    ),
    nominalIntervalMs: Type.Optional(
      Type.Integer({ minimum: 1_000, description: 'Expected time between readings' }),
    ),
    source: Type.Optional(Type.String({ maxLength: 500 })),
  },
  { ...strict, $id: 'GoodsProfile' },
)

export type TemperatureLimit = Readonly<Static<typeof temperatureLimitSchema>>
export type GoodsProfile = Readonly<Static<typeof goodsProfileSchema>>
export type Side = 'above' | 'below'

export const DEFAULT_PROFILE_NAME = 'default'

const instant = (
  side: Side,
  thresholdC: number,
  severity: TemperatureLimit['severity'],
): TemperatureLimit => ({
  side,
  thresholdC,
  inclusive: false,
  mode: 'instant',
  durationMs: 0,
  severity,
})

/** The three alarms that both WHO shipping indicators have. */
const whoType1Limits: readonly TemperatureLimit[] = [
  {
    side: 'above',
    thresholdC: 45,
    inclusive: true,
    mode: 'consecutive',
    durationMs: HOUR_MS,
    severity: 'critical',
  },
  {
    side: 'above',
    thresholdC: 30,
    inclusive: true,
    mode: 'cumulative',
    durationMs: 10 * HOUR_MS,
    severity: 'critical',
  },
  {
    side: 'below',
    thresholdC: -0.5,
    inclusive: true,
    mode: 'consecutive',
    durationMs: HOUR_MS,
    severity: 'critical',
  },
]

const whoType2Limit: TemperatureLimit = {
  side: 'above',
  thresholdC: 10,
  inclusive: true,
  mode: 'cumulative',
  durationMs: 20 * HOUR_MS,
  severity: 'major',
}

export const builtInProfiles: readonly GoodsProfile[] = [
  {
    name: DEFAULT_PROFILE_NAME,
    title: 'Chilled goods, 2–7 °C',
    minC: 2,
    maxC: 7,
    hysteresisC: 0.5,
    limits: [instant('above', 7, 'major'), instant('below', 2, 'major')],
    source: 'House default: the first reading above 7 °C or below 2 °C is a breach.',
  },
  {
    name: 'frozen',
    title: 'Quick-frozen goods, −18 °C or colder',
    minC: -80,
    maxC: -18,
    hysteresisC: 1,
    limits: [
      {
        side: 'above',
        thresholdC: -18,
        inclusive: false,
        mode: 'consecutive',
        durationMs: 30 * MINUTE_MS,
        severity: 'major',
      },
      instant('above', -15, 'critical'),
    ],
    source:
      'Directive 89/108/EEC, article 5: brief upward fluctuations of at most 3 °C in transport; "brief" is taken as 30 minutes. The lower end is the range of the sensor.',
  },
  {
    name: 'vaccine',
    title: 'Vaccines, 2–8 °C',
    minC: 2,
    maxC: 8,
    hysteresisC: 0.5,
    limits: [
      instant('above', 8, 'major'),
      instant('above', 15, 'critical'),
      instant('below', 2, 'critical'),
    ],
    mkt: { windowMs: DAY_MS, maxC: 8 },
    permitted: { minC: 2, maxC: 15, durationMs: DAY_MS },
    source:
      'USP <1079.2>: excursions up to 15 °C for at most 24 h where the mean kinetic temperature of 24 h stays at 8 °C or below. Nothing excuses an excursion below 2 °C.',
  },
  {
    name: 'pharma',
    title: 'Controlled room temperature, 20–25 °C',
    minC: 20,
    maxC: 25,
    hysteresisC: 0.5,
    limits: [
      instant('above', 25, 'minor'),
      instant('above', 30, 'critical'),
      instant('below', 20, 'minor'),
      instant('below', 15, 'critical'),
    ],
    mkt: { windowMs: 30 * DAY_MS, maxC: 25 },
    permitted: { minC: 15, maxC: 30, durationMs: 30 * DAY_MS },
    source:
      'USP <1079.2>: excursions within 15–30 °C where the mean kinetic temperature of 30 days stays at 25 °C or below.',
  },
  {
    name: 'who-type-1',
    title: 'WHO shipping indicator, type 1',
    minC: -0.5,
    maxC: 30,
    hysteresisC: 0.5,
    limits: [...whoType1Limits],
    source:
      'WHO PQS E006: 45 °C for 1 h or −0.5 °C for 1 h running, 30 °C for 10 h in total; thresholds included.',
  },
  {
    name: 'who-type-2',
    title: 'WHO shipping indicator, type 2',
    minC: -0.5,
    maxC: 10,
    hysteresisC: 0.5,
    limits: [...whoType1Limits, whoType2Limit],
    source: 'WHO PQS E006: as type 1, and 10 °C for 20 h in total; thresholds included.',
  },
]

/** True where a temperature counts against the limit. */
export function isBeyond(limit: TemperatureLimit, temperatureC: number): boolean {
  if (limit.side === 'above') {
    return limit.inclusive ? temperatureC >= limit.thresholdC : temperatureC > limit.thresholdC
  }
  return limit.inclusive ? temperatureC <= limit.thresholdC : temperatureC < limit.thresholdC
}

/**
 * The side on which a temperature is outside the storage range, or undefined inside it. A temperature
 * beyond any limit is outside too: an inclusive limit at the end of the range counts its own threshold.
 */
export function sideOutside(profile: GoodsProfile, temperatureC: number): Side | undefined {
  if (temperatureC > profile.maxC) return 'above'
  if (temperatureC < profile.minC) return 'below'
  for (const limit of profile.limits) if (isBeyond(limit, temperatureC)) return limit.side
  return undefined
}

const check = TypeCompiler.Compile(goodsProfileSchema)

/** Reads a profile document; the error says which field and why. */
export function parseGoodsProfile(document: unknown): Result<GoodsProfile, string> {
  if (!check.Check(document)) {
    const problem = check.Errors(document).First()
    return failed(`${problem?.path || 'profile'}: ${problem?.message ?? 'does not fit the schema'}`)
  }
  const contradiction = contradictionIn(document)
  return contradiction === undefined ? ok(document) : failed(contradiction)
}

function contradictionIn(profile: GoodsProfile): string | undefined {
  const { minC, maxC, permitted } = profile
  if (minC >= maxC) return '/minC: must be below maxC'
  if (permitted !== undefined && (permitted.minC > minC || permitted.maxC < maxC)) {
    return '/permitted: must contain the range from minC to maxC'
  }
  for (const [index, limit] of profile.limits.entries()) {
    const path = `/limits/${index}`
    if (limit.mode === 'instant' && limit.durationMs !== 0) {
      return `${path}/durationMs: must be 0 for an instant limit`
    }
    if (limit.mode !== 'instant' && limit.durationMs === 0) {
      return `${path}/durationMs: must be above 0 for a ${limit.mode} limit`
    }
    const outside = limit.side === 'above' ? limit.thresholdC >= maxC : limit.thresholdC <= minC
    if (!outside) return `${path}/thresholdC: lies inside the range from minC to maxC`
  }
  return undefined
}

export function findProfile(
  profiles: readonly GoodsProfile[],
  name: string,
): GoodsProfile | undefined {
  return profiles.find((profile) => profile.name === name)
}
