// Where rules that operators write are kept, and every version of every rule that was ever in force.

/** A rule written through the API; one that only switches another off is such a document too. */
export interface WrittenRule {
  readonly name: string
  /** YAML, as it was written. */
  readonly text: string
  readonly author: string
  readonly updatedAtMs: number
}

export interface RuleVersion {
  readonly name: string
  readonly version: number
  /** `built-in`, `api`, or the file that it came from. */
  readonly source: string
  readonly document: unknown
  readonly author: string
  readonly createdAtMs: number
}

export interface RuleStore {
  written(): Promise<readonly WrittenRule[]>
  write(rule: Pick<WrittenRule, 'name' | 'text' | 'author'>): Promise<void>
  /** False where there was none. */
  erase(name: string): Promise<boolean>
  /** Returns the version of this content, a new one where `tag` differs from the newest. */
  register(
    rule: Omit<RuleVersion, 'version' | 'createdAtMs'> & { readonly tag: string },
  ): Promise<number>
  /** Newest first. */
  versions(name: string): Promise<readonly RuleVersion[]>
  /** The newest version of every rule. */
  newest(): Promise<readonly RuleVersion[]>
}
