// Jars of servers, fetched by Maven once and kept in the git-ignored folder .servers.

import { spawn } from 'node:child_process'
import { existsSync, mkdirSync, readdirSync, renameSync, statSync, writeFileSync } from 'node:fs'
import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { holding } from './held-names.ts'
import { programPath, removeFolder } from './server.ts'

const SERVERS = fileURLToPath(new URL('../../.servers', import.meta.url))
const MANIFEST = 'manifest.json'

export interface JarSet {
  /** Its folder, with the version in it. */
  readonly name: string
  /** `group:artifact:version` of each. */
  readonly artifacts: readonly string[]
}

/** Why these jars can't be run on this machine; undefined where they can. */
export function jarsMissing(set: JarSet): string | undefined {
  if (programPath('java') === undefined)
    return 'there is no java (apt-get install default-jre-headless)'
  if (existsSync(join(home(set), MANIFEST)) || programPath('mvn') !== undefined) return undefined
  return 'its jars are not in .servers, and there is no mvn to fetch them (apt-get install maven)'
}

/** The folder with all jars, and what they need; fetched where it is missing. */
export async function jarFolder(set: JarSet): Promise<string> {
  const folder = home(set)
  if (await isComplete(folder)) return folder
  mkdirSync(SERVERS, { recursive: true })
  // One at a time: Maven's own store takes no two, and a folder in use must not be put in place again.
  await holding(`jars-${set.name}`, async () => {
    if (!(await isComplete(folder))) await fetchTo(folder, set)
  })
  return folder
}

async function fetchTo(folder: string, set: JarSet): Promise<void> {
  const fetched = join(SERVERS, `.${set.name}-${process.pid}`)
  removeFolder(fetched)
  mkdirSync(fetched)
  try {
    await fetchInto(fetched, set)
    removeFolder(folder)
    renameSync(fetched, folder)
  } finally {
    removeFolder(fetched)
  }
}

function home({ name }: JarSet): string {
  return join(SERVERS, name)
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

async function fetchInto(folder: string, set: JarSet): Promise<void> {
  writeFileSync(join(folder, 'pom.xml'), pom(set))
  await run('mvn', [
    '--batch-mode',
    '--quiet',
    '--file',
    join(folder, 'pom.xml'),
    'dependency:copy-dependencies',
    '-DincludeScope=runtime',
    `-DoutputDirectory=${folder}`,
  ])
  const jars = readdirSync(folder).filter((name) => name !== 'pom.xml')
  const sizes = Object.fromEntries(jars.map((name) => [name, statSync(join(folder, name)).size]))
  writeFileSync(join(folder, MANIFEST), JSON.stringify(sizes))
}

function pom({ artifacts }: JarSet): string {
  const dependencies = artifacts.map((artifact) => {
    const [group = '', name = '', version = ''] = artifact.split(':')
    return `<dependency>
      <groupId>${group}</groupId>
      <artifactId>${name}</artifactId>
      <version>${version}</version>
    </dependency>`
  })
  return `<project xmlns="http://maven.apache.org/POM/4.0.0">
  <modelVersion>4.0.0</modelVersion>
  <groupId>outrider</groupId>
  <artifactId>servers-for-tests</artifactId>
  <version>1</version>
  <dependencies>
    ${dependencies.join('\n    ')}
  </dependencies>
</project>
`
}

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
