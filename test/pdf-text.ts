// Reads the text of a PDF that pdfmake wrote, page by page, with nothing but zlib: enough to see what stands
// on the paper, and that every character had a glyph.

import assert from 'node:assert/strict'
import { inflateSync } from 'node:zlib'

export interface PdfPage {
  /** Lines as they were drawn; runs at one height follow each other. */
  readonly text: string
  /** Characters for which the font had nothing. */
  readonly missingGlyphs: number
}

export function pdfPages(pdf: Buffer): readonly PdfPage[] {
  assert.equal(pdf.subarray(0, 5).toString('latin1'), '%PDF-')
  assert.ok(pdf.subarray(-32).toString('latin1').includes('%%EOF'), 'the file is whole')
  const objects = objectsOf(pdf)
  const pages = [...objects.values()].filter(({ head }) => /\/Type \/Page\n/.test(head))
  return pages.map(({ head }) => {
    const contents = streamText(follow(objects, head, 'Contents'))
    return textOf(contents, fontsOf(objects, follow(objects, head, 'Resources').head))
  })
}

interface PdfObject {
  readonly head: string
  readonly stream: Buffer | undefined
}

type Objects = ReadonlyMap<string, PdfObject>
/** Of each font of a page, what its glyphs stand for. */
type Fonts = ReadonlyMap<string, readonly string[]>

function objectsOf(pdf: Buffer): Objects {
  const raw = pdf.toString('latin1')
  const objects = new Map<string, PdfObject>()
  for (const match of raw.matchAll(/(?<=\n)(\d+) 0 obj\n([\s\S]*?)\nendobj/g)) {
    const [, id = '', body = ''] = match
    const [head = '', ...rest] = body.split('stream\n')
    const stream = rest.length === 0 ? undefined : Buffer.from(rest.join('stream\n'), 'latin1')
    objects.set(id, { head, stream })
  }
  return objects
}

function follow(objects: Objects, head: string, key: string): PdfObject {
  const id = new RegExp(`/${key} (\\d+) 0 R`).exec(head)?.[1]
  const found = objects.get(id ?? '')
  assert.ok(found, `the PDF has no ${key} at "${head}"`)
  return found
}

function streamText({ stream }: PdfObject): string {
  assert.ok(stream, 'an object with a stream')
  return inflateSync(stream).toString('latin1')
}

function fontsOf(objects: Objects, resources: string): Fonts {
  const listed = /\/Font <<([\s\S]*?)>>/.exec(resources)?.[1] ?? ''
  const names = [...listed.matchAll(/\/(F\d+) /g)].map((match) => match[1] ?? '')
  return new Map(
    names.map((name) => {
      const font = follow(objects, listed, name)
      return [name, glyphsOf(streamText(follow(objects, font.head, 'ToUnicode')))]
    }),
  )
}

/** `<0000> <0035> [<0000> <0043> …]`, from glyph 0 on; a ligature stands for several characters. */
function glyphsOf(map: string): readonly string[] {
  const glyphs: string[] = []
  for (const range of map.matchAll(/<([0-9a-f]{4})> <[0-9a-f]{4}> \[([^\]]*)\]/g)) {
    const first = Number.parseInt(range[1] ?? '', 16)
    const entries = [...(range[2] ?? '').matchAll(/<([0-9a-f ]+)>/g)]
    entries.forEach((entry, index) => {
      const units = (entry[1] ?? '').split(' ').map((unit) => Number.parseInt(unit, 16))
      glyphs[first + index] = String.fromCharCode(...units)
    })
  }
  return glyphs
}

function textOf(contents: string, fonts: Fonts): PdfPage {
  let text = ''
  let height = ''
  let missingGlyphs = 0
  for (const block of contents.matchAll(/BT\n([\s\S]*?)\nET/g)) {
    const drawn = block[1] ?? ''
    const y = /([-\d.]+) Tm/.exec(drawn)?.[1] ?? ''
    const glyphs = fonts.get(/\/(F\d+) /.exec(drawn)?.[1] ?? '') ?? []
    const codes = [...drawn.matchAll(/<([0-9a-f]+)>/g)].flatMap((match) =>
      (match[1] ?? '').match(/.{4}/g),
    )
    missingGlyphs += codes.filter((code) => code === '0000').length
    const run = codes.map((code) => glyphs[Number.parseInt(code ?? '', 16)] ?? '').join('')
    text += (y === height ? '' : '\n') + run
    height = y
  }
  return { text, missingGlyphs }
}
