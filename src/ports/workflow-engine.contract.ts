// What every engine of workflows must do: run each once, keep its steps, and let another go on with what one left.

import assert from 'node:assert/strict'
import { describe, it, type TestContext } from 'node:test'
import { PlatformError } from '../kernel/errors.ts'
import type {
  Kept,
  OpeningStep,
  WorkflowContext,
  WorkflowDefinition,
  WorkflowEnd,
  WorkflowEngine,
} from './workflow-engine.ts'

export interface EngineOptions {
  /** Of the process that the engine is in. */
  readonly executorId: string
  readonly workflows: readonly WorkflowDefinition[]
  onEnd(id: string, end: WorkflowEnd): Promise<void>
}

/** Workflows are kept from one engine of a store to the next; one is open at a time. */
export type OpenEngine = (options: EngineOptions) => Promise<WorkflowEngine>

export interface EnginesUnderTest {
  /** A store of its own for one test. */
  readonly store: (t: TestContext) => Promise<OpenEngine>
  readonly nowMs: () => number
  readonly newId: () => string
}

const HOUR_MS = 3_600_000

/** What happened in workflows under test, in order. */
class Stage {
  readonly done: string[] = []
  readonly ends = new Map<string, WorkflowEnd>()
  readonly #waiting = new Set<() => void>()

  note = (what: string): string => {
    this.done.push(what)
    this.#look()
    return what
  }

  onEnd = async (id: string, end: WorkflowEnd): Promise<void> => {
    this.ends.set(id, end)
    this.#look()
  }

  until(holds: () => boolean): Promise<void> {
    return new Promise((resolve) => {
      const look = (): void => {
        if (!holds()) return
        this.#waiting.delete(look)
        resolve()
      }
      this.#waiting.add(look)
      look()
    })
  }

