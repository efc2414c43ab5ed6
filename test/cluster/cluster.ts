// The program in many processes over real servers: Kafka, PostgreSQL, Redis, doors, tasks, servers, and one
// address in front of them.

import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { type Program, startProgram } from '../program.ts'
import { startKafka, type TestKafka } from '../servers/kafka.ts'
import { kafkaMissing } from '../servers/kafka-jars.ts'
import { postgresMissing, startPostgres, type TestPostgresServer } from '../servers/postgres.ts'
import { redisMissing, startRedis, type TestRedis } from '../servers/redis.ts'
import { type Front, startFront } from './front.ts'

export type ClusterRole = 'doors' | 'tasks' | 'serve'

export interface ClusterPlan {
  readonly brokers: 1 | 3
  readonly doors: number
  readonly tasks: number
  readonly serve: number
  /** Of the one address; default: a free one. */
  readonly port?: number
  /** Further settings of every process. */
  readonly settings?: Readonly<Record<string, string>>
  readonly say?: (what: string) => void
}

export interface Cluster {
  readonly kafka: TestKafka
  readonly postgres: TestPostgresServer
  readonly redis: TestRedis
  readonly front: Front
  /** The settings that name its servers. */
  readonly settings: Readonly<Record<string, string>>
  processes(role: ClusterRole): readonly Program[]
  /** Starts one more and waits until it is ready. */
  add(role: ClusterRole): Promise<Program>
  /** Ends one as an operator does, or kills it, and forgets it. */
  remove(program: Program, how: 'stop' | 'kill'): Promise<void>
  stop(): Promise<void>
}

/** Why no cluster can be started here; undefined where it can. */
export function clusterMissing(): string | undefined {
  const missing = [kafkaMissing(), postgresMissing(), redisMissing()]
  const reasons = missing.filter((reason) => reason !== undefined)
  return reasons.length === 0 ? undefined : reasons.join('; ')
}

export async function startCluster(plan: ClusterPlan): Promise<Cluster> {
  const say = plan.say ?? (() => undefined)
  const ends: (() => Promise<unknown>)[] = []
  const stop = async (): Promise<void> => {
    for (const end of ends.splice(0).reverse()) await end()
  }
  const running = new Map<Program, ClusterRole>()
  try {
    say(`Apache Kafka, ${plan.brokers} broker(s)`)
    const kafka = await startKafka({ brokers: plan.brokers })
    ends.push(() => kafka.stop())
    say('PostgreSQL and Redis')
    const postgres = await startPostgres()
    ends.push(() => postgres.stop())
    const redis = await startRedis()
    ends.push(() => redis.stop())
    const folder = mkdtempSync(join(tmpdir(), 'outrider-cluster-'))
    ends.push(async () => rmSync(folder, { recursive: true, force: true }))
    const settings = {
      ...kafka.settings,
      ...postgres.settings,
      ...redis.settings,
      ...plan.settings,
    }
    const processes = (role: ClusterRole): readonly Program[] =>
      [...running].filter(([, its]) => its === role).map(([program]) => program)
    const add = async (role: ClusterRole): Promise<Program> => {
      const program = await startProgram(
        join(folder, 'data'),
        ['--no-simulate', '--roles', role],
        settings,
      )
      running.set(program, role)
      return program
    }
    ends.push(() => Promise.all([...running.keys()].map((program) => program.stop())))
    const roles: readonly ClusterRole[] = ['tasks', 'doors', 'serve']
    for (const role of roles) {
      say(`${plan[role]} process(es) of ${role}`)
      for (let index = 0; index < plan[role]; index++) await add(role)
    }
    const addresses = (role: ClusterRole) => () => processes(role).map(({ address }) => address)
    const front = await startFront(
      { doors: addresses('doors'), serve: addresses('serve') },
      plan.port,
    )
    ends.push(() => front.close())
    return {
      kafka,
      postgres,
      redis,
      front,
      settings,
      processes,
      add,
      async remove(program, how) {
        running.delete(program)
        await (how === 'stop' ? program.stop() : program.kill())
      },
      stop,
    }
  } catch (error) {
    await stop()
    throw error
  }
}
