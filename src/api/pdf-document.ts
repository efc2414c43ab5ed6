// The part of pdfmake's document language that we use. The published types would bring the browser's
// globals into the whole program, where `fetch` is Node's.

export type Margin = [left: number, top: number, right: number, bottom: number]

export interface PdfStyle {
  readonly font?: string
  readonly fontSize?: number
  readonly bold?: boolean
  readonly color?: string
  readonly lineHeight?: number
  readonly alignment?: 'left' | 'center' | 'right'
  readonly margin?: Margin
  readonly fillColor?: string
  readonly wordBreak?: 'normal' | 'break-all'
}

export interface PdfTableLayout {
  readonly hLineWidth?: (index: number) => number
  readonly vLineWidth?: (index: number) => number
  readonly hLineColor?: (index: number) => string
  readonly vLineColor?: (index: number) => string
  readonly paddingLeft?: () => number
  readonly paddingRight?: () => number
  readonly paddingTop?: () => number
  readonly paddingBottom?: () => number
}

export interface PdfTable {
  readonly widths: readonly PdfWidth[]
  readonly body: readonly (readonly PdfContent[])[]
  readonly headerRows?: number
  readonly keepWithHeaderRows?: number
  readonly dontBreakRows?: boolean
}

/** Points, or what is left. */
export type PdfWidth = number | '*' | 'auto'

interface PdfBlock extends PdfStyle {
  readonly style?: string
  readonly width?: PdfWidth
  readonly unbreakable?: boolean
}

export type PdfContent =
  | string
  | (PdfBlock & { readonly text: string })
  | (PdfBlock & { readonly stack: readonly PdfContent[] })
  | (PdfBlock & { readonly ul: readonly PdfContent[] })
  | (PdfBlock & { readonly columns: readonly PdfContent[] })
  | (PdfBlock & { readonly svg: string })
  | (PdfBlock & { readonly table: PdfTable; readonly layout: PdfTableLayout })

export interface PdfDocument {
  readonly pageSize: 'A4'
  readonly pageMargins: Margin
  readonly defaultStyle: PdfStyle
  readonly styles: Readonly<Record<string, PdfStyle>>
  readonly language: string
  readonly displayTitle: boolean
  readonly info: Readonly<Record<string, string | Date>>
  readonly header: (page: number) => PdfContent
  readonly footer: (page: number, pages: number) => PdfContent
  readonly content: readonly PdfContent[]
}

/** The library as a server uses it. */
export interface PdfMaker {
  setFonts(
    fonts: Readonly<Record<string, { readonly normal: string; readonly bold: string }>>,
  ): void
  setUrlAccessPolicy(allows: (url: string) => boolean): void
  setLocalAccessPolicy(allows: (path: string) => boolean): void
  createPdf(document: PdfDocument): { getBuffer(): Promise<Buffer> }
}