  #look(): void {
    for (const look of [...this.#waiting]) look()
  }
}

export function describeWorkflowEngine(
  name: string,
  { store, nowMs, newId }: EnginesUnderTest,
): void {
  /** One engine whose only workflow is `run`; `again` is another process after the first has gone. */
  async function engineOf(
    t: TestContext,
    run: (context: WorkflowContext, stage: Stage, input: unknown) => Promise<string>,
  ) {
    const open = await store(t)
    const stage = new Stage()
    const workflows = [
      {
        name: 'work',
        run: async (context: WorkflowContext, input: unknown) => ({
          outcome: await run(context, stage, input),
        }),
      },
    ]
    const opened = { engine: await open({ executorId: 'first', workflows, onEnd: stage.onEnd }) }
    t.after(() => opened.engine.stop())
    return {
      stage,
      engine: () => opened.engine,
      start: (id: string, input: unknown = null, opening: readonly OpeningStep[] = []) =>
        opened.engine.start({ id, name: 'work', tenantId: 'default', input, opening }),
      signal: (workflowId: string, value: Kept, key: string) =>
        opened.engine.signal({ workflowId, topic: 'answer', value, key }),
      async again(executorId: string) {
        await opened.engine.stop()
        opened.engine = await open({ executorId, workflows, onEnd: stage.onEnd })
      },
    }
  }

  describe(`${name} as an engine of workflows`, () => {
    it('runs what is started with its input, once for its id, and tells how it ended', async (t) => {
      const { stage, engine, start } = await engineOf(t, async (context, _stage, input) =>
        context.step('say', async () => `${context.tenantId} ${JSON.stringify(input)}`),
      )
      const [id, other] = [newId(), newId()]
      await Promise.all([start(id, { a: [1] }), start(id, { a: [1] })])
      await start(other, 'two')
      await stage.until(() => stage.ends.size === 2)
      await start(id, { a: [1] })
      const end = { status: 'done', detail: null }
      assert.deepEqual(stage.ends.get(id), { ...end, outcome: 'default {"a":[1]}' })
      assert.deepEqual(stage.ends.get(other), { ...end, outcome: 'default "two"' })
      const steps = await engine().steps(id)
      assert.deepEqual(
        steps.map(({ name: step, result, error }) => ({ step, result, error })),
        [{ step: 'say', result: 'default {"a":[1]}', error: null }],
      )
    })

    it('starts nothing that it does not know', async (t) => {
      const { engine } = await engineOf(t, async () => 'never')
      const start = { id: newId(), name: 'other', tenantId: 'default', input: null, opening: [] }
      await assert.rejects(
        engine().start(start),
        (error) => error instanceof PlatformError && error.code === 'not-found',
      )
    })

    it('does not do again what the opening has done, and goes on after it', async (t) => {
      const { stage, start } = await engineOf(t, async (context, { note }) => {
        const looked = await context.step('look up', async () => note('looked up'))
        const atMs = await context.nowMs()
        return `${looked}, ${atMs}, ${await context.step('act', async () => note('acted'))}`
      })
      const id = newId()
      const step = { error: null, startedAtMs: 1, endedAtMs: 2 }
      await start(id, null, [
        { ...step, name: 'look up', result: '"from the opening"' },
        { ...step, name: 'note the time', result: '42' },
      ])
      await stage.until(() => stage.ends.has(id))
      assert.equal(stage.ends.get(id)?.outcome, 'from the opening, 42, acted')
      assert.deepEqual(stage.done, ['acted'])
    })

    it('keeps signals until the workflow asks, each key once, and gives null once it is time', async (t) => {
      const { stage, start, signal } = await engineOf(t, async (context) => {
        const heard: Kept[] = []
        for (let number = 0; number < 2; number++) {
          heard.push(await context.receive('answer', nowMs() + HOUR_MS))
        }
        heard.push(await context.receive('answer', nowMs()))
        return JSON.stringify(heard)
      })
      const id = newId()
      await start(id)
      await signal(id, { action: 'accept' }, 'one')
      await signal(id, { action: 'accept' }, 'one')
      await signal(id, 'two', 'two')
      await stage.until(() => stage.ends.has(id))
      assert.equal(stage.ends.get(id)?.outcome, '[{"action":"accept"},"two",null]')
    })

    it('refuses a signal to what was never started', async (t) => {
      const { signal } = await engineOf(t, async () => 'never')
      await assert.rejects(signal(newId(), 'x', 'key'))
    })

    it('tries a step again that may succeed later, and no other', async (t) => {
      let tries = 0
      const { stage, start } = await engineOf(t, async (context, _stage, input) => {
        const retry = input === 'later' ? ('later' as const) : ('never' as const)
        return context.step('try', async () => {
          tries += 1
          if (tries === 2) return 'worked'
          throw new PlatformError('database-unavailable', 'not now', { retry })
        })
      })
      const [later, never] = [newId(), newId()]
      await start(later, 'later')
      await stage.until(() => stage.ends.has(later))
      assert.equal(stage.ends.get(later)?.outcome, 'worked')
      tries = 0
      await start(never, 'never')
      await stage.until(() => stage.ends.has(never))
      assert.deepEqual(stage.ends.get(never), {
        ...{ status: 'failed', outcome: 'failed', detail: 'not now' },
      })
    })

    it('runs a failed one again from the step that failed, and nothing that has not ended', async (t) => {
      let isBroken = true
      const { stage, engine, start } = await engineOf(t, async (context, { note, done }) => {
        await context.step('first', async () => note('first'))
        return context.step('second', async () => {
          if (isBroken) throw new Error('broken')
          return note(`second after ${done.length}`)
        })
      })
      const id = newId()
      await start(id)
      await stage.until(() => stage.ends.has(id))
      assert.equal(stage.ends.get(id)?.status, 'failed')
      isBroken = false
      stage.ends.clear()
      await untilTrue(() => engine().retry(id))
      await stage.until(() => stage.ends.has(id))
      assert.deepEqual(stage.done, ['first', 'second after 1'])
      assert.equal(await engine().retry(newId()), false)
    })

    it('runs one again from its start that ended without a step that failed', async (t) => {
      const { stage, engine, start } = await engineOf(t, async (context, { note }) => {
        await context.step('first', async () => note('first'))
        return context.step('second', async () => note('second'))
      })
      const id = newId()
      await start(id)
      await stage.until(() => stage.ends.has(id))
      stage.ends.clear()
      await untilTrue(() => engine().retry(id))
      await stage.until(() => stage.ends.has(id))
      assert.deepEqual(stage.done, ['first', 'second', 'first', 'second'])
    })

    it('lets another process go on with what one left, past the steps that are kept', async (t) => {
      const { stage, engine, start, signal, again } = await engineOf(
        t,
        async (context, { note }) => {
          await context.step('before', async () => note('before'))
          const heard = await context.receive('answer', nowMs() + HOUR_MS)
          return context.step('after', async () => note(`after ${heard}`))
        },
      )
      const id = newId()
      await start(id)
      await stage.until(() => stage.done.length === 1)
      await untilTrue(async () => (await engine().steps(id)).length > 0)
      assert.deepEqual(await engine().busyExecutors(), ['first'])
      await again('second')
      assert.equal(stage.ends.size, 0)
      await engine().takeOver('first')
      await signal(id, 'yes', 'key')
      await stage.until(() => stage.ends.has(id))
      assert.deepEqual(stage.done, ['before', 'after yes'])
      await untilTrue(async () => (await engine().busyExecutors()).length === 0)
      assert.equal(engine().running(), 0)
    })
  })
}

/** What the engine keeps right after it told of it. */
async function untilTrue(holds: () => Promise<boolean>): Promise<void> {
  while (!(await holds())) await new Promise((resolve) => setImmediate(resolve))
}
