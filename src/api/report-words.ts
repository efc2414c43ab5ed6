// How a report on paper says numbers, times and what came from outside.

import { DAY_MS, HOUR_MS, MINUTE_MS, SECOND_MS } from '../kernel/time.ts'

/** To a thousandth, so that what lies beyond a threshold never looks as if it lay on it. */
export function degrees(temperatureC: number | null): string {
  return temperatureC === null ? '–' : `${decimal(temperatureC)}\u00a0°C`
}

/** A bare number, for an axis whose unit stands beside it. */
export function decimal(value: number): string {
  return String(Number(value.toFixed(3))).replace('-', '−')
}

export function count(value: number): string {
  return value.toLocaleString('en')
}

/** `2021-11-09 14:58:16`; with milliseconds only where there are any. */
export function instantText(iso: string): string {
  return iso.replace('T', ' ').replace(/(?:\.000)?Z$/, '')
}

const UNITS = [
  { name: 'd', lengthMs: DAY_MS },
  { name: 'h', lengthMs: HOUR_MS },
  { name: 'min', lengthMs: MINUTE_MS },
  { name: 's', lengthMs: SECOND_MS },
]

/** The whole span, to the second: `3 h 51 min 40 s`. */
export function spanText(seconds: number): string {
  let leftMs = Math.round(seconds) * SECOND_MS
  const parts: string[] = []
  for (const { name, lengthMs } of UNITS) {
    const whole = Math.floor(leftMs / lengthMs)
    leftMs -= whole * lengthMs
    if (whole > 0) parts.push(`${whole} ${name}`)
  }
  return parts.length > 0 ? parts.join(' ') : `${Number(seconds.toFixed(3))} s`
}

/** What the fonts have, without what is invisible, combines or turns the direction of writing. */
const PRINTABLE =
  /^[ -[\]-~\u00a1-\u00ac\u00ae-\u017f\u0384-\u038a\u038c\u038e-\u03a1\u03a3-\u03ce\u0400-\u0482\u048a-\u0513\u1ea0-\u1ef9\u2010\u2011\u2013-\u2015\u2018-\u201e\u2020-\u2022\u2026\u2030\u2032\u2033\u20ac\u2122\u2212\u2264\u2265]$/u

/**
 * Text from outside as paper can show it. A character that the fonts do not have, or that nobody would
 * see, stands as its code and a backslash as two, so that two different names never look the same.
 */
export function printable(text: string): string {
  return Array.from(text, (character) => {
    if (PRINTABLE.test(character)) return character
    if (character === '\\') return '\\\\'
    return `\\u{${(character.codePointAt(0) ?? 0).toString(16).toUpperCase()}}`
  }).join('')
}
