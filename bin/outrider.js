#!/usr/bin/env node
// Runs the program on the Node that npm installed, whichever node the shell has. This file alone must run
// on an old one.

import { spawn } from 'node:child_process'
import { existsSync } from 'node:fs'
import { createRequire } from 'node:module'
import { constants } from 'node:os'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'

const OLDEST_NODE = 24
const root = fileURLToPath(new URL('..', import.meta.url))
const node = installedNode()

if (node === undefined) {
  process.stderr.write(
    `Outrider is not installed in ${root}: its packages are missing, or not whole. ` +
      'Run "npm ci" there, then try again.\n',
  )
  process.exitCode = 1
} else {
  run(node)
}

/** The Node that came with the packages; without it our own, where the packages are there and it is new enough. */
function installedNode() {
  const { resolve } = createRequire(import.meta.url)
  try {
    const bundled = join(dirname(resolve('node/package.json')), 'bin/node')
    if (existsSync(bundled)) return bundled
  } catch {
    // It is not installed.
  }
  try {
    resolve('commander')
  } catch {
    return undefined
  }
  return Number.parseInt(process.versions.node, 10) >= OLDEST_NODE ? process.execPath : undefined
}

function run(program) {
  const main = join(root, 'src/app/main.ts')
  const child = spawn(program, [main, ...process.argv.slice(2)], { stdio: 'inherit' })
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP']) {
    process.on(signal, () => child.kill(signal))
  }
  child.on('error', (error) => {
    process.stderr.write(`Cannot start ${program}: ${error.message}. Run "npm ci" in ${root}.\n`)
    process.exitCode = 1
  })
  child.on('exit', (code, signal) => {
    process.exitCode = signal === null ? (code ?? 1) : 128 + (constants.signals[signal] ?? 0)
  })
}
