// Rules: those in force, checking and writing them, and running them over history without effects.

import { type Static, Type } from '@sinclair/typebox'
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify'
import { toIso } from '../../kernel/time.ts'
import { RULE_NAME, ruleDocumentSchema } from '../../rules/rule-document.ts'
import { type LocatedProblem, MAX_RULE_FILE_CHARACTERS } from '../../rules/rule-file.ts'
import { principalOf } from '../access.ts'
import type { ApiContext } from '../context.ts'
import { HttpProblem } from '../problems.ts'
import type { CheckedRule, RuleDesk, TrialProblem } from '../rule-desk.ts'
import { listOf, nullable, query, text } from '../schemas.ts'
import { instantOf, rangeOf } from '../validation.ts'

const RETRY_AFTER_S = 10
const END_OF_TIME_MS = Date.UTC(9999, 0)

const ruleSchema = Type.Object({
  name: Type.String(),
  version: Type.Integer(),
  topic: Type.String(),
  severity: Type.String(),
  title: Type.String(),
  description: nullable(Type.String()),
  condition: nullable(Type.String()),
  for: nullable(Type.String()),
  keepFiringFor: nullable(Type.String()),
  enabled: Type.Boolean(),
  source: Type.String(),
  editable: Type.Boolean(),
  cases: Type.Integer(),
  failures: Type.Integer({ description: 'Events it could not judge since the program started' }),
  lastFailure: nullable(
    Type.Object({ key: Type.String(), offset: Type.Integer(), missing: Type.String() }),
  ),
  document: Type.Unknown({ description: 'The rule document' }),
})
const problemSchema = Type.Object({
  line: Type.Integer(),
  column: Type.Integer(),
  endColumn: Type.Integer(),
  rule: nullable(Type.String()),
  path: Type.String(),
  message: Type.String(),
})
const fileProblemSchema = Type.Composite([problemSchema, Type.Object({ file: Type.String() })])
const listSchema = Type.Composite([
  listOf(ruleSchema),
  Type.Object({ problems: Type.Array(fileProblemSchema) }),
])
const checkSchema = Type.Object({
  problems: Type.Array(problemSchema),
  document: nullable(Type.Unknown()),
  cases: Type.Array(
    Type.Object({
      name: Type.String(),
      problems: Type.Array(Type.String()),
      alerts: Type.Array(Type.Record(Type.String(), Type.Unknown())),
    }),
  ),
})
const nameParameter = Type.Object({ name: Type.String({ pattern: RULE_NAME }) })
const ruleText = Type.String({ minLength: 1, maxLength: MAX_RULE_FILE_CHARACTERS })
const textBody = Type.Object(
  { text: ruleText },
  { additionalProperties: false, description: 'The rule document as YAML or JSON' },
)
const replayBody = Type.Object(
  {
    text: Type.Optional(ruleText),
    from: Type.Optional(Type.String({ maxLength: 40 })),
    to: Type.Optional(Type.String({ maxLength: 40 })),
  },
  { additionalProperties: false, description: 'Without a text the rule in force is run' },
)
const explainQuery = query({ entity: text(), at: Type.Optional(text()) })
const tags = ['rules']

type Name = Static<typeof nameParameter>

export function ruleRoutes(app: FastifyInstance, { options }: ApiContext): void {
  const desk = options.ruleDesk
  readingRoutes(app, desk)
  writingRoutes(app, desk)
  historyRoutes(app, desk, options)
}

