// What every transport of messages must do, whatever the other side does.

import assert from 'node:assert/strict'
import { describe, it, type TestContext } from 'node:test'
import { derivedId } from '../kernel/ids.ts'
import type { ChannelKind, MessageTransport, OutgoingMessage } from './message.ts'

export interface TransportUnderTest {
  readonly transport: MessageTransport
  readonly kind: ChannelKind
  readonly address: string
  /** How the other side answers from now on. */
  answer(with_: 'takes' | 'busy' | 'refuses'): void
  /** Of what it took, the id under which a receiver recognises a repeat. */
  readonly taken: () => readonly string[]
  /** Nobody answers there any more. */
  disappear(): Promise<void>
}

export function describeMessageTransport(
  name: string,
  open: (t: TestContext) => Promise<TransportUnderTest>,
): void {
  const message = ({ kind, address }: TransportUnderTest): OutgoingMessage => ({
    id: derivedId('message', name),
    kind,
    channel: 'under-test',
    address,
    severity: 'major',
    category: 'test',
    template: 'alerts',
    content: { subject: 'Hello', lines: ['A line.'], facts: [], actions: [] },
    about: null,
    createdAtMs: Date.UTC(2026, 0, 5),
  })

  describe(`${name} as a transport of messages`, () => {
    it('says that it was sent once the other side took it, under one id however often', async (t) => {
      const open_ = await open(t)
      for (let time = 0; time < 2; time++) {
        const delivery = await open_.transport.send(message(open_))
        assert.equal(delivery.outcome, 'sent')
        assert.notEqual(delivery.response, '')
      }
      assert.equal(open_.taken().length, 2)
      assert.equal(new Set(open_.taken()).size, 1)
    })

    it('tells what may pass from what never will', async (t) => {
      const open_ = await open(t)
      open_.answer('busy')
      assert.equal((await open_.transport.send(message(open_))).outcome, 'failed')
      open_.answer('refuses')
      assert.equal((await open_.transport.send(message(open_))).outcome, 'refused')
      open_.answer('takes')
      assert.equal((await open_.transport.send(message(open_))).outcome, 'sent')
    })

    it('never rejects: a receiver that is gone may come back', async (t) => {
      const open_ = await open(t)
      await open_.disappear()
      const delivery = await open_.transport.send(message(open_))
      assert.equal(delivery.outcome, 'failed')
      assert.notEqual(delivery.response, '')
    })
  })
}
