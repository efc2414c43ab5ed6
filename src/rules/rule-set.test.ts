import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { Episode } from '../streams/episode.ts'
import type { KeyContext } from '../streams/pipeline.ts'
import type { RuleDefinition } from './definition.ts'
import { copyRuns, MAX_RUNS, openEpisodesOf, type RuleRuns, RuleSet } from './rule-set.ts'

const base: RuleDefinition = {
  name: 'too-warm',
  version: 3,
  topic: 'readings',
  entityType: 'box',
  when: 'event.temperatureC > 7.0',
  severity: 'major',
  fields: ['temperatureC', 'zone'],
  labels: { team: 'cold' },
  summary: '{temperatureC} °C in {zone}',
  description: '',
}

const LEVELS = (['critical', 'major', 'warning'] as const).map((severity) => ({
  severity,
  when: `derived.gravity == "${severity}"`,
}))

interface Told {
  readonly at: number
  readonly what: 'opened' | 'changed' | 'resolved'
  readonly episode: Episode
}

/** Feeds events of one key to one rule; times are in seconds. */
function watch(rule: Partial<RuleDefinition>, ...more: readonly Partial<RuleDefinition>[]) {
  const definitions = [rule, ...more].map((each) => ({ ...base, ...each }))
  const rules = new RuleSet(definitions, {
    event: { temperatureC: 'number', zone: 'text', doorOpen: 'flag' },
    derived: { gravity: 'text' },
  }).checked()
  const runs: RuleRuns = []
  const told: Told[] = []
  let atMs = 0
  const context: KeyContext = {
    key: 'box-1',
    tenantId: 'default',
    get eventTimeMs() {
      return atMs
    },
    offset: 0,
    reference: () => undefined,
    broadcast: () => undefined,
    setTimer() {},
    clearTimer() {},
    put() {},
    effect() {},
    openEpisode: (episode) =>
      told.push({ at: atMs / 1_000, what: 'opened', episode: { ...episode } }),
    publishEpisode(episode) {
      const what = episode.status === 'resolved' ? 'resolved' : 'changed'
      told.push({ at: atMs / 1_000, what, episode: { ...episode } })
    },
  }
  const feed = (
    at: number,
    event: { temperatureC?: number | null; zone?: string; doorOpen?: boolean | null },
    derived: { gravity?: string } = {},
  ): void => {
    atMs = at * 1_000
    const whole = { temperatureC: null, zone: null, doorOpen: null, ...event }
    rules.onEvent(runs, { event: whole, derived: { gravity: null, ...derived } }, context)
  }
  const warm = (at: number, temperatureC: number): void => feed(at, { temperatureC })
  const story = () => told.map(({ at, what }) => `${at} ${what}`)
  return { runs, told, feed, warm, story, rules }
}

test('the first event that shows the condition opens an alert, further ones open no other', () => {
  const { warm, told, story } = watch({})
  warm(0, 5)
  warm(10, 8)
  warm(20, 8)
  warm(30, 5)
  assert.deepEqual(story(), ['10 opened', '20 changed', '30 resolved'])
  const { id: _, ...opened } = told[0]?.episode ?? assert.fail()
  assert.deepEqual(opened, {
    rule: 'too-warm',
    ruleVersion: 3,
    entityType: 'box',
    entityId: 'box-1',
    instance: '',
    status: 'firing',
    severity: 'major',
    startsAtMs: 10_000,
    endsAtMs: null,
    updatedAtMs: 10_000,
    summary: '8 °C in –',
    labels: { team: 'cold' },
    value: { temperatureC: 8, zone: null },
    peak: { temperatureC: 8, zone: null },
    peakScore: 0,
    count: 1,
    openedBy: 0,
    closedBy: null,
  })
  const last = told[2]?.episode
  assert.deepEqual([last?.status, last?.endsAtMs, last?.count], ['resolved', 30_000, 2])
})

