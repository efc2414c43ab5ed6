// The documents of an operator in the data directory, checked as the running program checks them: rules and
// the routing of alerts.

import { readFile, stat } from 'node:fs/promises'
import { join } from 'node:path'
import {
  MAX_ROUTING_CHARACTERS,
  parseRouting,
  problemText as routingProblemText,
} from '../../rules/routing/route-file.ts'
import { readRuleFile, problemText as ruleProblemText } from '../../rules/rule-file.ts'
import { ROUTING_FILE } from '../alert-routing.ts'
import { ruleFilesIn } from '../rule-files.ts'
import type { Settings } from '../settings.ts'
import { ruleTopics } from '../topics.ts'
import type { Finding } from './doctor-servers.ts'

/** Faults of one kind of document that are listed; the others show once these are mended. */
const MAX_FAULTS = 10

export async function checkDocuments({ dataDir }: Settings): Promise<readonly Finding[]> {
  return [...(await checkRules(join(dataDir, 'rules'))), ...(await checkRouting(dataDir))]
}

async function checkRules(folder: string): Promise<readonly Finding[]> {
  const part = 'rules'
  const { found, problems } = await ruleFilesIn(folder).read()
  if (found.length + problems.length === 0) return []
  const builtIn = ruleTopics.flatMap(({ documents }) => documents.map(({ name }) => name))
  const faults = problems.map((problem) => ruleProblemText(problem.file, problem))
  const names = new Set(builtIn)
  const switchedOff: { readonly file: string; readonly name: string }[] = []
  for (const { name: file, text } of found) {
    const read = readRuleFile(text, ruleTopics)
    if (!read.ok) faults.push(...read.error.map((problem) => ruleProblemText(file, problem)))
    else {
      for (const { name } of read.value.rules) names.add(name)
      switchedOff.push(...read.value.disabled.map((name) => ({ file, name })))
    }
  }
  // A rule that was written through the API is no fault here: only the running program knows those.
  const unknown = switchedOff.filter(({ name }) => !names.has(name))
  if (faults.length > 0) return faults.slice(0, MAX_FAULTS).map((message) => failed(part, message))
  if (unknown.length > 0) {
    return unknown.slice(0, MAX_FAULTS).map(({ file, name }) => ({
      ...{ part, state: 'warning' },
      message: `${file} switches off ${name}, which neither comes with the program nor stands in a file.`,
    }))
  }
  return [{ part, state: 'ok', message: `${found.length} files in ${folder}` }]
}

async function checkRouting(dataDir: string): Promise<readonly Finding[]> {
  const part = 'routing'
  const path = join(dataDir, ROUTING_FILE)
  try {
    const { size } = await stat(path)
    if (size > MAX_ROUTING_CHARACTERS) {
      const limit = `${size} bytes; ${MAX_ROUTING_CHARACTERS} are allowed`
      return [failed(part, `${path} has ${limit}.`)]
    }
    const parsed = parseRouting(await readFile(path, 'utf8'))
    if (parsed.ok) return [{ part, state: 'ok', message: path }]
    return parsed.error
      .slice(0, MAX_FAULTS)
      .map((problem) => failed(part, `${path}: ${routingProblemText(problem)}`))
  } catch (error) {
    if (error instanceof Error && 'code' in error && error.code === 'ENOENT') return []
    const reason = error instanceof Error ? error.message : String(error)
    return [failed(part, `${path} cannot be read: ${reason}`)]
  }
}

function failed(part: string, message: string): Finding {
  return { part, state: 'failed', message }
}
