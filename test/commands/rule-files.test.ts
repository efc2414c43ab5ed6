// Rules of an operator on a running program: from files that change under it, and through the API.

import assert from 'node:assert/strict'
import { mkdirSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'
import { startProgram, temporaryDataDir } from '../program.ts'
import { until } from '../waiting.ts'

const TOPIC = 'vehicle-telemetry'

interface Rule {
  readonly name: string
  readonly version: number
  readonly source: string
  readonly enabled: boolean
  readonly condition: string | null
}

interface RuleList {
  readonly items: readonly Rule[]
  readonly problems: readonly { readonly file: string; readonly message: string; line: number }[]
}

const rule = (name: string, limit: number, more = ''): string =>
  `name: ${name}\ntopic: ${TOPIC}\nwhen: event.speedKmh > ${limit}\nseverity: minor\nsummary: fast\n${more}`

test('rules come, change and go by file and through the API, while the program runs', async (t) => {
  const dataDir = temporaryDataDir(t)
  const folder = join(dataDir, 'rules')
  mkdirSync(folder, { recursive: true })
  const file = (name: string, text: string): void => writeFileSync(join(folder, name), text)
  file('fleet.yaml', rule('from-file', 90))
  const program = await startProgram(dataDir)
  t.after(() => program.kill())
  const { address } = program

  const list = async (): Promise<RuleList> =>
    JSON.parse(await (await fetch(`${address}/api/v1/rules`)).text())
  const find = async (name: string): Promise<Rule | undefined> =>
    (await list()).items.find((each) => each.name === name)
  const send = (method: string, name: string, text?: string): Promise<Response> =>
    fetch(`${address}/api/v1/rules/${name}`, {
      method,
      ...(text === undefined
        ? {}
        : { headers: { 'content-type': 'application/json' }, body: JSON.stringify({ text }) }),
    })
  const detailOf = async (response: Response): Promise<readonly [number, string]> => {
    const problem: { readonly detail: string } = JSON.parse(await response.text())
    return [response.status, problem.detail]
  }

  await t.test('a file that was there at the start is in force', async () => {
    const found = await find('from-file')
    assert.deepEqual([found?.source, found?.version, found?.enabled], ['fleet.yaml', 1, true])
  })

  await t.test('a changed file is a new version, without a restart', async () => {
    file('fleet.yaml', rule('from-file', 95))
    await until('version 2', async () => (await find('from-file'))?.version === 2)
    assert.equal((await find('from-file'))?.condition, 'event.speedKmh > 95')
  })

  await t.test(
    'a broken file is named with line and column, and leaves in force what was',
    async () => {
      file('fleet.yaml', rule('from-file', 99).replace('speedKmh', 'speedMph'))
      await until('the problem', async () => (await list()).problems.length === 1)
      const { problems } = await list()
      assert.deepEqual([problems[0]?.file, problems[0]?.line], ['fleet.yaml', 3])
      assert.match(problems[0]?.message ?? '', /event\.speedMph does not exist/)
      assert.equal((await find('from-file'))?.version, 2)
      file('fleet.yaml', rule('from-file', 95))
      await until('no problem', async () => (await list()).problems.length === 0)
    },
  )

  await t.test(
    'a built-in rule is switched off by a file, and an unknown one is a problem',
    async () => {
      file(
        'off.yaml',
        'name: engine-stress\ndisabled: true\n---\nname: engine-stres\ndisabled: true\n',
      )
      await until('switched off', async () => (await find('engine-stress'))?.enabled === false)
      const { problems } = await list()
      assert.match(
        problems[0]?.message ?? '',
        /^there is no rule engine-stres to switch off; there are /,
      )
      rmSync(join(folder, 'off.yaml'))
      await until('switched on', async () => (await find('engine-stress'))?.enabled === true)
      assert.deepEqual((await list()).problems, [])
    },
  )

  await t.test('a rule that is put fires on the next events', async () => {
    const response = await send('PUT', 'from-api', rule('from-api', 50))
    assert.equal(response.status, 200, await response.text())
    const events = `${address}/api/v1/events/${TOPIC}`
    const recordedAt = new Date().toISOString()
    await until('an alert of it', async () => {
      await fetch(events, {
        method: 'POST',
        headers: { 'content-type': 'application/json' },
        body: JSON.stringify({ vehicleId: 'V', recordedAt, speedKmh: 80 }),
      })
      const found = await fetch(`${address}/api/v1/alerts?rule=from-api`)
      const page: { readonly items: readonly unknown[] } = JSON.parse(await found.text())
      return page.items.length === 1
    })
  })

  await t.test('what does not fit is refused, with what is wrong with it', async () => {
    const bad = await detailOf(await send('PUT', 'from-api', rule('from-api', 50, 'for: soon\n')))
    assert.equal(bad[0], 400)
    assert.match(bad[1], /line 6, column 6/)
    const [status, detail] = await detailOf(await send('PUT', 'from-api', rule('other', 50)))
    assert.deepEqual(
      [status, detail],
      [400, 'The text must hold one rule, of the name from-api; found other.'],
    )
    const conflict = await detailOf(await send('PUT', 'from-file', rule('from-file', 1)))
    assert.equal(conflict[0], 409)
    assert.match(conflict[1], /defined in the file fleet\.yaml/)
    assert.equal((await find('from-api'))?.version, 1)
  })

  await t.test('nothing can be switched off that there is not', async () => {
    const [status, detail] = await detailOf(
      await send('PUT', 'high-sped', 'name: high-sped\ndisabled: true\n'),
    )
    assert.equal(status, 404)
    assert.match(
      detail,
      /^There is no built-in rule high-sped to switch off; there are .*high-speed/,
    )
    assert.equal(await find('high-sped'), undefined)
    const written = await detailOf(
      await send('PUT', 'from-api', 'name: from-api\ndisabled: true\n'),
    )
    assert.equal(written[0], 404)
    assert.equal((await find('from-api'))?.enabled, true, 'it is as it was')
  })

  await t.test('taken back, a rule is gone, and a built-in one is as it came', async () => {
    assert.equal((await send('PUT', 'high-speed', rule('high-speed', 100))).status, 200)
    assert.equal((await find('high-speed'))?.source, 'api')
    assert.equal((await send('DELETE', 'high-speed')).status, 204)
    assert.equal((await find('high-speed'))?.source, 'built-in')
    assert.equal((await send('DELETE', 'from-api')).status, 204)
    assert.equal(await find('from-api'), undefined)
    assert.equal((await send('DELETE', 'from-api')).status, 404)
  })

  await t.test('what a rule was stays readable: its versions, with who wrote them', async () => {
    const response = await send('GET', 'high-speed')
    const detail: { readonly versions: readonly Rule[] } = JSON.parse(await response.text())
    assert.deepEqual(
      detail.versions.map(({ version, source }) => [version, source]),
      [
        [3, 'built-in'],
        [2, 'api'],
        [1, 'built-in'],
      ],
    )
  })
})
