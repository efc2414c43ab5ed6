import { equal } from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { exactAmount } from './money.ts'

function check(amount: number | string, expected: string): void {
  equal(exactAmount(amount), expected)
}

test('an amount keeps every decimal that was sent, and no other', () => {
  check(7.2, '7.2')
  check('12.345', '12.345')
  check('12.50', '12.5')
  check('0012.00', '12')
  check(-36.71, '-36.71')
  check(1500, '1500')
  check(0.1 + 0.2, '0.30000000000000004')
  check('123456789012.123456789012345678', '123456789012.123456789012345678')
})

test('no zero is negative, and small numbers have no exponent', () => {
  check(-0, '0')
  check('-0.00', '0')
  check(1e-7, '0.0000001')
  check(-1.25e-9, '-0.00000000125')
})

test('a number of whole cents is the decimal that it reads as', () => {
  fc.assert(
    fc.property(fc.integer({ min: -1_000_000_000, max: 1_000_000_000 }), (cents) => {
      equal(Number(exactAmount(cents / 100)), cents / 100)
    }),
  )
})
