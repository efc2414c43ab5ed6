// The routing document in force: the file's newest version that is whole, or what comes with the program.

import type { Logger } from '../../ports/logger.ts'
import type { RoutingInForce } from '../../ports/routing-store.ts'
import { DEFAULT_ROUTING, defaultRoutes } from '../../rules/routing/default-routes.ts'
import { parseRouting, problemText } from '../../rules/routing/route-file.ts'
import type { RouteTable } from '../../rules/routing/route-table.ts'

export interface RoutingDocuments {
  /** Undefined where there is no file; rejects where it can't be read. */
  read(): Promise<{ readonly source: string; readonly text: string } | undefined>
}

const BUILT_IN: RoutingInForce = { source: 'built-in', text: DEFAULT_ROUTING, problem: null }

export class RoutingInForceFile {
  table: RouteTable = defaultRoutes()
  inForce: RoutingInForce = BUILT_IN
  readonly #documents: RoutingDocuments
  readonly #logger: Logger
  /** Of the file as it was last judged; undefined where there was none. */
  #judged: string | undefined

  constructor(documents: RoutingDocuments, logger: Logger) {
    this.#documents = documents
    this.#logger = logger
  }

  /** True where something changed: what is in force, or what is wrong with the file. */
  async reload(): Promise<boolean> {
    let file: Awaited<ReturnType<RoutingDocuments['read']>>
    try {
      file = await this.#documents.read()
    } catch (error) {
      return this.#refuse(`It cannot be read: ${error instanceof Error ? error.message : error}`)
    }
    if (file?.text === this.#judged && (file === undefined || this.inForce.problem === null)) {
      return false
    }
    if (file === undefined) {
      this.#judged = undefined
      this.table = defaultRoutes()
      this.inForce = BUILT_IN
      return true
    }
    const parsed = parseRouting(file.text)
    if (!parsed.ok) return this.#refuse(parsed.error.map(problemText).join('; '))
    this.#judged = file.text
    this.table = parsed.value
    this.inForce = { source: file.source, text: file.text, problem: null }
    this.#logger.info('routing-loaded', { source: file.source })
    return true
  }

  /** The last good one stays in force. */
  #refuse(problem: string): boolean {
    if (problem === this.inForce.problem) return false
    this.inForce = { ...this.inForce, problem }
    this.#logger.warn('routing-refused', { problem })
    return true
  }
}
