/**
 * Runs what looks at a clock, again where it failed, three times at most: a busy machine may be late once, and what is
 * slow by itself is late each time.
 */
export function inTime(body: () => Promise<void>): () => Promise<void> {
  return async () => {
    for (let left = 2; ; left -= 1) {
      try {
        await body()
        return
      } catch (cause) {
        if (left === 0) throw cause
      }
    }
  }
}
