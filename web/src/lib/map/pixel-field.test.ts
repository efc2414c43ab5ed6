import assert from 'node:assert/strict'
import { test } from 'node:test'
import { PixelField, stampFrom } from './pixel-field.ts'

/** A mark of 2 × 2 pixels: opaque red, half blue, empty, opaque red. */
const picture = {
  width: 2,
  data: Uint8ClampedArray.from([255, 0, 0, 255, 0, 0, 255, 128, 0, 0, 0, 0, 255, 0, 0, 255]),
}
const mark = stampFrom(picture, 0, 2)

const pixel = (field: PixelField, x: number, y: number) => [
  ...field.bytes.subarray((y * field.width + x) * 4, (y * field.width + x) * 4 + 4),
]

test('a mark lands where it is put, and its empty pixels leave what is there', () => {
  const field = new PixelField(4, 3)
  field.stamp(mark, 1, 0)
  assert.deepEqual(pixel(field, 1, 0), [255, 0, 0, 255])
  assert.deepEqual(pixel(field, 2, 0), [0, 0, 255, 128])
  assert.deepEqual(pixel(field, 1, 1), [0, 0, 0, 0])
  assert.deepEqual(pixel(field, 2, 1), [255, 0, 0, 255])
})

test('a half clear pixel mixes with what is below', () => {
  const field = new PixelField(4, 3)
  field.stamp(mark, 1, 0)
  field.stamp(mark, 0, 0)
  const [red = 0, green, blue = 0, alpha] = pixel(field, 1, 0)
  assert.ok(Math.abs(red - 127) <= 1 && Math.abs(blue - 128) <= 1, `${red} ${blue}`)
  assert.deepEqual([green, alpha], [0, 255])
})

test('what reaches over an edge is cut off there and appears nowhere else', () => {
  for (const [left, top] of [
    [-1, -1],
    [3, 2],
    [-1, 2],
    [3, -1],
    [-5, 0],
    [0, 9],
  ] as const) {
    const field = new PixelField(4, 3)
    field.stamp(mark, left, top)
    for (let y = 0; y < 3; y += 1) {
      for (let x = 0; x < 4; x += 1) {
        const isInMark = x - left >= 0 && x - left < 2 && y - top >= 0 && y - top < 2
        if (!isInMark)
          assert.deepEqual(pixel(field, x, y), [0, 0, 0, 0], `${left},${top}: ${x},${y}`)
      }
    }
  }
})

test('cleared, nothing is left', () => {
  const field = new PixelField(4, 3)
  field.stamp(mark, 0, 0)
  field.clear()
  assert.ok(field.bytes.every((byte) => byte === 0))
})
