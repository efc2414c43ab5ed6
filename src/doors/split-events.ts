// From a body to the bytes of its events. Nothing is parsed here, so that each event is parsed once, and
// a broken one never costs its neighbours. Stops at one event more than the caller takes, which is
// enough to refuse the body.

const NEWLINE = 0x0a
const CARRIAGE_RETURN = 0x0d

/** The lines of NDJSON without their ends; blank ones are left out. */
export function splitLines(body: Buffer, maxEvents: number): Buffer[] {
  const lines: Buffer[] = []
  let start = 0
  while (start < body.length && lines.length <= maxEvents) {
    let end = body.indexOf(NEWLINE, start)
    if (end === -1) end = body.length
    const stop = end > start && body[end - 1] === CARRIAGE_RETURN ? end - 1 : end
    if (!isBlank(body, start, stop)) lines.push(body.subarray(start, stop))
    start = end + 1
  }
  return lines
}

/**
 * The events of a JSON body: its elements where it is an array, itself otherwise; none where it is blank.
 * What stands behind the array, and an element that never ends, come back as events that cannot be read.
 *
 *   [ {"a":1} , {"b":[2,3]} ] x        commas at depth 1 separate; strings are skipped whole
 *     ───────   ───────────   ─
 */
export function splitJson(body: Buffer, maxEvents: number): Buffer[] {
  const start = skipSpace(body, 0)
  if (start === body.length) return []
  if (body[start] !== 0x5b) return [trimmed(body, start, body.length)]
  const elements: Buffer[] = []
  let depth = 1
  let from = start + 1
  let index = from
  for (; index < body.length && depth > 0; index++) {
    switch (body[index]) {
      case 0x22:
        index = endOfString(body, index)
        break
      case 0x5b:
      case 0x7b:
        depth++
        break
      case 0x5d:
      case 0x7d:
        depth--
        break
      case 0x2c:
        if (depth === 1) {
          elements.push(trimmed(body, from, index))
          from = index + 1
          if (elements.length > maxEvents) return elements
        }
        break
    }
  }
  const last = trimmed(body, from, depth === 0 ? index - 1 : body.length)
  if (last.length > 0 || elements.length > 0) elements.push(last)
  if (depth > 0 && last.length === 0 && elements.length === 0) return [body]
  const behind = trimmed(body, Math.min(index, body.length), body.length)
  if (depth === 0 && behind.length > 0) elements.push(behind)
  return elements
}

function endOfString(body: Buffer, start: number): number {
  for (let index = start + 1; index < body.length; index++) {
    const byte = body[index]
    if (byte === 0x5c) index++
    else if (byte === 0x22) return index
  }
  return body.length
}

function isSpace(byte: number | undefined): boolean {
  return byte === 0x20 || byte === 0x09 || byte === NEWLINE || byte === CARRIAGE_RETURN
}

function isBlank(body: Buffer, start: number, end: number): boolean {
  for (let index = start; index < end; index++) if (!isSpace(body[index])) return false
  return true
}

function skipSpace(body: Buffer, start: number): number {
  let index = start
  while (index < body.length && isSpace(body[index])) index++
  return index
}

function trimmed(body: Buffer, start: number, end: number): Buffer {
  let from = start
  let to = end
  while (from < to && isSpace(body[from])) from++
  while (to > from && isSpace(body[to - 1])) to--
  return body.subarray(from, to)
}
