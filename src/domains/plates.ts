// Kenyan number plates, KAA 001A to KDZ 999Z without the letters that look like digits.

const SERIES = 'BCD'
const LETTERS = 'ABCDEFGHJKLMNPQRSTUVWXYZ'
const NUMBERS = 999
const PLATES = SERIES.length * LETTERS.length * NUMBERS * LETTERS.length
/** Prime and so without a common factor with PLATES: every index gets a plate of its own. */
const STRIDE = 1_000_003

export const MAX_PLATES = PLATES

/** The plate of the `index`-th truck; another `offset` gives another fleet. */
export function plate(index: number, offset: number): string {
  let left = (offset + index * STRIDE) % PLATES
  const take = (count: number): number => {
    const digit = left % count
    left = Math.floor(left / count)
    return digit
  }
  const last = LETTERS[take(LETTERS.length)]
  const number = String(take(NUMBERS) + 1).padStart(3, '0')
  return `K${SERIES[take(SERIES.length)]}${LETTERS[take(LETTERS.length)]} ${number}${last}`
}
