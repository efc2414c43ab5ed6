import { deepEqual } from 'node:assert/strict'
import { test } from 'node:test'
import { fieldReader } from './field-reader.ts'

test('each field gets into its slot, and what is not there or of another kind is none', () => {
  const read = fieldReader([
    { name: 'speedKmh', kind: 'number', index: 2 },
    { name: 'doorOpen', kind: 'flag', index: 0 },
    { name: 'zone', kind: 'text', index: 1 },
    { name: 'it\'s "odd"\n', kind: 'number', index: 3 },
  ])
  const numbers = new Float64Array(4)
  const texts: (string | null)[] = ['', '', '', '']
  const after = (from: object): readonly unknown[] => {
    read(from, numbers, texts)
    return [numbers[2], numbers[0], texts[1], numbers[3]]
  }
  deepEqual(after({ speedKmh: 1.5, doorOpen: true, zone: 'a', 'it\'s "odd"\n': 7 }), [
    1.5,
    1,
    'a',
    7,
  ])
  deepEqual(after({ speedKmh: null, doorOpen: false }), [Number.NaN, 0, null, Number.NaN])
  deepEqual(after({ speedKmh: '1', zone: 3 }), [Number.NaN, Number.NaN, null, Number.NaN])
  deepEqual([texts[0], numbers[1]], ['', 0])
})
