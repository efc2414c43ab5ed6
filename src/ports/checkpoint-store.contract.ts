// What every checkpoint store promises, as one suite that each adapter's own test runs against its real
// engine, and the simulation against its own.

import { deepEqual, equal, ok, rejects } from 'node:assert/strict'
import { describe, test } from 'node:test'
import fc from 'fast-check'
import { derivedId } from '../kernel/ids.ts'
import { DAY_MS, type EpochMs, HOUR_MS } from '../kernel/time.ts'
import type { Alert } from './alert.ts'
import type { ArchivedEvent, ArchiveRowMeta, ArchiveTable, EventFlag } from './archive.ts'
import type {
  Checkpoint,
  CheckpointStore,
  Claim,
  DeadLetter,
  JournalEntry,
  OutboxEntry,
  SnapshotEntry,
  TaskId,
  WindowResult,
} from './checkpoint-store.ts'
import type { RowChange, RowTable } from './row-table.ts'

export interface StoredWindow {
  readonly partition: number
  readonly result: WindowResult
}

/** The store's records as the rest of the program meets them, in whatever way it reads them. */
export interface StoredRecords {
  alert(id: string): Promise<Alert | undefined>
  /** Revisions of the alert's transitions, ordered. */
  revisions(alertId: string): Promise<readonly number[]>
  /** As an operator does it; undefined where the store keeps no such thing. */
  readonly acknowledge: ((alertId: string, by: string) => Promise<void>) | undefined
  acknowledgedBy(alertId: string): Promise<string | null>
  deadLetters(topic: string): Promise<readonly DeadLetter[]>
  outbox(kind: string): Promise<readonly OutboxEntry[]>
  windows(name: string): Promise<readonly StoredWindow[]>
  /** Rows of `contractRows` of one owner, ordered by name. */
  rows(owner: string): Promise<readonly ContractRow[]>
}

export interface StoreUnderTest {
  readonly store: CheckpointStore
  readonly records: StoredRecords
}

/** A durable row with one column of every type; the adapter's test makes its table. */
export interface ContractRow {
  readonly owner: string
  readonly name: string
  readonly seenAtMs: EpochMs
  readonly price: string | null
  readonly count: number | null
  readonly kept: string | null
  readonly items: unknown
}

export const contractRows: RowTable<ContractRow> = {
  name: 'contract_row',
  columns: [
    { name: 'owner', type: 'text' },
    { name: 'name', type: 'text' },
    { name: 'seen_at', type: 'timestamptz' },
    { name: 'price', type: 'numeric' },
    { name: 'count', type: 'int4' },
    { name: 'kept', type: 'text' },
    { name: 'items', type: 'jsonb' },
  ],
  keyColumns: 2,
  newestBy: 'seen_at',
  keptWhereNull: ['kept'],
  write(row, value) {
    row.text(value.owner)
    row.text(value.name)
    row.timestamp(value.seenAtMs)
    row.numeric(value.price)
    row.int4(value.count)
    row.text(value.kept)
    row.json(value.items)
  },
}

/** Gives one more handle on the same records; the suite closes the store. */
export type OpenCheckpointStore = () => Promise<StoreUnderTest>

/** Arrival times in the suite count from here: 2026-01-05T00:00:00Z. */
const START_MS = 1_767_571_200_000
const MANY_KEYS = 4_500
const RACES = 15
/** Strings that some engine or encoding has trouble with. */
const ODD_STRINGS = [
  '',
  ' ',
  'Kühlwagen-Ñ-東京-🚛',
  'a\u0000b',
  '\u0000',
  'half \ud83d',
  '\ude9b half',
  '\u0001"key"',
  '\ufffd',
  '\\N',
  "'; DROP TABLE task; --",
  '{"a":"b"}',
  '__proto__',
  'x'.repeat(200),
  '東'.repeat(200),
] as const

let used = 0

/** A task of its own for each test, so that all may share one engine. */
function newTask(): TaskId {
  return { pipeline: `contract-${process.pid}`, partition: ++used }
}

interface Reading {
  readonly entityId: string
  readonly recordedAtMs: EpochMs
  readonly eventId: string | null
  readonly celsius: number | null
  readonly count: number | null
  readonly total: number | null
  readonly open: boolean | null
  readonly price: string | null
  readonly items: unknown
  readonly note: string | null
}

/** One column of every type. */
const TABLE: ArchiveTable<Reading> = {
  name: 'contract_reading',
  columns: [
    { name: 'entity_id', type: 'text' },
    { name: 'recorded_at', type: 'timestamptz' },
    { name: 'celsius', type: 'float8' },
    { name: 'count', type: 'int4' },
    { name: 'total', type: 'int8' },
    { name: 'open', type: 'bool' },
    { name: 'price', type: 'numeric' },
    { name: 'items', type: 'jsonb' },
    { name: 'note', type: 'text' },
  ],
  entityColumn: 'entity_id',
  recordedAtColumn: 'recorded_at',
  write(row, event) {
    row.text(event.entityId)
    row.timestamp(event.recordedAtMs)
    row.float8(event.celsius)
    row.int4(event.count)
    row.int8(event.total)
    row.bool(event.open)
    row.numeric(event.price)
    row.json(event.items)
    row.text(event.note)
  },
  read(row) {
    return {
      entityId: row.text() ?? '',
      recordedAtMs: row.timestamp() ?? 0,
      eventId: null,
      celsius: row.float8(),
      count: row.int4(),
      total: row.int8(),
      open: row.bool(),
      price: row.numeric(),
      items: row.json(),
      note: row.text(),
    }
  },
}

interface Note {
  readonly entityId: string
  readonly recordedAtMs: EpochMs
  readonly eventId: string | null
}

const OTHER_TABLE: ArchiveTable<Note> = {
  name: 'contract_note',
  columns: [
    { name: 'entity_id', type: 'text' },
    { name: 'recorded_at', type: 'timestamptz' },
  ],
  entityColumn: 'entity_id',
  recordedAtColumn: 'recorded_at',
  write(row, event) {
    row.text(event.entityId)
    row.timestamp(event.recordedAtMs)
  },
  read: (row) => ({
    entityId: row.text() ?? '',
    recordedAtMs: row.timestamp() ?? 0,
    eventId: null,
  }),
}

function reading(changes: Partial<Reading> = {}): Reading {
  return {
    entityId: 'truck-1',
    recordedAtMs: START_MS,
    eventId: null,
    celsius: 4.5,
    count: 1,
    total: 2,
    open: false,
    price: '12.50',
    items: null,
    note: null,
    ...changes,
  }
}

function meta(partition: number, offset: number, changes: Partial<ArchiveRowMeta> = {}) {
  return {
    partition,
    offset,
    receivedAtMs: START_MS + offset,
    tenantId: 'default',
    eventId: null,
    flags: null,
    ...changes,
  }
}

