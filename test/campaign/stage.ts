// What a campaign runs on: three brokers behind links of ours, PostgreSQL, Redis, and the program in its roles.

import { type LinkProxy, openLinkProxy } from '../link-proxy.ts'
import { type Program, startProgram } from '../program.ts'
import { startKafka, type TestKafka } from '../servers/kafka.ts'
import { kafkaMissing } from '../servers/kafka-jars.ts'
import { postgresMissing, startPostgres, type TestPostgresServer } from '../servers/postgres.ts'
import { redisMissing, startRedis, type TestRedis } from '../servers/redis.ts'
import { removeFolder, serverFolder } from '../servers/server.ts'

export interface StagePlan {
  readonly brokers: 1 | 3
  readonly tasks: number
  readonly doors: number
}

export const WHOLE_STAGE: StagePlan = { brokers: 3, tasks: 4, doors: 2 }

/** A process of the program that comes back when it was killed. */
export interface Actor {
  readonly name: string
  program(): Program
  kill(): Promise<void>
  revive(): Promise<void>
}

export interface Stage {
  readonly kafka: TestKafka
  readonly links: readonly LinkProxy[]
  readonly postgres: TestPostgresServer
  readonly redis: TestRedis
  readonly doors: readonly Actor[]
  readonly tasks: readonly Actor[]
  readonly environment: NodeJS.ProcessEnv
  /** One more process of tasks, for as long as it is not killed. */
  extraTasks(): Promise<Actor>
  close(): Promise<void>
}

/** Why a campaign can't run here; empty where it can. */
export function stageMissing(): readonly string[] {
  return [kafkaMissing(), postgresMissing(), redisMissing()].filter((why) => why !== undefined)
}

export async function setStage(plan: StagePlan = WHOLE_STAGE): Promise<Stage> {
  const closers: (() => Promise<unknown>)[] = []
  const close = async (): Promise<void> => {
    for (const closer of closers.splice(0).reverse()) await closer()
  }
  try {
    const links: LinkProxy[] = []
    closers.push(() => Promise.all(links.map((link) => link.close())))
    const [kafka, postgres, redis] = await Promise.all([
      startKafka({
        brokers: plan.brokers,
        advertise: async (port) => {
          const link = await openLinkProxy({ host: '127.0.0.1', port })
          links.push(link)
          return link.port
        },
      }),
      startPostgres(),
      startRedis(),
    ])
    closers.push(
      () => kafka.stop(),
      () => postgres.stop(),
      () => redis.stop(),
    )
    const folder = serverFolder('campaign')
    closers.push(async () => removeFolder(folder))
    const environment = {
      ...kafka.settings,
      ...postgres.settings,
      ...redis.settings,
      OUTRIDER_VIEWS: 'redis',
      OUTRIDER_LOG_LEVEL: 'warn',
    }
    let actors = 0
    const actor = async (roles: string): Promise<Actor> => {
      const name = `${roles}-${++actors}`
      const start = (): Promise<Program> =>
        startProgram(`${folder}/${name}`, ['--no-simulate', '--roles', roles], environment)
      let program = await start()
      closers.push(() => program.kill())
      return {
        name,
        program: () => program,
        kill: () => program.kill(),
        async revive() {
          program = await start()
        },
      }
    }
    const several = async (roles: string, count: number): Promise<readonly Actor[]> => {
      const first = await actor(roles)
      const rest = Array.from({ length: count - 1 }, () => actor(roles))
      return [first, ...(await Promise.all(rest))]
    }
    const tasks = await several('tasks', plan.tasks)
    const doors = await several('doors', plan.doors)
    return {
      kafka,
      links,
      postgres,
      redis,
      doors,
      tasks,
      environment,
      extraTasks: () => actor('tasks'),
      close,
    }
  } catch (error) {
    await close()
    throw error
  }
}
