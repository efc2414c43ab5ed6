// How severity and condition look: hue, shape and word, in one place for tables, map and charts.

import type { Condition, Severity } from './api/types.ts'

export interface Mark {
  readonly word: string
  /** SVG path in a 16 × 16 box. */
  readonly path: string
  /** Name of the custom property that holds the fill; `-text` and `-weak` belong to it. */
  readonly hue: string
  /** Hollow shapes are stroked, not filled. */
  readonly hollow: boolean
}

/** Most severe first: also the order of lists and filters. */
export const severities: readonly Severity[] = ['critical', 'major', 'minor', 'warning', 'info']

export const severityMarks: Readonly<Record<Severity, Mark>> = {
  critical: {
    word: 'Critical',
    path: 'M5.1 1h5.8L15 5.1v5.8L10.9 15H5.1L1 10.9V5.1z',
    hue: 'critical',
    hollow: false,
  },
  major: { word: 'Major', path: 'M8 1.2 15.2 14.4H.8z', hue: 'major', hollow: false },
  minor: { word: 'Minor', path: 'M8 .8 15.2 8 8 15.2.8 8z', hue: 'minor', hollow: false },
  warning: { word: 'Warning', path: 'M2.2 2.2h11.6v11.6H2.2z', hue: 'warning', hollow: false },
  info: {
    word: 'Info',
    path: 'M8 2a6 6 0 1 0 0 12A6 6 0 0 0 8 2z',
    hue: 'info',
    hollow: false,
  },
}

export const conditions: readonly Condition[] = ['excursion', 'silent', 'no-profile', 'in-range']

export const conditionWords: Readonly<Record<Condition, string>> = {
  excursion: 'Out of range',
  silent: 'Silent',
  'no-profile': 'No profile',
  'in-range': 'In range',
}

export function severityRank(severity: Severity): number {
  return severities.indexOf(severity)
}

/** The most severe of some alerts; undefined where there are none. */
export function worst(alerts: readonly { readonly severity: Severity }[]): Severity | undefined {
  let found: Severity | undefined
  for (const { severity } of alerts) {
    if (found === undefined || severityRank(severity) < severityRank(found)) found = severity
  }
  return found
}