/** Rows `[fromOffset, toOffset)` whose count is their offset. */
function chunkOf(store: CheckpointStore, task: TaskId, fromOffset: number, toOffset: number) {
  const encoder = store.archiveEncoder(TABLE)
  for (let offset = fromOffset; offset < toOffset; offset++) {
    encoder.add(meta(task.partition, offset), reading({ count: offset }))
  }
  return encoder.take()
}

type Part = Partial<Omit<Checkpoint, 'task' | 'epoch'>>

function checkpoint(task: TaskId, epoch: number, part: Part): Checkpoint {
  return {
    task,
    epoch,
    fromOffset: 0,
    toOffset: part.fromOffset ?? 0,
    watermarkMs: 0,
    archive: [],
    alerts: [],
    untold: [],
    deadLetters: [],
    outbox: [],
    windows: [],
    rows: [],
    journal: [],
    bytes: 0,
    ...part,
  }
}

const ownerOf = (task: TaskId): string => `${task.pipeline}/${task.partition}`

function rowOf(task: TaskId, changes: Partial<ContractRow> = {}): ContractRow {
  return {
    owner: ownerOf(task),
    name: 'a',
    seenAtMs: START_MS,
    price: null,
    count: null,
    kept: null,
    items: null,
    ...changes,
  }
}

function changeOf(row: ContractRow): RowChange {
  const { owner, name, seenAtMs, price, count, kept, items } = row
  return {
    table: contractRows,
    tenantId: 'default',
    key: JSON.stringify([owner, name]),
    offset: 0,
    values: [owner, name, seenAtMs, price, count, kept, items],
  }
}

function alertOf(task: TaskId, changes: Partial<Alert> = {}): Alert {
  const position = { topic: 'readings', partition: task.partition, offset: 3 }
  return {
    id: derivedId('contract', task.pipeline, task.partition),
    tenantId: 'default',
    rule: 'too-warm',
    ruleVersion: 2,
    severity: 'major',
    entityType: 'truck',
    entityId: 'truck-1',
    status: 'firing',
    startsAtMs: START_MS,
    endsAtMs: null,
    updatedAtMs: START_MS + 1_234,
    revision: 1,
    summary: 'It is 9.1 °C',
    labels: { zone: 'front' },
    value: { celsius: 9.1, open: true, note: null },
    peak: { celsius: 9.1, open: true, note: 'x' },
    count: 1,
    withdrawn: false,
    position,
    changedBy: position,
    receivedAtMs: START_MS + 5,
    ...changes,
  }
}

function deadLetterOf(task: TaskId, number: number, changes: Partial<DeadLetter> = {}): DeadLetter {
  return {
    id: derivedId('dead-letter', task.pipeline, task.partition, number),
    topic: `readings-${task.partition}`,
    receivedAtMs: START_MS + number,
    tenantId: 'default',
    door: 'http',
    code: 'wrong-type',
    message: 'celsius is no number',
    path: '/celsius',
    raw: '{"celsius":"warm"}',
    rawEncoding: 'text',
    position: null,
    ...changes,
  }
}

function outboxOf(task: TaskId, number: number, changes: Partial<OutboxEntry> = {}): OutboxEntry {
  return {
    id: derivedId('outbox', task.pipeline, task.partition, number),
    kind: `notify-${task.partition}`,
    tenantId: 'default',
    payload: { number, to: ['a', 'b'], deep: { nothing: null } },
    ...changes,
  }
}

function windowOf(task: TaskId, changes: Partial<WindowResult> = {}): WindowResult {
  return {
    window: `fifteen-minutes-${task.partition}`,
    era: 0,
    keysHash: 5_000_000_001,
    group: 'all',
    tenantId: 'default',
    startMs: START_MS,
    endMs: START_MS + 900_000,
    values: { count: 3, maximum: 9.5, byZone: { front: 2 } },
    revision: 1,
    final: false,
    ...changes,
  }
}

function entryOf(offset: number, changes: Partial<JournalEntry> = {}): JournalEntry {
  return {
    offset,
    broadcasts: { traffic: offset * 2 },
    references: { profiles: 3 },
    step: 0,
    tickMs: START_MS + offset,
    ...changes,
  }
}

async function archived<E>(
  store: CheckpointStore,
  table: ArchiveTable<E>,
  partition: number,
  [fromOffset, toOffset]: readonly [number, number] = [0, Number.MAX_SAFE_INTEGER],
): Promise<readonly ArchivedEvent<E>[]> {
  const rows: ArchivedEvent<E>[] = []
  for await (const batch of store.readArchive(table, { partition, fromOffset, toOffset })) {
    rows.push(...batch)
  }
  return rows
}

async function offsetsOf(store: CheckpointStore, task: TaskId): Promise<readonly number[]> {
  return (await archived(store, TABLE, task.partition)).map(({ offset }) => offset)
}

async function snapshotOf(store: CheckpointStore, task: TaskId): Promise<Map<string, string>> {
  const keys = new Map<string, string>()
  for await (const entries of store.snapshotEntries(task)) {
    for (const { key, state } of entries) {
      if (state === null) keys.delete(key)
      else keys.set(key, state)
    }
  }
  return keys
}

const numbers = (from: number, to: number): readonly number[] =>
  Array.from({ length: to - from }, (_, index) => from + index)

/** What a store may make of a string that is no Unicode text. */
const replaced = (text: string): string => text.toWellFormed().replaceAll('\u0000', '\ufffd')

