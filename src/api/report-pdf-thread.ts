// A thread that sets one report as PDF: laying out pages takes about a second of computing, which must not
// hold up warnings. Fonts come with the library; it may read nothing else, and ask nobody.

import { createRequire } from 'node:module'
import { dirname, join } from 'node:path'
import { parentPort, workerData } from 'node:worker_threads'
import { assert } from '../kernel/errors.ts'
import type { PdfMaker } from './pdf-document.ts'
import { type PrintedReport, reportPages } from './report-pages.ts'

const require = createRequire(import.meta.url)
const pdfmake: PdfMaker = require('pdfmake')
const FONTS = join(dirname(require.resolve('pdfmake/package.json')), 'fonts/Roboto')

assert(parentPort !== null, 'report-pdf-thread.ts runs as a worker thread.')
pdfmake.setFonts({
  Roboto: { normal: join(FONTS, 'Roboto-Regular.ttf'), bold: join(FONTS, 'Roboto-Medium.ttf') },
})
pdfmake.setUrlAccessPolicy(() => false)
pdfmake.setLocalAccessPolicy((path) => dirname(path) === FONTS)
const pdf = await pdfmake.createPdf(reportPages(workerData as PrintedReport)).getBuffer()
parentPort.postMessage(new Uint8Array(pdf))
