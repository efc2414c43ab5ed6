// `npm run cluster`: everything in many processes on this machine, with simulated fleets and one address to
// open. Ctrl-C stops all of it and removes its data.

import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { fileURLToPath } from 'node:url'
import { parseArgs } from 'node:util'
import { type Cluster, type ClusterRole, clusterMissing, startCluster } from './cluster.ts'

const MAIN = fileURLToPath(new URL('../../src/app/main.ts', import.meta.url))

const { values } = parseArgs({
  options: {
    port: { type: 'string', default: '8080' },
    'no-simulate': { type: 'boolean', default: false },
  },
})

const missing = clusterMissing()
if (missing !== undefined) {
  console.error(`The cluster can't be started here: ${missing}.`)
  process.exit(1)
}

const stopped = new Promise<void>((resolve) => {
  process.on('SIGINT', () => resolve()).on('SIGTERM', () => resolve())
})

try {
  const cluster = await startCluster({
    brokers: 3,
    doors: 2,
    tasks: 2,
    serve: 2,
    port: Number(values.port),
    say: (what) => console.error(`Starting ${what} …`),
  })
  const fleets = values['no-simulate'] ? undefined : simulate(cluster.front.address)
  console.log(welcome(cluster))
  await stopped
  console.error('Stopping …')
  if (fleets !== undefined && fleets.exitCode === null) {
    fleets.kill('SIGTERM')
    await once(fleets, 'exit')
  }
  await cluster.stop()
} catch (error) {
  console.error(error instanceof Error ? error.message : error)
  process.exitCode = 1
}

function simulate(address: string) {
  return spawn(process.execPath, [MAIN, 'simulate', 'all', '--to', address], {
    stdio: 'ignore',
    // A Ctrl-C at the terminal is for us; we end it in order.
    detached: true,
  })
}

function welcome(cluster: Cluster): string {
  const roles: readonly ClusterRole[] = ['doors', 'tasks', 'serve']
  const processes = roles.flatMap((role) =>
    cluster
      .processes(role)
      .map(({ address, process }) => `  ${role.padEnd(6)} process ${process.pid}  ${address}`),
  )
  const settings = Object.entries(cluster.settings).map(
    ([name, value]) => `export ${name}=${value}`,
  )
  return [
    '',
    `Outrider is running in ${processes.length} processes at ${cluster.front.address}`,
    ...processes,
    '',
    'For commands beside it, such as npx outrider verify:',
    ...settings.map((line) => `  ${line}`),
    '',
    'Kill a process (kill -9) and watch; Ctrl-C stops all of it and removes its data.',
    '',
  ].join('\n')
}
