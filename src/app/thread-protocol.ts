// What the main thread and a task thread say to each other. Views and alerts have a port of their own.

import type { MessagePort } from 'node:worker_threads'
import type { DatabaseAddress } from '../adapters/postgres/address.ts'
import type { EpochMs } from '../kernel/time.ts'
import type { RuleFailure } from '../rules/rule-set.ts'
import type { BatchCounts } from '../streams/batch.ts'
import type { TaskStatus } from '../streams/task-runner.ts'
import type { Settings } from './settings.ts'

export interface TaskThreadData {
  readonly thread: number
  readonly threads: number
  readonly settings: Settings
  /** Simulated fleets run in this program. */
  readonly simulated: boolean
  readonly database: DatabaseAddress
  readonly viewPort: MessagePort
}

/** What happened since the report before. */
export interface TaskReport {
  readonly type: 'report'
  /** Somebody has said which partitions are ours, if it was none. */
  readonly assigned: boolean
  readonly tasks: readonly TaskStatus[]
  readonly counts: readonly { readonly topic: string; readonly counts: Readonly<BatchCounts> }[]
  readonly batchEvents: readonly number[]
  readonly checkpointMs: readonly number[]
  readonly referenceProblems: readonly { readonly name: string; readonly message: string }[]
  readonly ruleFailures: readonly RuleFailure[]
  readonly atMs: EpochMs
}

export type FromTaskThread = TaskReport | { readonly type: 'stopped' }

export type ToTaskThread =
  | { readonly type: 'stop' }
  | { readonly type: 'show-all' }
  | { readonly type: 'refresh' }
