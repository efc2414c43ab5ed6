// Bugs planted on purpose, as edits of the source before it runs: the trials must notice every one. A plant
// whose text is not found any more fails loudly, so that it moves with the code.

export interface Edit {
  /** From the root of the project. */
  readonly file: string
  readonly find: string
  readonly replace: string
}

export interface Plant {
  readonly name: string
  /** What a careless hand might have done. */
  readonly story: string
  readonly edits: readonly Edit[]
  /** Which checks must notice; the simulation where none is named. */
  readonly noticedBy?: 'properties' | 'examples'
}

const DATABASE = 'test/simulation/simulated-database.ts'
const TASK = 'src/streams/task.ts'
const QUEUE = 'src/streams/commit-queue.ts'
const RESTORE = 'src/streams/restore.ts'
const RUNNER = 'src/streams/task-runner.ts'
const SNAPSHOT = 'src/streams/task-snapshot.ts'
const TAIL = 'src/streams/event-tail.ts'
const SLOT = 'src/streams/key-slot.ts'
const FENCE = 'if (row.epoch !== epoch || row.nextOffset !== fromOffset) {'

export const plants: readonly Plant[] = [
  {
    name: 'no-fence',
    story: 'whoever commits, commits',
    edits: [{ file: DATABASE, find: FENCE, replace: 'if (row.epoch < 0) {' }],
  },
  {
    name: 'fence-by-offset-only',
    story: 'an owner of old that stands at the right offset may write',
    edits: [{ file: DATABASE, find: FENCE, replace: 'if (row.nextOffset !== fromOffset) {' }],
  },
  {
    name: 'fence-by-epoch-only',
    story: 'a commit that was made already is made again',
    edits: [{ file: DATABASE, find: FENCE, replace: 'if (row.epoch !== epoch) {' }],
  },
  {
    name: 'fence-after-output',
    story: 'rows are written before the fence is looked at, and stay',
    edits: [
      {
        file: DATABASE,
        find: FENCE,
        replace: `this.#write(checkpoint)\n    ${FENCE}`,
      },
    ],
  },
  {
    name: 'offset-before-output',
    story: 'the offset is committed by itself; the output that follows is lost now and then',
    edits: [
      {
        file: DATABASE,
        find: 'this.#write(checkpoint)\n    return',
        replace: 'if (toOffset % 7 !== 3) this.#write(checkpoint)\n    return',
      },
    ],
  },
  {
    name: 'epoch-stays',
    story: 'a claim does not fence the owner before',
    edits: [{ file: DATABASE, find: 'row.epoch++', replace: 'row.epoch ||= 1' }],
  },
  {
    name: 'told-by-the-owner-alone',
    story: 'what the owner before recorded and did not come to tell, nobody tells',
    edits: [{ file: RUNNER, find: 'this.#publish(claim.untold)', replace: '' }],
  },
  {
    name: 'retry-with-other-content',
    story: 'a commit that is tried again leaves out what it had the first time',
    edits: [
      {
        file: QUEUE,
        find: 'await this.#options.store.commit(checkpoint)',
        replace:
          'await this.#options.store.commit(this.#databaseAway ? { ...checkpoint, alerts: [] } : checkpoint)',
      },
    ],
  },
  {
    name: 'failed-commit-forgotten',
    story: 'a commit that found no database is taken for done',
    edits: [
      {
        file: QUEUE,
        find: 'if (!isRetryable(error)) throw error',
        replace: 'if (isRetryable(error)) return',
      },
      {
        file: DATABASE,
        find: FENCE,
        replace: 'if (row.epoch !== epoch) {',
      },
    ],
  },
  {
    name: 'merged-in-wrong-order',
    story: 'batches that are committed together are put together back to front',
    edits: [
      {
        file: QUEUE,
        find: 'alerts: outputs.flatMap((output) => output.alerts)',
        replace: 'alerts: outputs.toReversed().flatMap((output) => output.alerts)',
      },
    ],
  },
  {
    name: 'journal-not-written',
    story: 'ticks and reference versions are not recorded',
    edits: [
      {
        file: QUEUE,
        find: 'journal: outputs.flatMap((output) => output.journal)',
        replace: 'journal: []',
      },
    ],
  },
  {
    name: 'snapshot-ahead',
    story: 'a snapshot overtakes the commits that lead to it',
    edits: [
      {
        file: QUEUE,
        find: 'this.#push(snapshot)',
        replace: 'void this.#options.store.saveSnapshot(snapshot)',
      },
      { file: DATABASE, find: '|| row.nextOffset < snapshot.offset', replace: '' },
    ],
  },
  {
    name: 'repeats-not-dropped',
    story: 'records that the log brings again are processed again',
    edits: [
      {
        file: TASK,
        find: 'if (record.offset < this.#nextOffset) continue',
        replace: 'if (record.offset < 0) continue',
      },
    ],
  },
  {
    name: 'same-event-counts-twice',
    story: 'a repeat of an event is not recognised',
    edits: [
      {
        file: TASK,
        find: 'isKnown(slot, event.eventId)) {',
        replace: 'isKnown(slot, event.eventId) && record.offset < 0) {',
      },
    ],
  },
  {
    name: 'ids-forgotten',
    story: 'a restart forgets which events were there',
    edits: [{ file: SNAPSHOT, find: '{ r: slot.recentIds.encode() }', replace: '{}' }],
  },
  {
    name: 'alert-id-by-chance',
    story: 'an alert gets another id each time it is worked out',
    edits: [
      {
        file: 'src/streams/episode.ts',
        find: "return derivedId('alert', place.topic,",
        replace: "return derivedId('alert', Math.random(), place.topic,",
      },
    ],
  },
  {
    name: 'restore-without-journal',
    story: 'a restart does not apply what the batches saw besides their events',
    edits: [{ file: RESTORE, find: 'await applyEntry(options, entry)', replace: '' }],
  },
  {
    name: 'restore-skips-the-log',
    story: 'a restart takes the snapshot for the present',
    edits: [
      {
        file: RESTORE,
        find: 'task.beginAt(claim.snapshotOffset,',
        replace: 'task.beginAt(claim.nextOffset,',
      },
    ],
  },
  {
    name: 'journal-one-event-late',
    story: 'a restart applies an input after the event that followed it',
    edits: [
      {
        file: RESTORE,
        find: 'await runTo(options, entry.offset)',
        replace: 'await runTo(options, Math.min(claim.nextOffset, entry.offset + 1))',
      },
    ],
  },
  {
    name: 'timers-not-restored',
    story: 'a restart forgets the timers that are set',
    edits: [
      { file: SNAPSHOT, find: 'b: pack(slot.base),', replace: 'b: [pack(slot.base)[0]],' },
      {
        file: SNAPSHOT,
        find: 'head: head === undefined ? base : unpack(head)',
        replace: 'head: base',
      },
    ],
  },
  {
    name: 'event-before-not-restored',
    story: 'a restart forgets the event before those that may still be put in order',
    edits: [
      {
        file: TAIL,
        find: 'tail.#length = rows - 1',
        replace: 'tail.#length = rows - 1\n    tail.#numbers.fill(Number.NaN, 0, now)',
      },
    ],
  },
  {
    name: 'spare-still-in-use',
    story: 'a copy of a state is written over the one that late events are applied to',
    edits: [{ file: SLOT, find: 'spare = slot.base\n', replace: 'spare = mid.frame\n' }],
  },
  {
    name: 'silence-not-restored',
    story: 'a restart forgets since when a key is silent',
    edits: [
      {
        file: SNAPSHOT,
        find: 's: [slot.silentSinceMs, slot.silencesPassed, slot.silenceEpisodes]',
        replace: 's: [null, 0, []]',
      },
    ],
  },
  {
    name: 'windows-not-restored',
    story: 'a restart forgets what open windows hold',
    edits: [
      {
        file: TASK,
        find: 'if (found !== undefined) window.restore(found[1])',
        replace: '',
      },
    ],
  },
  {
    name: 'tick-while-lagging',
    story: 'wall time passes for a task that has not read what came before',
    edits: [
      {
        file: RUNNER,
        find: 'const tickMs = idle ? await this.#tickAt(beforeReadMs) : null',
        replace: 'const tickMs = beforeReadMs - TICK_GRACE_MS',
      },
    ],
  },
  {
    name: 'empty-read-means-caught-up',
    story: 'a read that brings nothing counts as the end of the log',
    edits: [
      {
        file: RUNNER,
        find: 'return endOffset > nextOffset ? null : tickMs',
        replace: 'return endOffset < 0 ? null : tickMs',
      },
    ],
  },
  {
    name: 'ticks-never-come',
    story: 'a quiet partition does not notice that time passes',
    edits: [{ file: RUNNER, find: 'if (!idle || tickMs !== null) {', replace: 'if (!idle) {' }],
  },
  {
    name: 'future-moves-time',
    story: 'a clock in the future is believed',
    edits: [
      {
        file: TASK,
        find: 'const future = event.recordedAtMs > record.receivedAtMs + FUTURE_TOLERANCE_MS',
        replace: 'const future = event.recordedAtMs < 0',
      },
    ],
  },
  {
    name: 'amendments-lost',
    story: 'late events do not amend the windows that were final',
    edits: [
      {
        file: TASK,
        find: '    this.#collectAmendments()\n    return this',
        replace: '    return this',
      },
    ],
  },
  {
    name: 'log-dropped-too-early',
    story: 'what a restart needs of the log is dropped once it is committed',
    edits: [
      {
        file: DATABASE,
        find: 'return Math.min(nextOffset, snapshotOffset)',
        replace: 'return Math.max(nextOffset, snapshotOffset)',
      },
    ],
  },
  {
    name: 'alias-forgotten',
    noticedBy: 'properties',
    story: 'an alert that kept its id through a late event loses it in a restart',
    edits: [{ file: SNAPSHOT, find: '{ a: [...slot.aliases] }', replace: '{}' }],
  },
  {
    name: 'revision-forgotten',
    noticedBy: 'examples',
    story: 'an alert that a late event brings back starts at revision 1 again',
    edits: [
      {
        file: SLOT,
        find: 'if (withdrawn) return episode.updatedAtMs >= slot.baseTimeMs && slot.tail.length > 0',
        replace: 'if (withdrawn) return false',
      },
    ],
  },
  {
    name: 'base-not-rewritten',
    story: 'an event out of order does not reach the state that becomes the base',
    noticedBy: 'properties',
    edits: [
      {
        file: TASK,
        find: 'if (slot.mid?.index === index) slot.mid = { ...slot.mid, frame: this.#copy(slot.head) }',
        replace: '',
      },
    ],
  },
  {
    name: 'same-id-twice',
    story: 'two alerts that a late event parts keep one id',
    noticedBy: 'examples',
    edits: [
      {
        file: 'src/streams/episode.ts',
        find: 'if (taken.has(episode.id)) {',
        replace: 'if (taken.size < 0) {',
      },
    ],
  },
  {
    name: 'effect-asked-twice',
    story: 'history that is worked out again asks for its effects again',
    noticedBy: 'properties',
    edits: [{ file: TASK, find: 'if (slot.effects.has(entry.id)) return', replace: '' }],
  },
  {
    name: 'late-tenant-starts-anew',
    story: 'windows of a tenant that comes later are open until the batch ends',
    noticedBy: 'properties',
    edits: [
      {
        file: TASK,
        find: 'window.beginAt(this.#newestEventMs - definition.allowanceMs)',
        replace: '',
      },
    ],
  },
  {
    name: 'label-by-arrival',
    story: 'the label that came last counts, not the latest',
    noticedBy: 'properties',
    edits: [
      {
        file: 'src/streams/windows.ts',
        find: 'if (known !== undefined && (known[1] > atMs || (known[1] === atMs && known[0] >= label))) return',
        replace: 'if (known === undefined && atMs < 0) return',
      },
    ],
  },
]
