import { deepEqual, equal, ok, rejects } from 'node:assert/strict'
import { test } from 'node:test'
import { testPostgres } from '../../../test/postgres-server.ts'
import { connectDatabase } from './database.ts'

test('parameters and values keep their types', async (t) => {
  const { database } = await testPostgres(t)
  const rows = await database.query(
    'SELECT $1::text AS text, $2::int AS number, $3::boolean AS flag, $4::timestamptz AS at, $5::text[] AS list, $6::text AS nothing',
    ['東京', 7, true, new Date(1_767_571_200_123), ['a', 'b"c'], null],
  )
  deepEqual(rows, [
    {
      text: '東京',
      number: 7,
      flag: true,
      at: new Date(1_767_571_200_123),
      list: ['a', 'b"c'],
      nothing: null,
    },
  ])
})

test('a statement that runs too long is given up, and may be tried again', async (t) => {
  const { address } = await testPostgres(t)
  const database = connectDatabase({ address, statementTimeoutMs: 100 })
  t.after(() => database.close())
  await rejects(database.query('SELECT pg_sleep(20)'), {
    code: 'database-unavailable',
    retry: 'later',
  })
  deepEqual(await database.query('SELECT 1 AS one'), [{ one: 1 }])
})

test('a wrong statement is refused for good, and says what was tried', async (t) => {
  const { database } = await testPostgres(t)
  await rejects(database.query('SELECT wrong FROM nowhere'), {
    code: 'database-failed',
    retry: 'never',
    message: 'Cannot run "SELECT wrong FROM nowhere": the database refused.',
  })
})

test('a server that is not there is worth another try', async () => {
  const database = connectDatabase({
    address: { connectionString: 'postgresql://nobody@127.0.0.1:1/nothing' },
  })
  await rejects(database.query('SELECT 1'), { code: 'database-unavailable', retry: 'later' })
  await database.close()
})

test('a large answer streams in batches, in order', async (t) => {
  const { database } = await testPostgres(t)
  for (const [count, batchRows, sizes] of [
    [25, 10, [10, 10, 5]],
    [20, 10, [10, 10]],
    [0, 10, []],
  ] as const) {
    const batches: number[][] = []
    const sql = 'SELECT n FROM generate_series(1, $1::int) AS n ORDER BY n'
    for await (const rows of database.stream(sql, [count], { batchRows })) {
      batches.push(rows.map((row) => Number(row.n)))
    }
    deepEqual(
      batches.map((batch) => batch.length),
      sizes,
    )
    deepEqual(
      batches.flat(),
      Array.from({ length: count }, (_, index) => index + 1),
    )
  }
})

test('a stream that ends early leaves no transaction open, and no connection lost', async (t) => {
  const { address, database: observer } = await testPostgres(t)
  const database = connectDatabase({ address, maxConnections: 2 })
  t.after(() => database.close())
  const sql = 'SELECT n FROM generate_series(1, 1000000) AS n'
  for (let time = 0; time < 6; time++) {
    for await (const rows of database.stream(sql, [], { batchRows: 100 })) {
      equal(rows.length, 100)
      break
    }
  }
  const failing = async (): Promise<void> => {
    for await (const _ of database.stream(sql, [], { batchRows: 100 })) throw new Error('enough')
  }
  for (let time = 0; time < 3; time++) await rejects(failing(), { message: /enough|Cannot read/ })
  await rejects(
    (async () => {
      for await (const _ of database.stream('SELECT 1 / 0', [], { batchRows: 1 })) ok(false)
    })(),
    { code: 'database-failed' },
  )
  deepEqual(await database.query('SELECT 1 AS one'), [{ one: 1 }])
  const open = async (): Promise<number> => {
    const rows = await observer.query(
      `SELECT count(*)::int AS open FROM pg_stat_activity
       WHERE datname = current_database() AND state LIKE 'idle in transaction%'`,
    )
    return Number(rows[0]?.open)
  }
  for (let tries = 0; (await open()) > 0; tries++) ok(tries < 200, 'a transaction stays open')
})

test('answers are in UTC whatever the server is set to', async (t) => {
  const { database } = await testPostgres(t)
  const rows = await database.query("SELECT current_setting('TimeZone') AS zone")
  deepEqual(rows, [{ zone: 'UTC' }])
})
