// Exact decimals between their text and PostgreSQL's binary form: groups of four decimal digits.

import { PlatformError } from '../../kernel/errors.ts'

const DECIMAL = /^([+-]?)(\d*)(?:\.(\d*))?$/
const NEGATIVE = 0x4000
/** Digits after the point that the binary form can say. */
const MAX_SCALE = 16_383
/** Digits before the point that PostgreSQL takes. */
const MAX_WHOLE = 131_072

export interface NumericParts {
  /** Base-10,000 digits, the most significant first. */
  readonly digits: readonly number[]
  /** Power of 10,000 of the first digit. */
  readonly weight: number
  readonly negative: boolean
  /** Decimal digits after the point. */
  readonly scale: number
}

/** Reads a decimal such as `-12.50`; throws on anything else. */
export function parseNumeric(text: string): NumericParts {
  const match = DECIMAL.exec(text)
  const whole = match?.[2] ?? ''
  const fraction = match?.[3] ?? ''
  const sizeFits = whole.length <= MAX_WHOLE && fraction.length <= MAX_SCALE
  if (match === null || whole.length + fraction.length === 0 || !sizeFits) {
    throw new PlatformError('invariant-broken', `"${text.slice(0, 40)}" is not a decimal.`, {
      retry: 'never',
    })
  }
  const wholeGroups = Math.ceil(whole.length / 4)
  const padded =
    whole.padStart(wholeGroups * 4, '0') + fraction.padEnd(Math.ceil(fraction.length / 4) * 4, '0')
  const digits: number[] = []
  for (let at = 0; at < padded.length; at += 4) digits.push(Number(padded.slice(at, at + 4)))
  let weight = wholeGroups - 1
  while (digits[0] === 0) {
    digits.shift()
    weight--
  }
  while (digits.at(-1) === 0) digits.pop()
  const zero = digits.length === 0
  return {
    digits,
    weight: zero ? 0 : weight,
    negative: match[1] === '-' && !zero,
    scale: fraction.length,
  }
}

/** Writes the parts at `at`; returns how many bytes that took. */
export function writeNumeric(buffer: Buffer, at: number, parts: NumericParts): number {
  buffer.writeInt16BE(parts.digits.length, at)
  buffer.writeInt16BE(parts.weight, at + 2)
  buffer.writeUInt16BE(parts.negative ? NEGATIVE : 0, at + 4)
  buffer.writeUInt16BE(parts.scale, at + 6)
  let position = at + 8
  for (const digit of parts.digits) position = buffer.writeUInt16BE(digit, position)
  return position - at
}

/** Reads a binary numeric as decimal text with all digits of its scale. */
export function readNumeric(buffer: Buffer, at: number): string {
  const count = buffer.readInt16BE(at)
  const weight = buffer.readInt16BE(at + 2)
  const negative = buffer.readUInt16BE(at + 4) === NEGATIVE
  const scale = buffer.readUInt16BE(at + 6)
  let whole = ''
  let fraction = ''
  const fractionGroups = Math.ceil(scale / 4)
  for (let power = Math.max(weight, 0); power >= -fractionGroups; power--) {
    const index = weight - power
    const digit = index >= 0 && index < count ? buffer.readUInt16BE(at + 8 + index * 2) : 0
    const text = String(digit).padStart(4, '0')
    if (power >= 0) whole += text
    else fraction += text
  }
  const sign = negative ? '-' : ''
  const integer = whole.replace(/^0+(?=\d)/, '')
  return scale === 0 ? sign + integer : `${sign}${integer}.${fraction.slice(0, scale)}`
}
