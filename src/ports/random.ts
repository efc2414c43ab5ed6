// Chance. Only the random adapter touches the real one; everything else draws from a seeded stream.

export interface Random {
  /** Uniform in [0, 1). */
  next(): number
}
