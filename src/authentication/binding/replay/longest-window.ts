/** In what time proofs are accepted, in **seconds**. */
export interface ProofWindow {
  readonly proofMaxAgeSeconds: number
  readonly clockToleranceSeconds: number
}

/**
 * The widest window of several policies that remember proofs in one place: what one of them let in must not be forgotten
 * while another still accepts it.
 */
export class LongestWindow {
  #pastSeconds = 0
  #futureSeconds = 0

  widen({ proofMaxAgeSeconds, clockToleranceSeconds }: ProofWindow): void {
    this.#pastSeconds = Math.max(this.#pastSeconds, proofMaxAgeSeconds + clockToleranceSeconds)
    this.#futureSeconds = Math.max(this.#futureSeconds, clockToleranceSeconds)
  }

  /** From the use of a proof: one from as far in the future as any tolerance allows is good for this long. */
  get keepSeconds(): number {
    return this.#pastSeconds + this.#futureSeconds + 1
  }
}
