// Where small statements come by the thousand, most of their price is planning them and waiting for answers that
// nobody reads: each is planned once for a connection, and the beginning of a transaction goes with what it begins.

import type pg from 'pg'

/** Different statements that one connection keeps; further ones are planned each time. */
const MAX_STATEMENTS = 500
/** What such a statement returns changes with its table, which a kept plan does not bear. */
const RETURNS_ALL = /(?:SELECT|RETURNING)\s+\*/i

const names = new Map<string, string>()

/** From now on, statements with parameters on the pool's connections are kept by them. */
export function prepareStatements(pool: pg.Pool): void {
  pool.on('connect', (client) => {
    const ask = client.query
    Object.assign(client, {
      query: (...given: readonly unknown[]): unknown => Reflect.apply(ask, client, named(given)),
    })
  })
}

/**
 * From now on, on the pool's pipelined connections, BEGIN counts as answered once it is sent. Where it fails, what
 * follows it on that connection fails too.
 */
export function joinBegin(pool: pg.Pool): void {
  pool.on('connect', (client) => {
    const ask = client.query
    Object.assign(client, {
      query(...given: readonly unknown[]): unknown {
        const isBegin = given.length === 1 && String(given[0]).startsWith('BEGIN')
        const answer: unknown = Reflect.apply(ask, client, given)
        if (!isBegin) return answer
        Promise.resolve(answer).catch(() => undefined)
        return Promise.resolve()
      },
    })
  })
}

function named(given: readonly unknown[]): readonly unknown[] {
  const [text, values, ...rest] = given
  if (typeof text !== 'string' || !Array.isArray(values) || values.length === 0) return given
  const name = nameOf(text)
  return name === null ? given : [{ name, text, values }, ...rest]
}

function nameOf(text: string): string | null {
  const known = names.get(text)
  if (known !== undefined) return known
  if (names.size >= MAX_STATEMENTS || RETURNS_ALL.test(text)) return null
  const name = `outrider_${names.size}`
  names.set(text, name)
  return name
}
