// One copy of a text that very many shipments name: their carrier, where they are, whose they are.

/** Texts that are held at a time; where one more comes, all are let go and gathered anew. */
const MAX_TEXTS = 20_000
/** Shorter ones the JSON parser gives out as one copy already. */
const SHARED_BY_PARSER = 10

const texts = new Map<string, string>()

/** An equal text; which copy it is changes nothing but the memory that is taken. */
export function sharedText(text: string): string
export function sharedText(text: string | null): string | null
export function sharedText(text: string | null): string | null {
  if (text === null || text.length <= SHARED_BY_PARSER) return text
  const known = texts.get(text)
  if (known !== undefined) return known
  if (texts.size >= MAX_TEXTS) texts.clear()
  texts.set(text, text)
  return text
}
