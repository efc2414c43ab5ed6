// The jars of Apache Kafka, fetched by Maven once and kept in the git-ignored folder .servers.

import { spawn } from 'node:child_process'
import { existsSync, mkdirSync, readdirSync, renameSync, statSync, writeFileSync } from 'node:fs'
import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { programPath, removeFolder } from './server.ts'

export const KAFKA_VERSION = '4.4.0'
const LOGGER_VERSION = '2.25.5'
const SERVERS = fileURLToPath(new URL('../../.servers', import.meta.url))
const HOME = join(SERVERS, `kafka-${KAFKA_VERSION}`)
const MANIFEST = 'manifest.json'

/** Why Kafka can't be had on this machine; undefined where it can. */
export function kafkaMissing(): string | undefined {
  if (programPath('java') === undefined)
    return 'there is no java (apt-get install default-jre-headless)'
  if (existsSync(join(HOME, MANIFEST)) || programPath('mvn') !== undefined) return undefined
  return 'its jars are not in .servers, and there is no mvn to fetch them (apt-get install maven)'
}

/** The folder with all jars, complete; fetched where it is missing. */
export async function kafkaJars(): Promise<string> {
  if (await isComplete(HOME)) return HOME
  mkdirSync(SERVERS, { recursive: true })
  const fetched = join(SERVERS, `.kafka-${process.pid}`)
  removeFolder(fetched)
  mkdirSync(fetched)
  try {
    await fetchInto(fetched)
    // Another process may have been quicker; its folder is as good.
    if (await isComplete(HOME)) return HOME
    removeFolder(HOME)
    renameSync(fetched, HOME)
  } catch (error) {
    if (!(await isComplete(HOME))) throw error
  } finally {
    removeFolder(fetched)
  }
  return HOME
}

/** The manifest is written last and names every file with its size. */
async function isComplete(folder: string): Promise<boolean> {
  try {
    const sizes: unknown = JSON.parse(await readFile(join(folder, MANIFEST), 'utf8'))
    if (typeof sizes !== 'object' || sizes === null) return false
    return Object.entries(sizes).every(([name, size]) => statSync(join(folder, name)).size === size)
  } catch {
    return false
  }
}

async function fetchInto(folder: string): Promise<void> {
  writeFileSync(join(folder, 'pom.xml'), POM)
  await run('mvn', [
    '--batch-mode',
    '--quiet',
    '--file',
    join(folder, 'pom.xml'),
    'dependency:copy-dependencies',
    '-DincludeScope=runtime',
    `-DoutputDirectory=${folder}`,
  ])
  const jars = readdirSync(folder).filter((name) => name.endsWith('.jar'))
  const sizes = Object.fromEntries(jars.map((name) => [name, statSync(join(folder, name)).size]))
  writeFileSync(join(folder, MANIFEST), JSON.stringify(sizes))
}

const POM = `<project xmlns="http://maven.apache.org/POM/4.0.0">
  <modelVersion>4.0.0</modelVersion>
  <groupId>outrider</groupId>
  <artifactId>kafka-for-tests</artifactId>
  <version>1</version>
  <dependencies>
    <dependency>
      <groupId>org.apache.kafka</groupId>
      <artifactId>kafka_2.13</artifactId>
      <version>${KAFKA_VERSION}</version>
    </dependency>
    <dependency>
      <groupId>org.apache.logging.log4j</groupId>
      <artifactId>log4j-slf4j-impl</artifactId>
      <version>${LOGGER_VERSION}</version>
    </dependency>
  </dependencies>
</project>
`

/** Rejects with what the program printed where it fails. */
export function run(command: string, args: readonly string[]): Promise<string> {
  return new Promise((resolve, reject) => {
    const child = spawn(command, args, { stdio: ['ignore', 'pipe', 'pipe'] })
    let output = ''
    for (const stream of [child.stdout, child.stderr]) {
      stream.on('data', (text: Buffer) => {
        output += text
      })
    }
    child.once('error', reject)
    child.once('close', (code) => {
      if (code === 0) resolve(output)
      else reject(new Error(`${command} ended with ${code}:\n${output}`))
    })
  })
}
