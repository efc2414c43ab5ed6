// What a log and its writer thread say to each other, and what the writer tells every reader.

import type { PlatformErrorCode } from '../../kernel/errors.ts'
import type { EpochMs } from '../../kernel/time.ts'
import type { TopicEntry } from './store.ts'

export interface WriterSettings {
  readonly directory: string
  readonly channel: string
  /** Most bytes of live pages; undefined where only the disk limits. */
  readonly maxBytes: number | undefined
}

export interface AppendPart {
  readonly topicId: number
  readonly partition: number
  readonly count: number
  readonly chunk: Uint8Array<ArrayBuffer>
}

export type WriterCommand =
  | { readonly kind: 'append'; readonly parts: readonly AppendPart[] }
  | { readonly kind: 'ensure-topic'; readonly topic: string; readonly partitions: number }
  | {
      readonly kind: 'retain'
      readonly topicId: number
      readonly partition: number
      readonly keepFromOffset: number
      readonly olderThanMs: EpochMs
      readonly maxBytes: number
    }
  | { readonly kind: 'close' }

export interface WriterRequest {
  readonly id: number
  readonly command: WriterCommand
}

export type WriterAnswer =
  | { readonly kind: 'done' }
  | { readonly kind: 'topic'; readonly entry: TopicEntry }
  | { readonly kind: 'retained'; readonly startOffset: number; readonly more: boolean }
  | WriterRefusal

export interface WriterRefusal {
  readonly kind: 'refused'
  readonly code: PlatformErrorCode
  readonly retry: 'never' | 'later'
  readonly message: string
  readonly details: Readonly<Record<string, unknown>>
  readonly cause: unknown
}

export interface WriterReply {
  readonly id: number
  readonly answer: WriterAnswer
  /** Of the chunks that came with the request, for others. */
  readonly memory: readonly ArrayBuffer[]
}

/** Told to every thread of the process that has the log open. A log that is opened asks who writes; each writer answers. */
export type LogNews =
  | { readonly kind: 'who-writes' }
  | { readonly kind: 'writer-open' }
  | { readonly kind: 'writer-closed' }
  | { readonly kind: 'appended'; readonly ends: readonly PartitionEnd[] }
  | { readonly kind: 'failed'; readonly cause: unknown }

export interface PartitionEnd {
  readonly topicId: number
  readonly partition: number
  readonly endOffset: number
}
