// What every view store must do, whatever it is made of. An adapter's test calls this once.

import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { type Alert, UNHANDLED } from './alert.ts'
import type { FeedMessage, ViewEntry, Views } from './views.ts'

export interface ViewsUnderTest {
  readonly views: Views
  /** Resolves once everything published so far has reached the store and its subscribers. */
  settle(): Promise<void>
  close(): Promise<void>
}

export function entryOf(
  key: string,
  offset: number,
  more: Partial<Omit<ViewEntry, 'version'>> & { readonly clockMs?: number } = {},
): ViewEntry {
  const { clockMs = 0, ...fields } = more
  const version = { partition: 0, offset, clockMs }
  return { view: 'things', key, tenantId: 'default', json: `{"at":${offset}}`, ...fields, version }
}

export function alertOf(id: string, more: Partial<Alert> = {}): Alert {
  const position = { topic: 'truck-readings', partition: 0, offset: 1 }
  return {
    id,
    tenantId: 'default',
    rule: 'temperature-excursion',
    ruleVersion: 1,
    severity: 'major',
    entityType: 'truck',
    entityId: 'T-1',
    status: 'firing',
    startsAtMs: 1_000,
    endsAtMs: null,
    updatedAtMs: 1_000,
    revision: 1,
    summary: 'Too warm',
    labels: {},
    value: { temperatureC: 8 },
    peak: { temperatureC: 8 },
    count: 1,
    withdrawn: false,
    position,
    changedBy: position,
    receivedAtMs: 1_000,
    ...more,
  }
}