/** Registers the suite. */
export function checkpointStoreContract(name: string, open: OpenCheckpointStore): void {
  async function withStore(
    work: (under: StoreUnderTest, task: TaskId, second: CheckpointStore) => Promise<void>,
  ): Promise<void> {
    const under = await open()
    const second = await open()
    try {
      await under.store.ensureArchive(TABLE)
      await work(under, newTask(), second.store)
    } finally {
      await second.store.close()
      await under.store.close()
    }
  }

  /** A task that was claimed and has `offset` archived rows. */
  async function runTo(store: CheckpointStore, task: TaskId, offset: number): Promise<Claim> {
    const claim = await store.claim(task)
    const archive = [chunkOf(store, task, 0, offset)]
    const first = checkpoint(task, claim.epoch, { fromOffset: 0, toOffset: offset, archive })
    equal(await store.commit(first), 'committed')
    return claim
  }

  describe(`${name}: ownership`, () => {
    test('a task that nobody ran before begins at offset 0 with nothing', () =>
      withStore(async ({ store }, task) => {
        const { epoch, ...rest } = await store.claim(task)
        ok(epoch > 0)
        deepEqual(rest, {
          nextOffset: 0,
          watermarkMs: 0,
          snapshotOffset: 0,
          journal: [],
          untold: [],
        })
        equal(await store.keepFromOffset(task), 0)
        deepEqual(await store.journal(task), [])
        deepEqual(await snapshotOf(store, task), new Map())
        deepEqual(await archived(store, TABLE, task.partition), [])
      }))

    test('a task that was never claimed needs the log from its beginning', () =>
      withStore(async ({ store }, task) => {
        equal(await store.keepFromOffset(task), 0)
        deepEqual(await store.journal(task), [])
      }))

    test('the next claim goes on where the last commit ended', () =>
      withStore(async ({ store }, task, second) => {
        const { epoch } = await store.claim(task)
        const part = { fromOffset: 0, toOffset: 7, watermarkMs: START_MS - 3 }
        equal(await store.commit(checkpoint(task, epoch, part)), 'committed')
        const claim = await second.claim(task)
        ok(claim.epoch > epoch, `${claim.epoch} is above ${epoch}`)
        equal(claim.nextOffset, 7)
        equal(claim.watermarkMs, START_MS - 3)
      }))

    test('alerts that nobody confirmed come with the next claim, as they stand', () =>
      withStore(async ({ store }, task, second) => {
        const { epoch } = await store.claim(task)
        const first = alertOf(task)
        const changed = { ...first, revision: 2, summary: 'It went on' }
        const quiet = checkpoint(task, epoch, { toOffset: 2, alerts: [first], untold: [first.id] })
        equal(await store.commit(quiet), 'committed')
        deepEqual((await second.claim(task)).untold, [first])
        const { epoch: next } = await store.claim(task)
        const late = { fromOffset: 2, toOffset: 3, alerts: [changed], untold: [first.id] }
        equal(await store.commit(checkpoint(task, next, late)), 'committed')
        const { epoch: third, untold } = await second.claim(task)
        deepEqual(untold, [changed])
        const told = checkpoint(task, third, { fromOffset: 3, toOffset: 4 })
        equal(await second.commit(told), 'committed')
        deepEqual((await store.claim(task)).untold, [])
      }))

    test('whoever held the task before writes nothing more', () =>
      withStore(async ({ store, records }, task, second) => {
        const { epoch } = await runTo(store, task, 3)
        await second.claim(task)
        const late = checkpoint(task, epoch, {
          fromOffset: 3,
          toOffset: 5,
          archive: [chunkOf(store, task, 3, 5)],
          alerts: [alertOf(task)],
          deadLetters: [deadLetterOf(task, 1)],
          outbox: [outboxOf(task, 1)],
          windows: [windowOf(task)],
          journal: [entryOf(3)],
        })
        equal(await store.commit(late), 'fenced')
        const snapshot = { task, epoch, offset: 3, entries: [{ key: 'a', state: '1' }] }
        equal(await store.saveSnapshot(snapshot), 'fenced')
        deepEqual(await offsetsOf(second, task), [0, 1, 2])
        equal(await records.alert(alertOf(task).id), undefined)
        deepEqual(await records.deadLetters(deadLetterOf(task, 1).topic), [])
        deepEqual(await records.outbox(outboxOf(task, 1).kind), [])
        deepEqual(await records.windows(windowOf(task).window), [])
        deepEqual(await second.journal(task), [])
        deepEqual(await snapshotOf(second, task), new Map())
        equal((await second.claim(task)).nextOffset, 3)
      }))

    test('a fenced owner without events of its own writes nothing either', () =>
      withStore(async ({ store, records }, task, second) => {
        const { epoch } = await runTo(store, task, 3)
        await second.claim(task)
        const late = checkpoint(task, epoch, { fromOffset: 3, outbox: [outboxOf(task, 1)] })
        equal(await store.commit(late), 'fenced')
        deepEqual(await records.outbox(outboxOf(task, 1).kind), [])
      }))

    test('a former owner is fenced also where the next one has committed the same', () =>
      withStore(async ({ store }, task, second) => {
        const { epoch } = await store.claim(task)
        const next = await second.claim(task)
        const part = { fromOffset: 0, toOffset: 4, archive: [chunkOf(store, task, 0, 4)] }
        equal(await second.commit(checkpoint(task, next.epoch, part)), 'committed')
        equal(await store.commit(checkpoint(task, epoch, part)), 'fenced')
        deepEqual(await offsetsOf(store, task), numbers(0, 4))
      }))

    test('of several claims at once each has an epoch of its own, and the highest owns the task', () =>
      withStore(async ({ store }, task, second) => {
        const claims = await Promise.all(
          [store, second, store, second].map((each) => each.claim(task)),
        )
        const epochs = claims.map(({ epoch }) => epoch)
        equal(new Set(epochs).size, 4)
        const owner = Math.max(...epochs)
        for (const epoch of epochs) {
          const outcome = await store.commit(checkpoint(task, epoch, {}))
          equal(outcome, epoch === owner ? 'committed' : 'fenced')
        }
      }))

    test('a commit that races with a claim is whole before it, or fenced', () =>
      withStore(async ({ store }, task, second) => {
        let { epoch, nextOffset } = await store.claim(task)
        for (let race = 0; race < RACES; race++) {
          const toOffset = nextOffset + 20
          const archive = [chunkOf(store, task, nextOffset, toOffset)]
          const part = { fromOffset: nextOffset, toOffset, archive, journal: [entryOf(nextOffset)] }
          const [outcome, claim] = await Promise.all([
            store.commit(checkpoint(task, epoch, part)),
            second.claim(task),
          ])
          equal(claim.nextOffset, outcome === 'committed' ? toOffset : nextOffset)
          epoch = claim.epoch
          nextOffset = claim.nextOffset
          deepEqual(await offsetsOf(store, task), numbers(0, nextOffset))
        }
      }))

    test('partitions and pipelines are apart', () =>
      withStore(async ({ store }, task) => {
        const other = { ...task, pipeline: `${task.pipeline}-other` }
        const third = newTask()
        const { epoch } = await runTo(store, task, 4)
        equal((await store.claim(other)).nextOffset, 0)
        equal((await store.claim(third)).nextOffset, 0)
        const part = { fromOffset: 4, toOffset: 6 }
        equal(await store.commit(checkpoint(task, epoch, part)), 'committed')
      }))

    test('many tasks commit at once', () =>
      withStore(async ({ store }) => {
        const tasks = Array.from({ length: 12 }, newTask)
        await Promise.all(
          tasks.map(async (task) => {
            const { epoch } = await runTo(store, task, 30)
            const archive = [chunkOf(store, task, 30, 60)]
            const next = checkpoint(task, epoch, { fromOffset: 30, toOffset: 60, archive })
            equal(await store.commit(next), 'committed')
          }),
        )
        for (const task of tasks) deepEqual(await offsetsOf(store, task), numbers(0, 60))
      }))

    test('of tasks that commit at once, those that are fenced hold up no other', () =>
      withStore(async ({ store, records }, _task, second) => {
        const tasks = Array.from({ length: 12 }, newTask)
        const epochs = await Promise.all(tasks.map((task) => runTo(store, task, 3)))
        const isFenced = (index: number): boolean => index % 4 === 1
        for (const task of tasks.filter((_, index) => isFenced(index))) await second.claim(task)
        const outcomes = await Promise.all(
          tasks.map((task, index) => {
            const archive = [chunkOf(store, task, 3, 5)]
            const alerts = [alertOf(task)]
            const { epoch } = epochs[index] ?? { epoch: 0 }
            const part = { fromOffset: 3, toOffset: 5, archive, alerts, journal: [entryOf(3)] }
            return store.commit(checkpoint(task, epoch, part))
          }),
        )
        for (const [index, task] of tasks.entries()) {
          const written = !isFenced(index)
          equal(outcomes[index], written ? 'committed' : 'fenced')
          deepEqual(await offsetsOf(store, task), numbers(0, written ? 5 : 3))
          deepEqual(await records.revisions(alertOf(task).id), written ? [1] : [])
          deepEqual(await store.journal(task), written ? [entryOf(3)] : [])
        }
      }))
  })

  describe(`${name}: commits`, () => {
    test('the same content again is committed, and stands there once', () =>
      withStore(async ({ store, records }, task) => {
        const { epoch } = await store.claim(task)
        const content = checkpoint(task, epoch, {
          fromOffset: 0,
          toOffset: 5,
          archive: [chunkOf(store, task, 0, 5)],
          alerts: [alertOf(task)],
          deadLetters: [deadLetterOf(task, 1)],
          outbox: [outboxOf(task, 1)],
          windows: [windowOf(task)],
          journal: [entryOf(0)],
        })
        equal(await store.commit(content), 'committed')
        equal(await store.commit(content), 'committed')
        deepEqual(await offsetsOf(store, task), numbers(0, 5))
        deepEqual(await records.revisions(alertOf(task).id), [1])
        equal((await records.deadLetters(deadLetterOf(task, 1).topic)).length, 1)
        equal((await records.outbox(outboxOf(task, 1).kind)).length, 1)
        equal((await records.windows(windowOf(task).window)).length, 1)
        deepEqual(await store.journal(task), [entryOf(0)])
      }))

    test('a commit that begins elsewhere than the last one ended is fenced', () =>
      withStore(async ({ store }, task) => {
        const { epoch } = await runTo(store, task, 5)
        for (const [fromOffset, toOffset] of [
          [6, 8],
          [4, 8],
          [0, 3],
        ] as const) {
          const archive = [chunkOf(store, task, fromOffset, toOffset)]
          const wrong = checkpoint(task, epoch, { fromOffset, toOffset, archive })
          equal(await store.commit(wrong), 'fenced', `${fromOffset} to ${toOffset}`)
        }
        deepEqual(await offsetsOf(store, task), numbers(0, 5))
        equal((await store.claim(task)).nextOffset, 5)
      }))

    test('a commit without events, as a tick makes it, keeps its outputs once', () =>
      withStore(async ({ store, records }, task) => {
        const { epoch } = await runTo(store, task, 5)
        const silent = checkpoint(task, epoch, {
          fromOffset: 5,
          alerts: [alertOf(task)],
          outbox: [outboxOf(task, 1)],
          journal: [entryOf(5)],
        })
        equal(await store.commit(silent), 'committed')
        equal(await store.commit(silent), 'committed')
        deepEqual(await records.alert(alertOf(task).id), alertOf(task))
        equal((await records.outbox(outboxOf(task, 1).kind)).length, 1)
        deepEqual(await store.journal(task), [entryOf(5)])
        equal((await store.claim(task)).nextOffset, 5)
      }))

    test('a merged checkpoint keeps every chunk of every table', () =>
      withStore(async ({ store }, task) => {
        await store.ensureArchive(OTHER_TABLE)
        const { epoch } = await store.claim(task)
        const other = store.archiveEncoder(OTHER_TABLE)
        const note = { entityId: 'note', recordedAtMs: START_MS, eventId: null }
        other.add(meta(task.partition, 7), note)
        const archive = [
          chunkOf(store, task, 0, 3),
          other.take(),
          chunkOf(store, task, 3, 4),
          chunkOf(store, task, 4, 4),
          chunkOf(store, task, 4, 7),
        ]
        const merged = checkpoint(task, epoch, { fromOffset: 0, toOffset: 8, archive })
        equal(await store.commit(merged), 'committed')
        deepEqual(await offsetsOf(store, task), numbers(0, 7))
        deepEqual(await archived(store, OTHER_TABLE, task.partition), [
          { ...meta(task.partition, 7), event: note },
        ])
      }))

    test('a chunk keeps its rows while its encoder goes on', () =>
      withStore(async ({ store }, task) => {
        const { epoch } = await store.claim(task)
        const encoder = store.archiveEncoder(TABLE)
        const archive = []
        for (let offset = 0; offset < 6_000; offset += 2_000) {
          for (const each of numbers(offset, offset + 2_000)) {
            encoder.add(meta(task.partition, each), reading({ count: each, note: `note ${each}` }))
          }
          const pending = encoder.pendingBytes
          const chunk = encoder.take()
          deepEqual([chunk.table, chunk.rows, chunk.bytes], [TABLE.name, 2_000, pending])
          ok(pending > 2_000)
          equal(encoder.pendingBytes, 0)
          archive.push(chunk)
        }
        const all = checkpoint(task, epoch, { fromOffset: 0, toOffset: 6_000, archive })
        equal(await store.commit(all), 'committed')
        const rows = await archived(store, TABLE, task.partition)
        deepEqual(
          rows.map(({ event }) => event.note),
          numbers(0, 6_000).map((each) => `note ${each}`),
        )
      }))

    test('no string stops a commit, wherever it stands', () =>
      withStore(async ({ store, records }, task) => {
        const { epoch } = await store.claim(task)
        const encoder = store.archiveEncoder(TABLE)
        for (const [offset, text] of ODD_STRINGS.entries()) {
          const items = [text, { [text]: text }]
          const event = reading({ entityId: text, note: text, items })
          const own = meta(task.partition, offset, { tenantId: text, eventId: text })
          encoder.add(own, { ...event, eventId: text })
        }
        const content = checkpoint(task, epoch, {
          fromOffset: 0,
          toOffset: ODD_STRINGS.length,
          archive: [encoder.take()],
          alerts: ODD_STRINGS.map((text, number) =>
            alertOf(task, {
              id: derivedId('odd', task.partition, number),
              entityId: text,
              summary: text,
              tenantId: text,
              labels: { [text]: text },
              value: { [text]: text },
              peak: { note: text },
            }),
          ),
          deadLetters: ODD_STRINGS.map((text, number) =>
            deadLetterOf(task, number, { raw: text, message: text, path: text, tenantId: text }),
          ),
          outbox: ODD_STRINGS.map((text, number) =>
            outboxOf(task, number, { payload: { [text]: [text] }, tenantId: text }),
          ),
          windows: ODD_STRINGS.map((text) =>
            windowOf(task, { group: text, values: { [text]: text } }),
          ),
        })
        equal(await store.commit(content), 'committed')
        const rows = await archived(store, TABLE, task.partition)
        for (const [offset, text] of ODD_STRINGS.entries()) {
          const row = rows[offset]
          const found = [row?.tenantId, row?.eventId, row?.event.entityId, row?.event.note]
          for (const each of found) ok(each === text || each === replaced(text), `${each}`)
        }
        const letters = await records.deadLetters(deadLetterOf(task, 0).topic)
        equal(letters.length, ODD_STRINGS.length)
        equal((await records.outbox(outboxOf(task, 0).kind)).length, ODD_STRINGS.length)
        const groups = (await records.windows(windowOf(task).window)).map(
          (each) => each.result.group,
        )
        deepEqual(new Set(groups.map(replaced)), new Set(ODD_STRINGS.map(replaced)))
      }))

    test('content of many megabytes is committed', () =>
      withStore(async ({ store, records }, task) => {
        const { epoch } = await store.claim(task)
        const encoder = store.archiveEncoder(TABLE)
        const note = '"\\\n東'.repeat(40_000)
        for (const offset of numbers(0, 20)) {
          encoder.add(meta(task.partition, offset), reading({ note, items: { note } }))
        }
        const content = checkpoint(task, epoch, {
          fromOffset: 0,
          toOffset: 20,
          archive: [encoder.take()],
          deadLetters: numbers(0, 60).map((number) => deadLetterOf(task, number, { raw: note })),
        })
        equal(await store.commit(content), 'committed')
        const rows = await archived(store, TABLE, task.partition)
        equal(rows.length, 20)
        for (const { event } of rows) {
          ok(event.note === note)
          ok(JSON.stringify(event.items) === JSON.stringify({ note }))
        }
        const letters = await records.deadLetters(deadLetterOf(task, 0).topic)
        equal(letters.length, 60)
        for (const { raw } of letters) ok(raw === note)
      }))
  })

  describe(`${name}: journal`, () => {
    test('a claim sees what holds at its snapshot and after it, in order', () =>
      withStore(async ({ store }, task) => {
        const { epoch } = await store.claim(task)
        const journal = [0, 10, 20, 30].map((offset) => entryOf(offset))
        const part = { fromOffset: 0, toOffset: 40, journal }
        equal(await store.commit(checkpoint(task, epoch, part)), 'committed')
        deepEqual((await store.claim(task)).journal, journal)
        for (const [offset, kept] of [
          [15, journal.slice(1)],
          [20, journal.slice(1)],
          [40, journal.slice(3)],
        ] as const) {
          const owner = await store.claim(task)
          const snapshot = { task, epoch: owner.epoch, offset, entries: [] }
          equal(await store.saveSnapshot(snapshot), 'committed')
          const next = await store.claim(task)
          const needed = next.journal.filter((entry) => entry.offset >= offset)
          const before = next.journal.findLast((entry) => entry.offset < offset)
          deepEqual([before, ...needed], kept, `from the snapshot at ${offset}`)
        }
        deepEqual(await store.journal(task), journal)
      }))

    test('of several entries at one offset the last one holds', () =>
      withStore(async ({ store }, task) => {
        const { epoch } = await runTo(store, task, 5)
        const entries = [1, 2, 3].map((version) =>
          entryOf(5, { references: { profiles: version } }),
        )
        const [first, ...others] = entries
        ok(first !== undefined)
        const part = { fromOffset: 5, journal: [first] }
        equal(await store.commit(checkpoint(task, epoch, part)), 'committed')
        const both = { fromOffset: 5, journal: others }
        equal(await store.commit(checkpoint(task, epoch, both)), 'committed')
        deepEqual(await store.journal(task), entries.slice(2))
      }))
  })

  describe(`${name}: snapshots`, () => {
    const committed = async (
      store: CheckpointStore,
      place: { readonly task: TaskId; readonly epoch: number; readonly offset: number },
      entries: readonly SnapshotEntry[],
    ): Promise<void> => equal(await store.saveSnapshot({ ...place, entries }), 'committed')

    test('keys are added, changed and forgotten', () =>
      withStore(async ({ store }, task, second) => {
        const { epoch } = await runTo(store, task, 9)
        await committed(store, { task, epoch, offset: 3 }, [
          { key: 'a', state: '{"n":1}' },
          { key: 'b', state: '{"n":2}' },
          { key: '', state: '{"n":3}' },
        ])
        await committed(store, { task, epoch, offset: 6 }, [
          { key: 'b', state: '{"n":4}' },
          { key: 'a', state: null },
          { key: 'never there', state: null },
        ])
        const expected = new Map([
          ['', '{"n":3}'],
          ['b', '{"n":4}'],
        ])
        deepEqual(await snapshotOf(second, task), expected)
        const claim = await second.claim(task)
        deepEqual([claim.snapshotOffset, claim.nextOffset], [6, 9])
        deepEqual(await snapshotOf(second, task), expected)
      }))

    test('the last entry of a key counts', () =>
      withStore(async ({ store }, task) => {
        const { epoch } = await runTo(store, task, 2)
        await committed(store, { task, epoch, offset: 2 }, [
          { key: 'a', state: '1' },
          { key: 'a', state: '2' },
          { key: 'b', state: '1' },
          { key: 'b', state: null },
          { key: 'c', state: null },
          { key: 'c', state: '3' },
        ])
        deepEqual(
          await snapshotOf(store, task),
          new Map([
            ['a', '2'],
            ['c', '3'],
          ]),
        )
      }))

    test('no snapshot stands for more than was committed', () =>
      withStore(async ({ store }, task) => {
        const { epoch } = await runTo(store, task, 5)
        const ahead = { task, epoch, offset: 6, entries: [{ key: 'a', state: '1' }] }
        equal(await store.saveSnapshot(ahead), 'fenced')
        deepEqual(await snapshotOf(store, task), new Map())
        equal((await store.claim(task)).snapshotOffset, 0)
      }))

    test('every key comes back as it was, and no two become one', () =>
      withStore(async ({ store }, task) => {
        const { epoch } = await runTo(store, task, 1)
        const state = (key: string): string => JSON.stringify({ key, escaped: '"\\\n\u0000\ud800' })
        const entries = ODD_STRINGS.map((key) => ({ key, state: state(key) }))
        await committed(store, { task, epoch, offset: 1 }, entries)
        const found = await snapshotOf(store, task)
        deepEqual(found, new Map(ODD_STRINGS.map((key) => [key, state(key)])))
        const gone = ODD_STRINGS.map((key) => ({ key, state: null }))
        await committed(store, { task, epoch, offset: 1 }, gone)
        deepEqual(await snapshotOf(store, task), new Map())
      }))

    test('thousands of keys, and one of a megabyte', () =>
      withStore(async ({ store }, task) => {
        const { epoch } = await runTo(store, task, 1)
        const entries = numbers(0, MANY_KEYS).map((number) => ({
          key: `truck-${number}`,
          state: number === 17 ? `"${'東'.repeat(350_000)}"` : `{"n":${number}}`,
        }))
        await committed(store, { task, epoch, offset: 1 }, entries)
        const expected = new Map(entries.map(({ key, state }) => [key, state]))
        deepEqual(await snapshotOf(store, task), expected)
      }))

    test('snapshots of tasks are apart', () =>
      withStore(async ({ store }, task) => {
        const other = newTask()
        const { epoch } = await runTo(store, task, 1)
        await committed(store, { task, epoch, offset: 1 }, [{ key: 'a', state: '1' }])
        deepEqual(await snapshotOf(store, other), new Map())
      }))

    test('the log is needed from the snapshot on, and never from beyond what is committed', () =>
      withStore(async ({ store }, task) => {
        const { epoch } = await runTo(store, task, 8)
        equal(await store.keepFromOffset(task), 0)
        await committed(store, { task, epoch, offset: 6 }, [])
        equal(await store.keepFromOffset(task), 6)
        await committed(store, { task, epoch, offset: 8 }, [])
        equal(await store.keepFromOffset(task), 8)
      }))
  })

  describe(`${name}: archive`, () => {
    const wholeText = fc.oneof(
      fc.string({ unit: 'binary', maxLength: 60 }).map(replaced),
      fc.string({ unit: 'grapheme', maxLength: 60 }),
      fc.constantFrom(...ODD_STRINGS).map(replaced),
    )
    const instant = fc.oneof(
      fc.integer({ min: 0, max: 253_402_300_799_999 }),
      fc.constantFrom(0, 1, 253_402_300_799_999, 946_684_799_999, 946_684_800_001),
    )
    const decimal = fc
      .tuple(fc.bigInt({ min: -(10n ** 30n), max: 10n ** 30n }), fc.nat(12))
      .map(([digits, scale]) => decimalText(digits, scale))
    const orNull = <T>(each: fc.Arbitrary<T>): fc.Arbitrary<T | null> => fc.option(each)
    const json = fc.jsonValue({ maxDepth: 3 }).map((value) => positiveZeros(value))
    const event = fc.record({
      entityId: wholeText,
      recordedAtMs: instant,
      celsius: orNull(fc.double()),
      count: orNull(fc.integer()),
      total: orNull(fc.maxSafeInteger()),
      open: orNull(fc.boolean()),
      price: orNull(decimal),
      items: json,
      note: orNull(wholeText),
    })
    const flags = fc.subarray<EventFlag>(['duplicate', 'late', 'future'], { minLength: 1 })
    const rowMeta = fc.record({
      receivedAtMs: instant,
      tenantId: wholeText,
      eventId: orNull(wholeText),
      flags: orNull(flags),
    })

    test('every event comes back exactly as it went in', () =>
      withStore(async ({ store }, task) => {
        const claim = await store.claim(task)
        let next = claim.nextOffset
        await fc.assert(
          fc.asyncProperty(fc.array(fc.tuple(rowMeta, event), { maxLength: 30 }), async (rows) => {
            const encoder = store.archiveEncoder(TABLE)
            const expected: ArchivedEvent<Reading>[] = rows.map(([own, each], index) => ({
              ...meta(task.partition, next + index, own),
              event: { ...each, eventId: own.eventId },
            }))
            for (const { event: each, ...own } of expected) encoder.add(own, each)
            const toOffset = next + rows.length
            const part = { fromOffset: next, toOffset, archive: [encoder.take()] }
            equal(await store.commit(checkpoint(task, claim.epoch, part)), 'committed')
            deepEqual(await archived(store, TABLE, task.partition, [next, toOffset]), expected)
            next = toOffset
          }),
          { numRuns: 40 },
        )
      }))

    test('events of years ago and of years to come are archived alike', () =>
      withStore(async ({ store }, task) => {
        const { epoch } = await store.claim(task)
        const times = [0, START_MS - 400 * DAY_MS, START_MS, START_MS + 400 * DAY_MS, 4e12]
        const encoder = store.archiveEncoder(TABLE)
        for (const [offset, receivedAtMs] of times.entries()) {
          encoder.add(meta(task.partition, offset, { receivedAtMs }), reading())
        }
        const part = { fromOffset: 0, toOffset: times.length, archive: [encoder.take()] }
        equal(await store.commit(checkpoint(task, epoch, part)), 'committed')
        const rows = await archived(store, TABLE, task.partition)
        deepEqual(
          rows.map((row) => [row.offset, row.receivedAtMs]),
          [...times.entries()],
        )
      }))

    test('a range is read in offset order, from inclusive, to exclusive, of one partition', () =>
      withStore(async ({ store }, task) => {
        const { epoch } = await runTo(store, task, 100)
        await runTo(store, newTask(), 100)
        const part = { fromOffset: 100, toOffset: 150, archive: [chunkOf(store, task, 100, 150)] }
        equal(await store.commit(checkpoint(task, epoch, part)), 'committed')
        const rows = await archived(store, TABLE, task.partition, [90, 110])
        deepEqual(
          rows.map(({ offset, partition, event: each }) => [offset, partition, each.count]),
          numbers(90, 110).map((offset) => [offset, task.partition, offset]),
        )
        deepEqual(await archived(store, TABLE, task.partition, [150, 200]), [])
        deepEqual(await archived(store, TABLE, task.partition, [20, 20]), [])
      }))

    test('a reader who names columns gets those, and null in place of the others', () =>
      withStore(async ({ store }, task) => {
        await runTo(store, task, 20)
        const whole = await archived(store, TABLE, task.partition)
        const few: ArchivedEvent<Reading>[] = []
        const range = { partition: task.partition, fromOffset: 0, toOffset: 20 }
        const columns = ['entity_id', 'recorded_at', 'count', 'unheard_of']
        for await (const rows of store.readArchive(TABLE, { ...range, columns })) few.push(...rows)
        const nothing = {
          celsius: null,
          total: null,
          open: null,
          price: null,
          items: null,
          note: null,
        }
        deepEqual(
          few,
          whole.map((row) => ({ ...row, event: { ...row.event, ...nothing } })),
        )
      }))

    test('a reader who names an entity gets its events alone, in offset order', () =>
      withStore(async ({ store }, task) => {
        const entities = ['truck-1', "O'Hara \\ 2", '東']
        const { epoch } = await store.claim(task)
        const encoder = store.archiveEncoder(TABLE)
        for (const offset of numbers(0, 200)) {
          const entityId = entities[offset % entities.length] ?? ''
          encoder.add(meta(task.partition, offset), reading({ entityId, count: offset }))
        }
        const content = { fromOffset: 0, toOffset: 200, archive: [encoder.take()] }
        equal(await store.commit(checkpoint(task, epoch, content)), 'committed')
        const whole = await archived(store, TABLE, task.partition)
        for (const entity of [...entities, "nobody's"]) {
          const own: ArchivedEvent<Reading>[] = []
          const range = { partition: task.partition, fromOffset: 0, toOffset: 200, entity }
          for await (const rows of store.readArchive(TABLE, range)) own.push(...rows)
          deepEqual(
            own,
            whole.filter(({ event }) => event.entityId === entity),
          )
        }
      }))

    test('a reader that stops early leaves the store as it was', () =>
      withStore(async ({ store }, task) => {
        await runTo(store, task, 2_000)
        for (let time = 0; time < 25; time++) {
          const range = { partition: task.partition, fromOffset: 0, toOffset: 2_000 }
          for await (const rows of store.readArchive(TABLE, range)) {
            ok(rows.length > 0)
            break
          }
        }
        equal((await offsetsOf(store, task)).length, 2_000)
        equal((await store.claim(task)).nextOffset, 2_000)
      }))

    test('several readers and writers go on beside each other', () =>
      withStore(async ({ store }, task) => {
        const { epoch } = await runTo(store, task, 500)
        const readers = numbers(0, 8).map(() => archived(store, TABLE, task.partition, [0, 500]))
        const part = { fromOffset: 500, toOffset: 600, archive: [chunkOf(store, task, 500, 600)] }
        equal(await store.commit(checkpoint(task, epoch, part)), 'committed')
        for (const rows of await Promise.all(readers)) equal(rows.length, 500)
      }))

    test('preparing a table again, also at once, changes nothing', () =>
      withStore(async ({ store }, task, second) => {
        await runTo(store, task, 3)
        await Promise.all([store, second, store].map((each) => each.ensureArchive(TABLE)))
        const unknown = { ...TABLE, name: `contract_${process.pid}_${task.partition}` }
        await Promise.all([store, second, store, second].map((each) => each.ensureArchive(unknown)))
        deepEqual(await archived(store, unknown, task.partition), [])
        deepEqual(await offsetsOf(store, task), [0, 1, 2])
      }))

    test('a table that gained a column has nothing in it for older events', () =>
      withStore(async ({ store }, task) => {
        const name = `contract_old_${process.pid}_${task.partition}`
        const old: ArchiveTable<Note> = { ...OTHER_TABLE, name }
        const gained: ArchiveTable<Note & { readonly note: string | null }> = {
          ...old,
          columns: [...old.columns, { name: 'note', type: 'text' }],
          write(row, each) {
            old.write(row, each)
            row.text(each.note)
          },
          read: (row) => ({ ...old.read(row), note: row.text() }),
        }
        const event0 = { entityId: 'a', recordedAtMs: START_MS, eventId: null }
        const event1 = { ...event0, note: 'new' }
        await store.ensureArchive(old)
        const { epoch } = await store.claim(task)
        const first = store.archiveEncoder(old)
        first.add(meta(task.partition, 0), event0)
        const part0 = { fromOffset: 0, toOffset: 1, archive: [first.take()] }
        equal(await store.commit(checkpoint(task, epoch, part0)), 'committed')
        await store.ensureArchive(gained)
        const second = store.archiveEncoder(gained)
        second.add(meta(task.partition, 1), event1)
        const part1 = { fromOffset: 1, toOffset: 2, archive: [second.take()] }
        equal(await store.commit(checkpoint(task, epoch, part1)), 'committed')
        deepEqual(
          (await archived(store, gained, task.partition)).map((row) => row.event),
          [{ ...event0, note: null }, event1],
        )
      }))
  })

  describe(`${name}: alerts and other outputs`, () => {
    test('an alert comes back whole, and a later revision replaces it', () =>
      withStore(async ({ store, records }, task) => {
        const { epoch } = await store.claim(task)
        const opened = alertOf(task)
        const resolved = alertOf(task, {
          revision: 2,
          status: 'resolved',
          severity: 'critical',
          endsAtMs: START_MS + HOUR_MS,
          updatedAtMs: START_MS + HOUR_MS,
          summary: 'It was 12 °C',
          labels: {},
          value: { celsius: 8 },
          peak: { celsius: 12 },
          count: 40,
          withdrawn: true,
          changedBy: { topic: 'readings', partition: task.partition, offset: 90 },
          receivedAtMs: START_MS + HOUR_MS + 3,
        })
        const first = checkpoint(task, epoch, { alerts: [opened] })
        equal(await store.commit(first), 'committed')
        deepEqual(await records.alert(opened.id), opened)
        const second = checkpoint(task, epoch, { alerts: [resolved] })
        equal(await store.commit(second), 'committed')
        deepEqual(await records.alert(opened.id), resolved)
        deepEqual(await records.revisions(opened.id), [1, 2])
      }))

    test('an alert never goes back to an earlier revision, and keeps every transition', () =>
      withStore(async ({ store, records }, task) => {
        const { epoch } = await store.claim(task)
        const revision = (number: number): Alert =>
          alertOf(task, { revision: number, summary: `revision ${number}` })
        for (const batch of [[2, 4], [6, 5], [3], [1]]) {
          const part = checkpoint(task, epoch, { alerts: batch.map(revision) })
          equal(await store.commit(part), 'committed')
        }
        equal((await records.alert(alertOf(task).id))?.summary, 'revision 6')
        deepEqual(await records.revisions(alertOf(task).id), [1, 2, 3, 4, 5, 6])
      }))

    test('what an operator did to an alert outlasts its next revision', () =>
      withStore(async ({ store, records }, task) => {
        if (records.acknowledge === undefined) return
        const { epoch } = await store.claim(task)
        const first = checkpoint(task, epoch, { alerts: [alertOf(task)] })
        equal(await store.commit(first), 'committed')
        await records.acknowledge(alertOf(task).id, 'amina')
        const second = checkpoint(task, epoch, { alerts: [alertOf(task, { revision: 2 })] })
        equal(await store.commit(second), 'committed')
        equal(await records.acknowledgedBy(alertOf(task).id), 'amina')
        equal((await records.alert(alertOf(task).id))?.revision, 2)
      }))

    test('dead letters and effects come back whole, and the same id counts once', () =>
      withStore(async ({ store, records }, task) => {
        const { epoch } = await store.claim(task)
        const letters = [
          deadLetterOf(task, 1),
          deadLetterOf(task, 2, {
            raw: '/wD+',
            rawEncoding: 'base64',
            position: { topic: 'readings', partition: 4, offset: 2 ** 40 },
          }),
        ]
        const effects = [outboxOf(task, 1), outboxOf(task, 2)]
        const part = { deadLetters: letters, outbox: effects }
        equal(await store.commit(checkpoint(task, epoch, part)), 'committed')
        const again = {
          deadLetters: [...letters, deadLetterOf(task, 1, { message: 'other' })],
          outbox: [outboxOf(task, 2, { payload: {} }), ...effects],
        }
        equal(await store.commit(checkpoint(task, epoch, again)), 'committed')
        const byId = <T extends { readonly id: string }>(each: readonly T[]): readonly T[] =>
          each.toSorted((one, other) => (one.id < other.id ? -1 : 1))
        deepEqual(byId(await records.deadLetters(deadLetterOf(task, 1).topic)), byId(letters))
        deepEqual(byId(await records.outbox(outboxOf(task, 1).kind)), byId(effects))
      }))

    test('a window is amended by a higher revision only, each partition for itself', () =>
      withStore(async ({ store, records }, task) => {
        const other = newTask()
        const window = windowOf(task).window
        const { epoch } = await store.claim(task)
        const owner = await store.claim(other)
        const revision = (number: number): WindowResult =>
          windowOf(task, { revision: number, values: { number }, final: number > 1 })
        for (const windows of [[revision(1), revision(2)], [revision(2)], [revision(1)]]) {
          equal(await store.commit(checkpoint(task, epoch, { windows })), 'committed')
        }
        const elsewhere = windowOf(task, { values: { number: 99 } })
        const part = checkpoint(other, owner.epoch, { windows: [elsewhere] })
        equal(await store.commit(part), 'committed')
        const found = await records.windows(window)
        deepEqual(
          found.toSorted((one, next) => one.partition - next.partition),
          [
            { partition: task.partition, result: revision(2) },
            { partition: other.partition, result: elsewhere },
          ],
        )
        const third = windowOf(task, { revision: 3, values: { number: 3 }, final: true })
        const amended = checkpoint(task, epoch, { windows: [third] })
        equal(await store.commit(amended), 'committed')
        const results = (await records.windows(window)).map((each) => each.result)
        ok(results.some((result) => result.revision === 3 && result.values.number === 3))
      }))

    test('windows of other groups, times and tenants are others', () =>
      withStore(async ({ store, records }, task) => {
        const { epoch } = await store.claim(task)
        const windows = [
          windowOf(task),
          windowOf(task, { group: 'b' }),
          windowOf(task, { tenantId: 'b' }),
          windowOf(task, { startMs: START_MS + 1, endMs: START_MS + 900_001 }),
        ]
        equal(await store.commit(checkpoint(task, epoch, { windows })), 'committed')
        const found = (await records.windows(windowOf(task).window)).map((each) => each.result)
        const text = (each: readonly WindowResult[]): readonly string[] =>
          each
            .map((one) => JSON.stringify([one.group, one.tenantId, one.startMs, one.endMs]))
            .sort()
        deepEqual(text(found), text(windows))
      }))
  })

  describe(`${name}: durable rows`, () => {
    test('a row is replaced by what comes later, and stays where nothing new is known', () =>
      withStore(async ({ store, records }, task) => {
        const { epoch } = await store.claim(task)
        const put = async (rows: readonly RowChange[]): Promise<readonly ContractRow[]> => {
          equal(await store.commit(checkpoint(task, epoch, { rows })), 'committed')
          return records.rows(ownerOf(task))
        }
        const first = rowOf(task, { price: '12.345', kept: 'x', items: { a: [1, null] } })
        const next = rowOf(task, { seenAtMs: START_MS + 1, count: 2, kept: null })
        const other = rowOf(task, { name: 'b' })
        deepEqual(await put([changeOf(first)]), [first])
        deepEqual(await put([changeOf(first)]), [first])
        deepEqual(await put([changeOf(first), changeOf(next), changeOf(other)]), [
          { ...next, kept: 'x' },
          other,
        ])
        deepEqual(await put([changeOf(rowOf(task, { seenAtMs: START_MS - 1, count: 9 }))]), [
          { ...next, kept: 'x' },
          other,
        ])
        deepEqual(await put([{ ...changeOf(other), values: null }]), [{ ...next, kept: 'x' }])
      }))

    test('rows of another tenant are others, and odd names stay apart or whole', () =>
      withStore(async ({ store, records }, task) => {
        const { epoch } = await store.claim(task)
        const odd = ODD_STRINGS.filter((text) => replaced(text) === text)
        const rows = odd.map((text) => rowOf(task, { name: text, kept: text }))
        const elsewhere = { ...changeOf(rowOf(task, { name: odd[0] ?? '' })), tenantId: 'b' }
        const changes = [...rows.map(changeOf), elsewhere]
        equal(await store.commit(checkpoint(task, epoch, { rows: changes })), 'committed')
        const names = (await records.rows(ownerOf(task))).map((row) => row.name)
        deepEqual(names.toSorted(), [odd[0], ...odd].toSorted())
      }))

    test('a row whose text cannot be stored is stored with a replacement', () =>
      withStore(async ({ store, records }, task) => {
        const { epoch } = await store.claim(task)
        const rows = [
          changeOf(rowOf(task, { name: 'a\u0000b' })),
          changeOf(rowOf(task, { name: 'a\ufffdb' })),
        ]
        equal(await store.commit(checkpoint(task, epoch, { rows })), 'committed')
        ok((await records.rows(ownerOf(task))).length >= 1)
      }))

    test('a fenced commit leaves no row', () =>
      withStore(async ({ store, records }, task) => {
        const { epoch } = await store.claim(task)
        await store.claim(task)
        const rows = [changeOf(rowOf(task))]
        equal(await store.commit(checkpoint(task, epoch, { rows })), 'fenced')
        deepEqual(await records.rows(ownerOf(task)), [])
      }))
  })

  test(`${name}: a closed store refuses instead of waiting`, async () => {
    const { store } = await open()
    await store.close()
    await rejects(store.claim(newTask()))
  })
}

/** Digits and scale as decimal text: no leading zeros but one before the point. */
function decimalText(digits: bigint, scale: number): string {
  const sign = digits < 0n ? '-' : ''
  const all = String(digits < 0n ? -digits : digits).padStart(scale + 1, '0')
  const whole = all.slice(0, all.length - scale)
  return scale === 0 ? sign + whole : `${sign}${whole}.${all.slice(-scale)}`
}

/** JSON has no negative zero, and its strings must be whole to come back the same. */
function positiveZeros(value: unknown): unknown {
  if (typeof value === 'number') return value + 0
  if (typeof value === 'string') return replaced(value)
  if (Array.isArray(value)) return value.map(positiveZeros)
  if (typeof value !== 'object' || value === null) return value
  return Object.fromEntries(
    Object.entries(value).map(([key, each]) => [replaced(key), positiveZeros(each)]),
  )
}