function readingRoutes(app: FastifyInstance, desk: RuleDesk): void {
  const config = { access: 'read' } as const

  app.get(
    '/rules',
    { config, schema: { tags, summary: 'Rules in force', response: { 200: listSchema } } },
    async () => ({ items: desk.list(), next: null, problems: desk.problems() }),
  )

  app.get(
    '/rules/schema',
    { config, schema: { tags, summary: 'JSON schema of a rule document' } },
    async () => ({
      $schema: 'https://json-schema.org/draft/2020-12/schema',
      ...ruleDocumentSchema,
    }),
  )

  app.get(
    '/rules/topics',
    { config, schema: { tags, summary: 'Topics, and the fields that conditions may name' } },
    async () => ({ items: desk.topics(), next: null }),
  )

  app.get<{ Params: Name }>(
    '/rules/:name',
    {
      config,
      schema: {
        tags,
        summary: 'A rule as it was written, and its versions',
        params: nameParameter,
      },
    },
    async ({ params: { name } }) => {
      const rule = desk.list().find((each) => each.name === name)
      if (rule === undefined) throw unknown(name)
      const versions = await desk.versions(name)
      return {
        ...rule,
        text: desk.text(name) ?? '',
        versions: versions.map(({ createdAtMs, ...version }) => ({
          ...version,
          createdAt: toIso(createdAtMs),
        })),
      }
    },
  )

  app.post<{ Body: Static<typeof textBody> }>(
    '/rules/check',
    {
      config,
      bodyLimit: 2 * MAX_RULE_FILE_CHARACTERS,
      schema: {
        tags,
        summary: 'Check a rule and run its cases; nothing is kept',
        body: textBody,
        response: { 200: checkSchema },
      },
    },
    async ({ body }): Promise<CheckedRule> => desk.check(body.text),
  )
}

function writingRoutes(app: FastifyInstance, desk: RuleDesk): void {
  const config = { access: 'administer' } as const

  app.put<{ Params: Name; Body: Static<typeof textBody> }>(
    '/rules/:name',
    {
      config,
      bodyLimit: 2 * MAX_RULE_FILE_CHARACTERS,
      schema: {
        tags,
        summary: 'Put a rule in force; what it replaces stays as a version',
        params: nameParameter,
        body: textBody,
        response: { 200: ruleSchema },
      },
    },
    async (request) => {
      const { name } = request.params
      const written = await desk.write(name, request.body.text, principalOf(request).name)
      if (written.ok) return written.value
      const { error } = written
      switch (error.kind) {
        case 'invalid':
          throw invalid(error.problems)
        case 'defined-in-file':
          throw new HttpProblem(
            'conflict',
            `Rule ${name} is defined in the file ${error.file}. Change it there, or take it out of it.`,
          )
        case 'other-name':
          throw new HttpProblem(
            'invalid-request',
            `The text must hold one rule, of the name ${name}; found ${error.found}.`,
          )
        case 'nothing-to-switch-off':
          throw new HttpProblem(
            'not-found',
            `There is no built-in rule ${name} to switch off; there are ${error.known.join(', ')}. ` +
              'A rule that was written here is switched off by its whole text with disabled: true.',
          )
      }
    },
  )

  app.delete<{ Params: Name }>(
    '/rules/:name',
    {
      config,
      schema: {
        tags,
        summary: 'Take back what was written; a built-in rule of the name is in force again',
        params: nameParameter,
      },
    },
    async ({ params: { name } }, reply) => {
      if (!(await desk.erase(name))) throw unknown(name)
      return reply.code(204).send()
    },
  )
}