export function viewsContract(name: string, open: () => Promise<ViewsUnderTest>): void {
  const check = (sentence: string, body: (subject: ViewsUnderTest) => Promise<void>): void => {
    it(sentence, async () => {
      const subject = await open()
      try {
        await body(subject)
      } finally {
        await subject.close()
      }
    })
  }

  describe(`views: ${name}`, () => {
    check('a put is read back, JSON unchanged', async ({ views, settle }) => {
      await views.put([entryOf('a', 1, { json: '{"x": 1 }' })])
      await settle()
      assert.equal((await views.get('things', 'a', 'default'))?.json, '{"x": 1 }')
      assert.equal(await views.get('things', 'b', 'default'), undefined)
      assert.equal(await views.get('others', 'a', 'default'), undefined)
    })

    check('one key of two tenants is two entities', async ({ views, settle }) => {
      await views.put([entryOf('a', 5), entryOf('a', 3, { tenantId: 'other' })])
      await views.publishAlerts([alertOf('1'), alertOf('2', { tenantId: 'other' })])
      await settle()
      assert.equal((await views.get('things', 'a', 'default'))?.json, '{"at":5}')
      assert.equal((await views.get('things', 'a', 'other'))?.json, '{"at":3}')
      assert.equal((await views.list('things', 'other')).length, 1)
      assert.equal((await views.list('things')).length, 2)
      assert.deepEqual(
        (await views.openAlerts('other')).map(({ id }) => id),
        ['2'],
      )
    })

    check('keys and names may hold anything', async ({ views, settle }) => {
      const key = 'a\n"\0é/*%d'
      await views.put([entryOf(key, 1, { tenantId: 'ten ant\n1', json: '{"é":"\\n"}' })])
      await settle()
      assert.equal((await views.get('things', key, 'ten ant\n1'))?.json, '{"é":"\\n"}')
    })

    check('many entries go in one call', async ({ views, settle }) => {
      const entries = Array.from({ length: 2_500 }, (_, index) => entryOf(`k${index}`, index))
      await views.put(entries)
      await settle()
      assert.equal((await views.list('things')).length, 2_500)
    })

    check('an older put and a repeated put change nothing', async ({ views, settle }) => {
      await views.put([entryOf('a', 5), entryOf('a', 4), entryOf('a', 5, { json: '{"no":1}' })])
      await settle()
      assert.equal((await views.get('things', 'a', 'default'))?.json, '{"at":5}')
    })

    check('at the same offset the later tick wins', async ({ views, settle }) => {
      await views.put([entryOf('a', 5, { clockMs: 10 })])
      await views.put([entryOf('a', 5, { clockMs: 20, json: '{"silent":true}' })])
      await views.put([entryOf('a', 5, { clockMs: 15, json: '{"no":1}' })])
      await settle()
      assert.equal((await views.get('things', 'a', 'default'))?.json, '{"silent":true}')
    })

    check('a list is ordered by key and leaves out what is gone', async ({ views, settle }) => {
      await views.put([entryOf('c', 1), entryOf('a', 2), entryOf('b', 3)])
      await views.put([entryOf('b', 4, { json: null })])
      await settle()
      const keys = (await views.list('things')).map((entry) => entry.key)
      assert.deepEqual(keys, ['a', 'c'])
      assert.equal(await views.get('things', 'b', 'default'), undefined)
    })

    check('an older put does not bring back what is gone, a newer one does', async (subject) => {
      const { views, settle } = subject
      await views.put([entryOf('a', 5, { json: null }), entryOf('a', 3)])
      await settle()
      assert.equal((await views.list('things')).length, 0)
      await views.put([entryOf('a', 6)])
      await settle()
      assert.equal((await views.list('things')).length, 1)
    })

    check('subscribers hear what was applied, in order, and nothing else', async (subject) => {
      const { views, settle } = subject
      const heard: FeedMessage[] = []
      const stop = views.subscribe((messages) => heard.push(...messages))
      await views.put([entryOf('a', 2), entryOf('a', 1), entryOf('b', 1)])
      await settle()
      stop()
      await views.put([entryOf('c', 1)])
      await settle()
      const keys = heard.map((message) => message.type === 'entity' && message.entry.key)
      assert.deepEqual(keys, ['a', 'b'])
    })

    check('messages are numbered, and the position is that of the newest', async (subject) => {
      const { views, settle } = subject
      const heard: number[] = []
      views.subscribe((_, { sequence }) => heard.push(sequence))
      await views.put([entryOf('a', 1)])
      await views.put([entryOf('a', 1)])
      await views.publishAlerts([alertOf('1')])
      await settle()
      assert.ok(heard.length === 2 || heard.length === 1, `${heard.length} calls`)
      assert.deepEqual(
        heard,
        [...new Set(heard)].sort((a, b) => a - b),
      )
      assert.equal(views.position().sequence, heard.at(-1))
    })

    check('what people did is told, and told only', async ({ views, settle }) => {
      const heard: FeedMessage[] = []
      views.subscribe((messages) => heard.push(...messages))
      const handling = {
        ...UNHANDLED,
        acknowledgedAt: '2026-01-01T00:00:00Z',
        acknowledgedBy: 'a',
        assignee: null,
      }
      const alert = {
        id: '1',
        tenantId: 'default',
        isResolved: false,
        json: '{"id":"1"}',
        handling,
      }
      await views.publishHandling(alert)
      await settle()
      assert.deepEqual(heard, [{ type: 'handled', alert }])
      assert.deepEqual(await views.openAlerts(), [])
    })

    check('an alert is open until it resolves, and a repeat is told once', async (subject) => {
      const { views, settle } = subject
      const heard: FeedMessage[] = []
      views.subscribe((messages) => heard.push(...messages))
      await views.publishAlerts([alertOf('1'), alertOf('2', { status: 'pending' })])
      await views.publishAlerts([alertOf('1')])
      await settle()
      assert.deepEqual((await views.openAlerts()).map((alert) => alert.id).sort(), ['1', '2'])
      await views.publishAlerts([alertOf('1', { revision: 2, status: 'resolved', endsAtMs: 9 })])
      await views.publishAlerts([alertOf('1')])
      await settle()
      assert.deepEqual(
        (await views.openAlerts()).map((alert) => alert.id),
        ['2'],
      )
      assert.equal(heard.length, 3)
    })
  })
}
