// How the API lists and changes channels; the program gives what does so. Secrets go in and never come out.

import type { Result } from '../kernel/result.ts'
import type { EpochMs } from '../kernel/time.ts'
import type { ChannelKind } from '../ports/message.ts'

export interface ShownChannel {
  readonly name: string
  readonly kind: ChannelKind
  /** E-mail address; of a web address no more than the server. */
  readonly to: string
  readonly signed: boolean
  readonly allowPrivateAddress: boolean
  readonly zone: string
  readonly quietHours: { readonly from: string; readonly to: string } | null
  /** Where it is changed: only `api` here. */
  readonly source: 'built-in' | 'file' | 'api'
  readonly updatedAtMs: EpochMs | null
  readonly updatedBy: string | null
}

/** What is not given stays as it is; null takes it away. */
export interface ChannelChange {
  readonly kind: ChannelKind
  readonly to?: string | null
  readonly url?: string | null
  readonly secret?: string | null
  readonly allowPrivateAddress?: boolean
  readonly zone?: string | null
  readonly quietHours?: { readonly from: string; readonly to: string } | null
}

export interface ChannelDesk {
  list(): Promise<{ readonly channels: readonly ShownChannel[]; readonly problem: string | null }>
  /** Problems in words, none of which repeats a secret. */
  save(
    name: string,
    change: ChannelChange,
    by: string,
  ): Promise<Result<ShownChannel, 'in-file' | 'full' | readonly string[]>>
  /** Signs what goes to a webhook from now on; resolves with what its receiver checks by. */
  sign(name: string, by: string): Promise<Result<string, 'unknown' | 'in-file' | 'no-webhook'>>
  remove(name: string): Promise<'removed' | 'unknown' | 'in-file'>
}
