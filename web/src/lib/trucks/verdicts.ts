// What a report says in the end, as screens say it.

import type { Verdict } from '$lib/api/types.ts'

export const verdicts: Readonly<Record<Verdict, { readonly word: string; readonly tone: string }>> =
  {
    conformant: { word: 'Conformant', tone: 'good' },
    'excursion-within-allowance': { word: 'Excursion within the allowance', tone: 'mild' },
    'non-conformant': { word: 'Not conformant', tone: 'bad' },
    'insufficient-data': { word: 'Not enough data', tone: 'unknown' },
  }
