// Channels as the API manages them: those of the file are shown, those of the store are changed too.

import { isIP } from 'node:net'
import { isPublicAddress } from '../adapters/webhooks/public-address.ts'
import type { ChannelChange, ChannelDesk, ShownChannel } from '../api/channel-desk.ts'
import { failed, ok } from '../kernel/result.ts'
import type { ChannelStore, StoredChannel } from '../ports/channel-store.ts'
import type { ChannelBook } from '../workflows/messages/channel-book.ts'
import { type Channel, INBOX, parseChannel } from '../workflows/messages/channels.ts'

export interface ChannelDeskOptions {
  readonly book: ChannelBook
  readonly store: ChannelStore
  /** 256 bits by chance, as base64url. */
  readonly newSecret: () => string
}

export function createChannelDesk({ book, store, newSecret }: ChannelDeskOptions): ChannelDesk {
  const storedOf = async (name: string): Promise<StoredChannel | undefined> => {
    await book.reload()
    return book.stored.find((each) => each.name === name)
  }
  return {
    async list() {
      await book.reload()
      const channels = [...book.table.values()].map((channel) => shown(channel, book))
      return { channels, problem: book.problem }
    },
    async save(name, change, by) {
      const before = await storedOf(name)
      if (book.ofFile.has(name)) return failed('in-file')
      const document = changed(Object(before?.document), change)
      const parsed = parseChannel({ ...document, name })
      if (!parsed.ok) return failed(parsed.error)
      const inside = insideOf(parsed.value)
      if (inside !== null) return failed([inside])
      if (!(await store.save({ name, document, updatedBy: by }))) return failed('full')
      await book.reload()
      return ok(shown(parsed.value, book))
    },
    async sign(name, by) {
      const before = await storedOf(name)
      if (book.ofFile.has(name)) return failed('in-file')
      if (before === undefined) return failed('unknown')
      const known: Record<string, unknown> = Object(before.document)
      if (known.kind !== 'webhook') return failed('no-webhook')
      const secret = `whsec_${Buffer.from(newSecret(), 'base64url').toString('base64')}`
      await store.save({ name, document: { ...known, secret }, updatedBy: by })
      return ok(secret)
    },
    async remove(name) {
      await book.reload()
      if (book.ofFile.has(name)) return 'in-file'
      return (await store.remove(name)) ? 'removed' : 'unknown'
    },
  }
}

/** What belongs to another kind of channel does not stay. */
function changed(
  before: Readonly<Record<string, unknown>>,
  change: ChannelChange,
): Record<string, unknown> {
  const isSameKind = before.kind === change.kind
  const { name: _, ...kept } = isSameKind
    ? before
    : { zone: before.zone, quietHours: before.quietHours }
  const all: Record<string, unknown> = { ...kept, ...change }
  return Object.fromEntries(
    Object.entries(all).filter(([, value]) => value !== undefined && value !== null),
  )
}

/** A name is judged when it is looked up; an address can be judged at once. */
function insideOf({ kind, address, allowPrivateAddress }: Channel): string | null {
  if (kind === 'email' || kind === 'inbox' || allowPrivateAddress) return null
  const host = new URL(address).hostname.replace(/^\[|\]$/g, '')
  if (isIP(host) === 0 || isPublicAddress(host)) return null
  return `url leads to ${host}, which is not on the public internet; allowPrivateAddress allows it`
}

function shown(channel: Channel, book: ChannelBook): ShownChannel {
  const { name, kind, address, secret, allowPrivateAddress, zone, quietHours } = channel
  const stored = book.ofFile.has(name) ? undefined : book.stored.find((each) => each.name === name)
  const isWeb = kind !== 'email' && kind !== 'inbox'
  return {
    name,
    kind,
    to: isWeb ? `${new URL(address).origin}/…` : address,
    signed: secret !== null,
    allowPrivateAddress,
    zone,
    quietHours: quietHours === null ? null : { from: quietHours.from, to: quietHours.to },
    source: channel === INBOX ? 'built-in' : stored === undefined ? 'file' : 'api',
    updatedAtMs: stored?.updatedAtMs ?? null,
    updatedBy: stored?.updatedBy ?? null,
  }
}
