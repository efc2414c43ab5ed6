import assert from 'node:assert/strict'
import { test } from 'node:test'
import { createEventParser, type StreamEvent } from './event-stream.ts'

function parsed(...pieces: readonly string[]): { events: StreamEvent[]; ids: string[] } {
  const events: StreamEvent[] = []
  const ids: string[] = []
  const parse = createEventParser(
    (event) => events.push(event),
    (id) => ids.push(id),
  )
  for (const piece of pieces) parse(piece)
  return { events, ids }
}

const STREAM =
  ': hello\n\nevent: entity\ndata: {"a":1}\n\nid: 7-3\nevent: alert\ndata: one\ndata: two\n\ndata:bare\r\n\r\n'
const EVENTS = [
  { event: 'entity', data: '{"a":1}' },
  { event: 'alert', data: 'one\ntwo' },
  { event: 'message', data: 'bare' },
]

test('events, comments and ids are told apart', () => {
  assert.deepEqual(parsed(STREAM), { events: EVENTS, ids: ['7-3'] })
})

test('a stream cut anywhere gives the same events', () => {
  for (let cut = 1; cut < STREAM.length; cut += 1) {
    const { events } = parsed(STREAM.slice(0, cut), STREAM.slice(cut))
    assert.deepEqual(events, EVENTS, `cut at ${cut}`)
  }
})

test('an event that has not ended is not told', () => {
  assert.deepEqual(parsed('event: alert\ndata: {}\n').events, [])
})
