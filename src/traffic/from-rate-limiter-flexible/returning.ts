/**
 * Points on their way back, by key. Whoever asks for a key next lets them arrive first, for a while: a store that is asked
 * on several connections may answer the later question first.
 */
export class Returning {
  readonly #patienceMs: number
  readonly #byKey = new Map<string, Promise<void>>()

  constructor(patienceMs: number) {
    this.#patienceMs = patienceMs
  }

  /** A failure is taken here. */
  add(keys: readonly string[], work: Promise<unknown>): void {
    const arrived = this.#arrived(work)
    for (const key of keys) {
      const all = Promise.all([this.#byKey.get(key) ?? arrived, arrived]).then(() => {
        if (this.#byKey.get(key) === all) this.#byKey.delete(key)
      })
      this.#byKey.set(key, all)
    }
  }

  async settled(keys: readonly string[]): Promise<void> {
    await Promise.all(keys.flatMap((key) => this.#byKey.get(key) ?? []))
  }

  #arrived(work: Promise<unknown>): Promise<void> {
    return new Promise((resolve) => {
      const timer = setTimeout(resolve, this.#patienceMs)
      timer.unref()
      work
        .catch(() => undefined)
        .finally(() => {
          clearTimeout(timer)
          resolve()
        })
    })
  }
}
