// Documents say what is true: links lead somewhere, commands and options exist, the reading of the README
// is one that the door takes.

import assert from 'node:assert/strict'
import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { dirname, join, resolve } from 'node:path'
import { test } from 'node:test'
import { fileURLToPath } from 'node:url'
import { runCases } from '../src/app/rule-trial.ts'
import { eventTopics, ruleTopics } from '../src/app/topics.ts'
import { problemText, readRuleFile } from '../src/rules/rule-file.ts'
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
    const commands =
      /npx outrider ([a-z]+(?: (?:build|create|list|revoke|sensors|test)\b)?)([^`\n#|]*)/g
    for (const [, command = '', rest = ''] of text.matchAll(commands)) {
      const options = shown.get(command) ?? new Set()
      for (const [option] of rest.matchAll(/--[a-z][a-z-]*/g)) options.add(option)
      shown.set(command, options)
    }
  }
  assert.ok(shown.size >= 5, [...shown.keys()].join(', '))
  for (const [command, options] of shown) {
    const help = await runCommand([...command.split(' '), '--help'])
    assert.equal(help.code, 0, `outrider ${command}: ${help.stderr}`)
    for (const option of options) {
      assert.ok(help.stdout.includes(option), `outrider ${command} has no ${option}`)
    }
  }
})

test('every rule that a document shows is good, and passes its cases', () => {
  const shown = documents().flatMap(({ path, text }) =>
    [...text.matchAll(/```yaml\n(name: [\s\S]*?)```/g)].map(([, rule = '']) => ({ path, rule })),
  )
  assert.ok(shown.length >= 8, `${shown.length}`)
  for (const { path, rule } of shown) {
    const read = readRuleFile(rule, ruleTopics)
    assert.ok(read.ok, read.ok ? '' : read.error.map((each) => problemText(path, each)).join('\n'))
    for (const document of read.value.rules) {
      for (const { name, problems } of runCases(document)) {
        assert.deepEqual(problems, [], `${path}: ${document.name}: ${name}`)
      }
    }
  }
})

test('built-in rules are good, and pass their cases', () => {
  for (const { documents: rules } of ruleTopics) {
    const read = readRuleFile(JSON.stringify(rules), ruleTopics)
    assert.ok(read.ok, JSON.stringify(read.ok ? '' : read.error))
    for (const document of rules) {
      for (const { name, problems } of runCases(document)) {
        assert.deepEqual(problems, [], `${document.name}: ${name}`)
      }
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
