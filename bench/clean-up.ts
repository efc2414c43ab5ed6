// What must not be left behind, however the benchmark ends.

const cleaners = new Set<() => Promise<void>>()

/** Has `clean` called at the end, unless what is returned was called before. */
export function atTheEnd(clean: () => Promise<void>): () => void {
  cleaners.add(clean)
  return () => cleaners.delete(clean)
}

/** Newest first: a program goes before the folder it writes to. */
export async function cleanUp(): Promise<void> {
  for (const clean of [...cleaners].reverse()) {
    cleaners.delete(clean)
    try {
      await clean()
    } catch {
      // The next one is cleaned up all the same.
    }
  }
}
