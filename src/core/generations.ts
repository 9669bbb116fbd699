export interface GenerationsBound {
  readonly maxEntries: number
  /** @default no bound */
  readonly maxBytes?: number
}

interface Generation<T> {
  readonly entries: Map<string, T>
  bytes: number
}

/**
 * A memory that may forget: bounded in entries and bytes, synchronous, without a timer. Two generations of half the
 * bound each; what is used moves to the young one, and when that is full the old one goes, in one step.
 *
 * Not for what must not be forgotten (revocations, used proofs).
 */
export class Generations<T extends { readonly bytes: number }> {
  readonly #maxEntries: number
  readonly #maxBytes: number
  #young: Generation<T> = emptyGeneration()
  #old: Generation<T> = emptyGeneration()

  constructor({ maxEntries, maxBytes = Infinity }: GenerationsBound) {
    this.#maxEntries = Math.max(1, Math.floor(maxEntries / 2))
    this.#maxBytes = maxBytes / 2
  }

  get size(): number {
    return this.#young.entries.size + this.#old.entries.size
  }

  get(name: string): T | undefined {
    const young = this.#young.entries.get(name)
    if (young !== undefined) return young
    const old = this.#old.entries.get(name)
    if (old === undefined) return undefined
    this.set(name, old)
    return old
  }

  set(name: string, entry: T): void {
    this.delete(name)
    const { bytes } = entry
    if (bytes > this.#maxBytes) return
    if (this.#young.entries.size >= this.#maxEntries || this.#young.bytes + bytes > this.#maxBytes) {
      this.#old = this.#young
      this.#young = emptyGeneration()
    }
    this.#young.bytes += bytes
    this.#young.entries.set(name, entry)
  }

  delete(name: string): void {
    const young = this.#young.entries.get(name)
    if (young !== undefined) this.#young.bytes -= young.bytes
    this.#young.entries.delete(name)
    this.#old.entries.delete(name)
  }

  clear(): void {
    this.#young = emptyGeneration()
    this.#old = emptyGeneration()
  }
}

function emptyGeneration<T>(): Generation<T> {
  return { entries: new Map(), bytes: 0 }
}
