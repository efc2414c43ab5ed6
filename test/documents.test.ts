// Documents say what is true: links lead somewhere, commands and options exist, the reading of the README
// is one that the door takes.

import assert from 'node:assert/strict'
import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { dirname, join, resolve } from 'node:path'
import { test } from 'node:test'
import { fileURLToPath } from 'node:url'
import { eventTopics } from '../src/app/topics.ts'
import { runCommand } from './program.ts'

const root = fileURLToPath(new URL('..', import.meta.url))

function documents(): readonly { readonly path: string; readonly text: string }[] {
  const inDocs = readdirSync(join(root, 'docs'), { recursive: true, encoding: 'utf8' }).map(
    (path) => join('docs', path),
  )
  const atRoot = readdirSync(root)
  return [...atRoot, ...inDocs]
    .filter((path) => path.endsWith('.md'))
    .map((path) => ({ path, text: readFileSync(join(root, path), 'utf8') }))
}

test('every link to a file of ours leads somewhere', () => {
  const broken = documents().flatMap(({ path, text }) =>
    [...text.matchAll(/\]\(([^)#:\s]+)(?:#[^)]*)?\)/g)]
      .map((match) => match[1] ?? '')
      .filter((link) => !existsSync(resolve(root, dirname(path), link)))
      .map((link) => `${path}: ${link}`),
  )
  assert.deepEqual(broken, [])
})

test('every command and option that a document shows exists', async () => {
  const shown = new Map<string, Set<string>>()
  for (const { text } of documents()) {
    for (const [, command = '', rest = ''] of text.matchAll(/npx outrider ([a-z]+)([^`\n#|]*)/g)) {
      const options = shown.get(command) ?? new Set()
      for (const [option] of rest.matchAll(/--[a-z][a-z-]*/g)) options.add(option)
      shown.set(command, options)
    }
  }
  assert.ok(shown.size >= 5, [...shown.keys()].join(', '))
  for (const [command, options] of shown) {
    const help = await runCommand([command, '--help'])
    assert.equal(help.code, 0, `outrider ${command}: ${help.stderr}`)
    for (const option of options) {
      assert.ok(help.stdout.includes(option), `outrider ${command} has no ${option}`)
    }
  }
})

test('the reading that the README sends is a good one', () => {
  const readme = readFileSync(join(root, 'README.md'), 'utf8')
  const sent = /events\/([a-z-]+) \\\n\s+-d '([^']+)'/.exec(readme)
  const topic = eventTopics.get(sent?.[1] ?? '')
  assert.ok(topic !== undefined, 'the README names a topic')
  assert.equal(topic.parse(JSON.parse(sent?.[2] ?? '')).ok, true)
})
