import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { Type } from '@sinclair/typebox'
import { definitionOf, type RuleDocument } from './rule-document.ts'
import {
  MAX_RULE_FILE_CHARACTERS,
  MAX_RULES,
  problemText,
  readRuleFile,
  withRules,
} from './rule-file.ts'
import { eventFields, type RuleTopic } from './rule-source.ts'

const schema = Type.Object({ value: Type.Number(), door: Type.Boolean(), side: Type.String() })
const topic: RuleTopic = {
  topic: { name: 'readings', schema },
  entityType: 'probe',
  vocabulary: { event: eventFields(schema), derived: { breached: 'flag' } },
  documents: [],
}

const RULE = `name: hot
topic: readings
when: event.value > 8
severity: major
summary: '{value} is too much'`

function rulesIn(text: string): readonly RuleDocument[] {
  const read = readRuleFile(text, [topic])
  assert.ok(read.ok, read.ok ? '' : JSON.stringify(read.error))
  return read.value.rules
}

function problem(text: string): string {
  const read = readRuleFile(text, [topic])
  const [first] = read.ok ? [] : read.error
  return first === undefined ? assert.fail('the file was accepted') : problemText('f.yaml', first)
}

/** The rule with one more line, or one line in place of another. */
function changed(line: string): string {
  const [name = ''] = line.split(':')
  const others = RULE.split('\n').filter((each) => !each.startsWith(`${name}:`))
  return [...others, line].join('\n')
}

describe('a rule file', () => {
  it('of one rule has its defaults', () => {
    const [rule] = rulesIn(RULE)
    assert.ok(rule)
    assert.deepEqual(definitionOf(rule, { version: 3, entityType: 'probe' }), {
      name: 'hot',
      version: 3,
      topic: 'readings',
      entityType: 'probe',
      when: 'event.value > 8',
      severity: 'major',
      fields: [],
      labels: {},
      summary: '{value} is too much',
      description: '',
    })
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

  it('reads spans, levels and schedules', () => {
    const [rule] = rulesIn(`${changed('severity: {default: minor, critical: event.value > 20}')}
for: 90s
keepFiringFor: 1.5h
schedule: {days: [sat], hours: '22:00-06:00', zone: Africa/Nairobi}`)
    assert.ok(rule)
    const definition = definitionOf(rule, { version: 1, entityType: 'probe' })
    assert.deepEqual([definition.forMs, definition.keepFiringForMs], [90_000, 5_400_000])
    assert.deepEqual(definition.levels, [{ severity: 'critical', when: 'event.value > 20' }])
    assert.deepEqual(definition.schedule, {
      days: ['sat'],
      hours: ['22:00-06:00'],
      zone: 'Africa/Nairobi',
    })
  })

  it('switches a rule off by its name alone', () => {
    const read = readRuleFile('name: hot\ndisabled: true', [topic])
    assert.ok(read.ok)
    assert.deepEqual(read.value.disabled, ['hot'])
    const [hot] = rulesIn(RULE)
    assert.ok(hot)
    const cold = { ...hot, name: 'cold' }
    assert.deepEqual(withRules([hot, cold], read.value), [cold])
  })

  const refused = (what: string, text: string, says: RegExp): void =>
    void it(`is refused for ${what}`, () => assert.match(problem(text), says))
  refused(
    'a field it can not have',
    `${RULE}\nsevrity: x`,
    /^f.yaml:6:1: rule "hot": sevrity: there is no/,
  )
  refused(
    'a missing field',
    RULE.replace(/\nsummary.*/, ''),
    /:1:1: rule "hot": summary: is missing/,
  )
  refused(
    'a wrong severity',
    changed('severity: bad'),
    /:5:11: .*severity: must be critical, major/,
  )
  refused('a wrong span', changed('for: 5 minutes'), /:6:6: .*for: must be a span such as 90s/)
  refused('a wrong name', changed('name: Too Hot'), /:5:7: rule "Too Hot": name: must be small/)
  refused('a rule that never fires', RULE.replace(/\nwhen.*/, ''), /would never fire/)
  refused(
    'a topic that is none',
    changed('topic: nowhere'),
    /:5:8: .*no topic "nowhere"; there are readings/,
  )
  refused('a name twice', `${RULE}\n---\n${RULE}`, /^f.yaml:7:7: .*there are two rules "hot"/)
  refused(
    'a fault in the second of a list',
    `# two\n- name: a\n  disabled: true\n- name: b`,
    /^f.yaml:4:3: rule "b": topic: is missing/,
  )
  refused(
    'an unknown field in a condition',
    changed('when: event.value > 8 && event.speed > 1'),
    /:5:32: rule "hot": when: event.speed does not exist; there are value, door, side/,
  )
  refused(
    'a type error in a condition',
    changed('when: event.door > 8'),
    /:5:7: .*when: ">" compares two numbers or two texts, not a flag and a number/,
  )
  refused('a syntax error in a condition', changed('when: event.value >'), /:5:20: .*when: /)
  refused(
    'a fault on the third line of a folded condition',
    changed('when: >\n  event.value > 8 &&\n  event.door &&\n  event.sid == "x"'),
    /:8:9: .*event.sid does not exist/,
  )
  refused(
    'a fault in a quoted condition',
    changed('when: \'event.side == "a" && event.door == 1\''),
    /:5:29: .*can never be equal/,
  )
  refused(
    'a fault in a level',
    changed('severity: {default: minor, major: event.nope}'),
    /:5:41: .*severity.major: event.nope does not exist/,
  )
  refused(
    'a field of the summary',
    changed("summary: '{speed}'"),
    /:5:10: .*summary: speed does not exist; there are value, door, side, breached/,
  )
  refused(
    'a time zone that is none',
    changed('schedule: {zone: Mars/Base}'),
    /:6:18: .*no time zone "Mars\/Base"/,
  )
  refused(
    'hours that are none',
    changed("schedule: {zone: UTC, hours: '8-9'}"),
    /must be hours such as/,
  )
  refused('a count without a span', changed('count: 3'), /:6:8: .*count: needs "within"/)
  refused('for beside count', `${RULE}\ncount: 3\nwithin: 1m\nfor: 1m`, /for: a rule has either/)
  refused('what is no rule', '- 5', /:1:3: a rule is names and values/)
  refused('plain text', 'hello', /a rule is names and values/)
  refused('nothing', '', /no rule in it/)
  refused('comments alone', '# nothing\n---\n', /no rule in it/)
  refused('bad YAML', 'name: x\nwhen: [a', /^f.yaml:2:\d+: it is not YAML: /)
  refused('size', ' '.repeat(MAX_RULE_FILE_CHARACTERS + 1), /more than 1048576 characters/)
  refused('the number of its rules', '- 1\n'.repeat(MAX_RULES + 1), /more than 1000 rules/)

  it('with a hostile name has no effect on anything', () => {
    assert.match(problem(`__proto__: {polluted: true}\n${RULE}`), /__proto__/)
    assert.equal(Reflect.get({}, 'polluted'), undefined)
  })

  it('that would grow without end is refused quickly', () => {
    const bomb = Array.from({ length: 20 }, (_, level) => {
      const items = level === 0 ? 'x' : `*a${level - 1}`
      return `a${level}: &a${level} [${Array.from({ length: 10 }, () => items).join(',')}]`
    })
    assert.match(problem(bomb.join('\n')), /it cannot be read/)
  })
})
