import { wallClockMs } from '../../core/clock.js'

interface Entry {
  readonly at: number
  readonly endsMs: number
}

/**
 * Revocations in memory. One that is there is made stronger, never weaker. When it is full of those that still hold,
 * nothing is forgotten: the next one is not taken.
 */
export class RevokedNames {
  readonly #maxEntries: number
  readonly #entries = new Map<string, Entry>()
  /** No entry ends before: until then a full list need not be looked through. */
  #firstEndMs = Infinity

  constructor(maxEntries: number) {
    this.#maxEntries = maxEntries
  }

  get size(): number {
    return this.#entries.size
  }

  /** Moment of the revocation, in **seconds**. */
  find(digest: string): number | undefined {
    const entry = this.#entries.get(digest)
    return entry !== undefined && entry.endsMs > wallClockMs() ? entry.at : undefined
  }

  /** `false` where there is no room. */
  add(digest: string, at: number, endsMs: number): boolean {
    const known = this.#entries.get(digest)
    if (known === undefined && this.#entries.size >= this.#maxEntries) this.#dropEnded()
    if (known === undefined && this.#entries.size >= this.#maxEntries) return false
    const entry = {
      at: Math.max(at, known?.at ?? at),
      endsMs: Math.max(endsMs, known?.endsMs ?? endsMs),
    }
    this.#entries.set(digest, entry)
    this.#firstEndMs = Math.min(this.#firstEndMs, entry.endsMs)
    return true
  }

  #dropEnded(): void {
    const now = wallClockMs()
    if (this.#firstEndMs > now) return
    this.#firstEndMs = Infinity
    for (const [digest, { endsMs }] of this.#entries) {
      if (endsMs <= now) this.#entries.delete(digest)
      else this.#firstEndMs = Math.min(this.#firstEndMs, endsMs)
    }
  }
}