test('what holds, though not yet for long or often enough, is pending', () => {
  const lasting = watch({ forMs: 20_000 })
  lasting.warm(0, 8)
  lasting.warm(10, 8)
  const about = {
    ...{ rule: 'too-warm', ruleVersion: 3, severity: 'major', entityType: 'box', instance: '' },
    value: { temperatureC: 8, zone: null },
  }
  assert.deepEqual(lasting.rules.pending(lasting.runs), [
    { ...about, sinceMs: 0, firesAtMs: 20_000, seen: 2, needed: null },
  ])
  lasting.warm(20, 8)
  assert.deepEqual(lasting.rules.pending(lasting.runs), [], 'it fires')
  const counting = watch({ count: 3, withinMs: 60_000 })
  counting.warm(5, 8)
  assert.deepEqual(counting.rules.pending(counting.runs), [
    { ...about, sinceMs: 5_000, firesAtMs: null, seen: 1, needed: 3 },
  ])
  counting.warm(70, 5)
  assert.deepEqual(counting.rules.pending(counting.runs), [])
})

test('with a duration the condition must hold for so long without a break', () => {
  const { warm, told, story, runs } = watch({ forMs: 20_000 })
  warm(0, 8)
  warm(19, 9)
  assert.deepEqual(story(), [])
  warm(19.5, 5)
  assert.deepEqual(runs, [])
  warm(30, 8)
  warm(40, 9)
  warm(50, 10)
  assert.deepEqual(story(), ['50 opened'])
  const { episode } = told[0] ?? assert.fail()
  assert.deepEqual([episode.startsAtMs, episode.count], [30_000, 3])
  assert.deepEqual(episode.value, { temperatureC: 8, zone: null })
  assert.deepEqual(episode.peak, { temperatureC: 10, zone: null })
})

test('an alert ends only after it has been over for so long, at the moment when that began', () => {
  const { warm, told, story } = watch({ keepFiringForMs: 60_000 })
  warm(0, 8)
  warm(10, 5)
  warm(40, 8)
  warm(50, 5)
  warm(109, 5)
  assert.deepEqual(story(), ['0 opened', '40 changed'])
  warm(110, 5)
  assert.deepEqual(story(), ['0 opened', '40 changed', '110 resolved'])
  assert.equal(told.at(-1)?.episode.endsAtMs, 50_000)
})

test('with a condition of its own for the end, the space between is neither', () => {
  const { warm, story } = watch({ resolveWhen: 'event.temperatureC < 6.0' })
  warm(0, 8)
  warm(10, 6.5)
  warm(20, 5.9)
  warm(30, 6.5)
  warm(40, 8)
  assert.deepEqual(story(), ['0 opened', '20 resolved', '40 opened'])
})

test('an event that shows both the condition and its end goes on with the alert', () => {
  const { warm, story } = watch({ resolveWhen: 'event.temperatureC > 0.0' })
  warm(0, 8)
  warm(10, 8)
  assert.deepEqual(story(), ['0 opened', '10 changed'])
})

test('what is finished ends its alert, though the condition still holds', () => {
  const { warm, story } = watch({ endWhen: 'event.temperatureC > 9.0' })
  warm(0, 8)
  warm(10, 9.5)
  warm(20, 8)
  warm(30, 6)
  warm(40, 10)
  assert.deepEqual(story(), [
    ...['0 opened', '10 changed', '10 resolved', '20 opened'],
    ...['30 resolved', '40 opened', '40 resolved'],
  ])
})

test('a worse event is told and becomes the peak, an equal one does not', () => {
  const { warm, told } = watch({ peak: 'event.temperatureC' })
  for (const [at, temperatureC] of [8, 9, 9, 8.5, 9.5].entries()) warm(at, temperatureC)
  assert.deepEqual(
    told.map(({ at, episode }) => [at, episode.peak.temperatureC, episode.summary]),
    [
      [0, 8, '8 °C in –'],
      [1, 9, '9 °C in –'],
      [3, 9, '9 °C in –'],
      [4, 9.5, '9.5 °C in –'],
    ],
  )
})

test('more of the same is told at every doubling only', () => {
  const { warm, told } = watch({})
  for (let at = 1; at <= 40; at++) warm(at, 8)
  assert.deepEqual(
    told.map(({ episode }) => episode.count),
    [1, 2, 4, 8, 16, 32],
  )
})

test('the gravest severity seen counts', () => {
  const { feed, told } = watch({ levels: LEVELS, severity: 'minor' })
  for (const [at, gravity] of ['none', 'warning', 'critical', 'major'].entries()) {
    feed(at, { temperatureC: 8 }, { gravity })
  }
  assert.deepEqual(
    told.map(({ at, episode }) => [at, episode.severity]),
    [
      [0, 'minor'],
      [1, 'minor'],
      [2, 'critical'],
      [3, 'critical'],
    ],
  )
})