function historyRoutes(
  app: FastifyInstance,
  desk: RuleDesk,
  { clock }: ApiContext['options'],
): void {
  app.post<{ Params: Name; Body: Static<typeof replayBody> }>(
    '/rules/:name/replay',
    {
      config: { access: 'operate' },
      bodyLimit: 2 * MAX_RULE_FILE_CHARACTERS,
      schema: {
        tags,
        summary:
          'Run a rule over history, and compare with what was recorded; with Accept: application/x-ndjson progress comes first',
        params: nameParameter,
        body: replayBody,
      },
    },
    async (request, reply) => {
      const { name } = request.params
      const source = request.body.text ?? desk.text(name)
      if (source === undefined) throw unknown(name)
      const { problems, document } = desk.check(source)
      if (document === null) throw invalid(problems)
      if (document.name !== name) {
        throw new HttpProblem('invalid-request', `The text holds ${document.name}, not ${name}.`)
      }
      const { from, to } = request.body
      const { fromMs = 0, toMs = END_OF_TIME_MS } = rangeOf({
        ...(from === undefined ? {} : { from }),
        ...(to === undefined ? {} : { to }),
      })
      const { tenantId } = principalOf(request)
      return withProgress(request, reply, async (listener) => {
        const outcome = await desk.replay({ document, tenantId, fromMs, toMs }, listener)
        if (outcome.ok) return outcome.value
        throw trialProblem(outcome.error, name)
      })
    },
  )

  app.get<{ Params: Name; Querystring: Static<typeof explainQuery> }>(
    '/rules/:name/explain',
    {
      config: { access: 'read' },
      schema: {
        tags,
        summary: 'Why a rule fired for an entity at a moment, or what kept it from firing',
        params: nameParameter,
        querystring: explainQuery,
      },
    },
    async (request, reply) => {
      const { name } = request.params
      const { entity, at } = request.query
      const atMs = instantOf('at', at) ?? clock.nowMs()
      const { tenantId } = principalOf(request)
      return withProgress(request, reply, async (listener) => {
        const outcome = await desk.explain(name, { entityId: entity, tenantId, atMs }, listener)
        if (outcome.ok) return outcome.value
        throw trialProblem(outcome.error, name)
      })
    },
  )
}

/** Streams progress to whoever asks for it; the work ends when the client goes. */
async function withProgress(
  request: FastifyRequest,
  reply: FastifyReply,
  work: (listener: Parameters<RuleDesk['replay']>[1]) => Promise<object>,
): Promise<unknown> {
  const gone = new AbortController()
  request.raw.socket.once('close', () => gone.abort())
  const streams = request.headers.accept?.includes('application/x-ndjson') === true
  if (!streams) return work({ onProgress() {}, signal: gone.signal })
  const lines = new ProgressLines()
  reply.type('application/x-ndjson')
  work({
    onProgress: (events, ofEvents) => lines.say({ progress: { events, ofEvents } }),
    signal: gone.signal,
  }).then(
    (result) => lines.end({ result }),
    (error: unknown) => {
      request.log.error({ err: error }, 'replay-failed')
      const detail = error instanceof HttpProblem ? error.message : 'The run failed on our side.'
      lines.end({ error: { detail } })
    },
  )
  return reply.send(lines.stream)
}

/** One JSON document a line. */
class ProgressLines {
  #controller: ReadableStreamDefaultController<Uint8Array> | null = null
  readonly stream = new ReadableStream<Uint8Array>({
    start: (controller) => {
      this.#controller = controller
    },
    cancel: () => {
      this.#controller = null
    },
  })

  say(document: object): void {
    this.#controller?.enqueue(Buffer.from(`${JSON.stringify(document)}\n`))
  }

  end(document: object): void {
    this.say(document)
    this.#controller?.close()
    this.#controller = null
  }
}

function unknown(name: string): HttpProblem {
  return new HttpProblem('not-found', `There is no rule ${name}.`)
}

function trialProblem(problem: TrialProblem, name: string): HttpProblem {
  if (problem === 'unknown-rule') return unknown(name)
  return new HttpProblem('busy', 'Other rules are being run over history. Try again shortly.', {
    retryAfterS: RETRY_AFTER_S,
  })
}

function invalid(problems: readonly LocatedProblem[]): HttpProblem {
  const errors = problems.map(({ line, column, path, message }) => ({
    path: `/${path.replaceAll('.', '/')}`,
    code: 'invalid-rule',
    message: `line ${line}, column ${column}: ${message}`,
  }))
  const detail = errors.map(({ message }) => message).join('; ')
  return new HttpProblem('invalid-request', detail === '' ? 'There is no rule in it.' : detail, {
    errors,
  })
}
