// Where reference tables come from: a folder, later S3. A table is one JSON document, versioned by content.

export interface ReferenceDocument {
  /** File name without `.json`. */
  readonly name: string
  readonly content: unknown
  /** Changes with the content, such as a hash or an ETag. */
  readonly tag: string
}

export interface ReferenceProblem {
  readonly name: string
  readonly message: string
}

export interface ReferenceSource {
  /** Reads what is there now; a malformed document is a problem, and the last good version stays in force. */
  load(): Promise<{
    readonly documents: readonly ReferenceDocument[]
    readonly problems: readonly ReferenceProblem[]
  }>
}

/** Where versions are numbered and kept, so that a replay finds the one that a batch saw. */
export interface ReferenceStore {
  /** Returns the version of this content, a new one where it differs from the newest. */
  register(document: ReferenceDocument): Promise<number>
  newest(): Promise<
    readonly { readonly name: string; readonly version: number; readonly content: unknown }[]
  >
  load(name: string, version: number): Promise<unknown>
}