test('instances of one key have alerts of their own', () => {
  const { feed, told, runs, story } = watch({ instanceField: 'zone' })
  feed(0, { temperatureC: 8, zone: 'front' })
  feed(1, { temperatureC: 9, zone: 'rear' })
  feed(2, { temperatureC: 5, zone: 'front' })
  assert.deepEqual(story(), ['0 opened', '1 opened', '2 resolved'])
  assert.deepEqual(
    told.map(({ episode }) => episode.labels),
    [
      { team: 'cold', zone: 'front' },
      { team: 'cold', zone: 'rear' },
      { team: 'cold', zone: 'front' },
    ],
  )
  assert.deepEqual(
    openEpisodesOf(runs).map(({ instance }) => instance),
    ['rear'],
  )
})

test('no key has more instances under watch than the limit', () => {
  const { feed, runs, told } = watch({ instanceField: 'zone' })
  for (let zone = 0; zone < MAX_RUNS + 10; zone++) feed(zone, { temperatureC: 8, zone: `z${zone}` })
  assert.equal(runs.length, MAX_RUNS)
  assert.equal(told.length, MAX_RUNS)
})

test('a condition that fails on an event counts as not holding there', () => {
  const { feed, story } = watch({ when: 'event.temperatureC > 7.0' })
  feed(0, { temperatureC: 8 })
  feed(1, { temperatureC: null })
  assert.deepEqual(story(), ['0 opened', '1 resolved'])
})

test('a condition for the end that fails on an event does not end the alert', () => {
  const { feed, story } = watch({ resolveWhen: 'event.temperatureC < 6.0' })
  feed(0, { temperatureC: 8 })
  feed(1, { temperatureC: null })
  feed(2, { temperatureC: 5 })
  assert.deepEqual(story(), ['0 opened', '2 resolved'])
})

test('rules do not disturb each other', () => {
  const { feed, told } = watch({}, { name: 'door', when: 'event.doorOpen == true', forMs: 5_000 })
  feed(0, { temperatureC: 8, doorOpen: true })
  feed(5, { temperatureC: 5, doorOpen: true })
  feed(6, { temperatureC: 5, doorOpen: false })
  assert.deepEqual(
    told.map(({ at, what, episode }) => `${at} ${episode.rule} ${what}`),
    ['0 too-warm opened', '5 too-warm resolved', '5 door opened', '6 door resolved'],
  )
})

test('a copy of the state shares nothing that changes', () => {
  const { warm, runs } = watch({ forMs: 10_000 }, { name: 'other' })
  warm(0, 8)
  const copy = copyRuns(runs)
  const before = JSON.stringify(copy)
  warm(10, 9)
  warm(20, 5)
  assert.equal(JSON.stringify(copy), before)
})

test('state that went through JSON goes on alike', () => {
  const stories = [false, true].map((stored) => {
    const { warm, runs, told } = watch({
      forMs: 5_000,
      keepFiringForMs: 5_000,
      peak: 'event.temperatureC',
    })
    for (const [at, temperatureC] of [8, 8, 9, 9, 9, 9, 5, 8, 5, 5, 5, 5, 5, 5].entries()) {
      warm(at, temperatureC)
      if (stored) runs.splice(0, runs.length, ...(JSON.parse(JSON.stringify(runs)) as RuleRuns))
    }
    return told
  })
  assert.deepEqual(stories[1], stories[0])
})

test('silence opens an alert that says since when', () => {
  const { when: _, ...silent } = base
  const summary = 'for {silentForS} s'
  const rules = new RuleSet(
    [{ ...silent, fields: [], noDataForMs: 600_000, summary }],
    {},
  ).checked()
  const [silence] = rules.silences((state: { goods: string }) => ({ goods: state.goods }))
  assert.equal(silence?.afterMs, 600_000)
  const episode = silence.describe({ goods: 'milk' }, { key: 'b', startsAtMs: 900_000, offset: 4 })
  assert.deepEqual(
    [episode?.startsAtMs, episode?.summary, episode?.labels, episode?.value],
    [
      900_000,
      'for 600 s',
      { team: 'cold', goods: 'milk' },
      { lastHeardMs: 300_000, silentForS: 600 },
    ],
  )
})
