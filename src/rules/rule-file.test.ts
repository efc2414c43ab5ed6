import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import type { RuleDefinition } from './definition.ts'
import { MAX_RULE_FILE_CHARACTERS, MAX_RULES, parseRuleFile, withRules } from './rule-file.ts'

const RULE = `name: hot
topic: readings
entityType: probe
when: event.value > 8.0
severity: major
summary: '{value} is too much'`

function rulesIn(text: string): readonly RuleDefinition[] {
  const parsed = parseRuleFile(text)
  assert.ok(parsed.ok, parsed.ok ? '' : parsed.error)
  return parsed.value.rules
}

function problem(text: string): string {
  const parsed = parseRuleFile(text)
  return parsed.ok ? assert.fail('the file was accepted') : parsed.error
}

/** The rule with one more line, or one line in place of another. */
function changed(line: string): string {
  const [name = ''] = line.split(':')
  const others = RULE.split('\n').filter((each) => !each.startsWith(`${name}:`))
  return [...others, line].join('\n')
}

describe('a rule file', () => {
  it('of one rule has its defaults', () => {
    assert.deepEqual(rulesIn(RULE), [
      {
        name: 'hot',
        version: 1,
        topic: 'readings',
        entityType: 'probe',
        when: 'event.value > 8.0',
        severity: 'major',
        fields: [],
        labels: {},
        summary: '{value} is too much',
        description: '',
      },
    ])
  })

  it('holds one rule, a list, several documents, or JSON', () => {
    const list = `- ${RULE.replaceAll('\n', '\n  ')}\n- ${RULE.replace('hot', 'cold').replaceAll('\n', '\n  ')}`
    const documents = `${RULE}\n---\n${RULE.replace('hot', 'cold')}`
    const json = JSON.stringify(['hot', 'cold'].map((name) => ({ ...rulesIn(RULE)[0], name })))
    for (const text of [list, documents, json]) {
      assert.deepEqual(
        rulesIn(text).map(({ name }) => name),
        ['hot', 'cold'],
      )
    }
  })

  it('reads spans', () => {
    const [rule] = rulesIn(`${RULE}\nfor: 90s\nkeepFiringFor: 1.5h\nnoDataFor: 10m`)
    assert.deepEqual(
      [rule?.forMs, rule?.keepFiringForMs, rule?.noDataForMs],
      [90_000, 5_400_000, 600_000],
    )
  })

  it('switches a rule off by its name alone', () => {
    const parsed = parseRuleFile('name: hot\ndisabled: true')
    assert.ok(parsed.ok)
    assert.deepEqual(parsed.value.disabled, ['hot'])
    const [hot] = rulesIn(RULE)
    assert.ok(hot)
    assert.deepEqual(withRules([hot, { ...hot, name: 'cold' }], parsed.value), [
      { ...hot, name: 'cold' },
    ])
  })

  it('puts its rules in place of those of the same name', () => {
    const [hot] = rulesIn(RULE)
    const file = { rules: rulesIn(changed('severity: info')), disabled: [] }
    assert.ok(hot)
    assert.deepEqual(
      withRules([hot, { ...hot, name: 'cold' }], file).map(({ name, severity }) => [
        name,
        severity,
      ]),
      [
        ['cold', 'major'],
        ['hot', 'info'],
      ],
    )
  })

  const refused = (what: string, text: string, says: RegExp): Promise<void> =>
    it(`is refused for ${what}`, () => assert.match(problem(text), says))
  void refused(
    'a field that does not exist',
    `${RULE}\nsevrity: x`,
    /^line 1: rule "hot", sevrity: there is no/,
  )
  void refused(
    'a missing field',
    RULE.replace(/\nsummary.*/, ''),
    /^line 1: rule "hot", summary: is missing/,
  )
  void refused(
    'a wrong severity',
    changed('severity: bad'),
    /severity: must be one of critical, major/,
  )
  void refused('a wrong span', changed('for: 5 minutes'), /for: must be a span such as 90s/)
  void refused('a wrong name', changed('name: Too Hot'), /^line 1: rule "Too Hot", name: /)
  void refused('a rule that never fires', RULE.replace(/\nwhen.*/, ''), /would never fire/)
  void refused('a name twice', `${RULE}\n---\n${RULE}`, /^line 8: there are two rules "hot"/)
  void refused(
    'a fault in the second of a list',
    `# two\n- name: a\n  disabled: true\n- name: b`,
    /^line 4: rule "b", topic: is missing/,
  )
  void refused('what is no rule', '- 5', /^line 1: a rule is names and values/)
  void refused('plain text', 'hello', /a rule is names and values/)
  void refused('nothing', '', /no rule in it/)
  void refused('comments alone', '# nothing\n---\n', /no rule in it/)
  void refused('bad YAML', 'when: [a', /^it is not YAML: .*line 1/s)
  void refused('size', ' '.repeat(MAX_RULE_FILE_CHARACTERS + 1), /more than 1048576 characters/)
  void refused('the number of its rules', '- 1\n'.repeat(MAX_RULES + 1), /more than 1000 rules/)

  it('that would grow without end is refused quickly', () => {
    const bomb = Array.from({ length: 20 }, (_, level) => {
      const items = level === 0 ? 'x' : `*a${level - 1}`
      return `a${level}: &a${level} [${Array.from({ length: 10 }, () => items).join(',')}]`
    })
    assert.match(problem(bomb.join('\n')), /it cannot be read/)
  })
})
