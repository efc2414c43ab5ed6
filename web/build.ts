// Builds the dashboard into web/build: `npm run build`, and by itself after `npm ci`.
//
// The result is static files that need no server of their own and nothing from the network. Scripts are
// files, never inline, so that the server can forbid inline scripts altogether.

import { createHash } from 'node:crypto'
import { existsSync, readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { brotliCompressSync, constants, gzipSync } from 'node:zlib'

/** What a first visit may cost before anything lazy is loaded. */
const ENTRY_LIMIT_BYTES = 250_000

const COMPRESSED = /\.(?:css|html|js|json|svg)$/
/** Below this a packed copy saves nothing. */
const WORTH_COMPRESSING_BYTES = 1_024
/** Of 11; the last two steps take ten times as long for one part in a hundred. */
const BROTLI_QUALITY = 9

const web = import.meta.dirname
const output = join(web, 'build')

if (!existsSync(join(web, '../node_modules/vite/package.json'))) {
  console.log('web: the build tools are not installed (production install); skipped')
} else {
  await build()
}

async function build(): Promise<void> {
  process.chdir(web)
  const { build: viteBuild } = await import('vite')
  try {
    await viteBuild({ logLevel: 'warn' })
    moveInlineScriptOut()
    compressAll()
  } catch (error) {
    console.error('web: the build failed')
    console.error(error)
    process.exit(1)
  }
  const entryBytes = entrySize()
  console.log(
    `web: built into web/build; entry ${kilobytes(entryBytes)} kB gzipped of ${kilobytes(ENTRY_LIMIT_BYTES)}`,
  )
  if (entryBytes > ENTRY_LIMIT_BYTES) {
    console.error('web: the entry is over its limit; load what the first page does not need later')
    process.exit(1)
  }
}

/** The framework starts from an inline script; here it becomes a file named after its content. */
function moveInlineScriptOut(): void {
  const page = join(output, 'index.html')
  const html = readFileSync(page, 'utf8')
  const inline = /<script>([\s\S]*?)<\/script>/g
  const scripts = [...html.matchAll(inline)]
  const code = scripts[0]?.[1]
  if (scripts.length !== 1 || code === undefined) {
    throw new Error(`web/build/index.html has ${scripts.length} inline scripts where 1 is expected`)
  }
  const name = `start.${createHash('sha256').update(code).digest('hex').slice(0, 10)}.js`
  writeFileSync(join(output, '_app/immutable', name), code)
  writeFileSync(
    page,
    html.replace(inline, () => `<script src="/_app/immutable/${name}"></script>`),
  )
}

/** Packs every text file once, here, so that the server never does it while it serves. */
function compressAll(): void {
  const entries = readdirSync(output, { recursive: true, withFileTypes: true })
  for (const entry of entries) {
    if (!entry.isFile() || !COMPRESSED.test(entry.name)) continue
    const file = join(entry.parentPath, entry.name)
    const content = readFileSync(file)
    if (content.length < WORTH_COMPRESSING_BYTES) continue
    writeFileSync(`${file}.gz`, gzipSync(content, { level: constants.Z_BEST_COMPRESSION }))
    const params = { [constants.BROTLI_PARAM_QUALITY]: BROTLI_QUALITY }
    writeFileSync(`${file}.br`, brotliCompressSync(content, { params }))
  }
}

/** Bytes over the wire of the page and everything it names, gzipped. */
function entrySize(): number {
  const html = readFileSync(join(output, 'index.html'), 'utf8')
  const named = new Set(
    [...html.matchAll(/(?:href|src)="\/([^"]+)"/g)].map((match) => match[1] ?? ''),
  )
  const styles = readdirSync(join(output, '_app/immutable/assets')).filter((name) =>
    /^0\..*\.css$/.test(name),
  )
  const files = [...named, ...styles.map((name) => `_app/immutable/assets/${name}`)]
  return [html, ...files.map((file) => readFileSync(join(output, file)))]
    .map((content) => gzipSync(content).length)
    .reduce((sum, bytes) => sum + bytes, 0)
}

function kilobytes(bytes: number): string {
  return (bytes / 1000).toFixed(0)
}
