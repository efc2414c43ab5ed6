// Amounts of money as exact decimals in text: they are added by PostgreSQL as numeric and never as floating
// point numbers. How many decimals a currency has is not ours to decide: 12.345 stays 12.345.

/** Text of an amount as senders may give it. */
export const AMOUNT_PATTERN = '^-?[0-9]{1,12}(\\.[0-9]{1,18})?$'
/** Largest amount, positive or negative, that a sender may give as a number. */
export const MAX_AMOUNT = 1e12

/** Currency code by ISO 4217. */
export const CURRENCY_PATTERN = '^[A-Z]{3}$'

/**
 * The amount with no more digits than it needs. A number stands for the shortest decimal that gives it, which is
 * what the sender wrote, up to fifteen digits.
 */
export function exactAmount(amount: number | string): string {
  return trimmed(typeof amount === 'string' ? amount : withoutExponent(String(amount)))
}

function trimmed(text: string): string {
  const negative = text.startsWith('-')
  const [whole = '0', fraction = ''] = (negative ? text.slice(1) : text).split('.')
  const digits = whole.replace(/^0+(?=\d)/, '')
  const decimals = fraction.replace(/0+$/, '')
  const value = decimals === '' ? digits : `${digits}.${decimals}`
  return negative && value !== '0' ? `-${value}` : value
}

/** `1.5e-7` as 0.00000015. */
function withoutExponent(text: string): string {
  const [mantissa = '', exponent] = text.split('e-')
  if (exponent === undefined) return text
  const negative = mantissa.startsWith('-')
  const digits = mantissa.replace(/[-.]/g, '')
  return `${negative ? '-' : ''}0.${'0'.repeat(Number(exponent) - 1)}${digits}`
}
