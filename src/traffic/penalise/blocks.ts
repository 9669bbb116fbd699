import type { Penalty } from './options.js'

/** How long callers stay blocked who failed too often. */
export interface BlockRule {
  readonly firstMs: number
  /** How many times longer each block is than the one before. */
  readonly growth: number
  readonly maxMs: number
}

/** One count of failures: of one caller, under one policy. */
export interface Culprit {
  readonly name: string
  readonly key: string
  readonly penalty: Penalty
  /** Failures in a window that lead to a block. */
  readonly limit: number
  readonly windowMs: number
  readonly block: BlockRule
}

/** Who is blocked, and for how long. Both answer at once where they can. */
export interface Blocks {
  /** Where nothing is kept of a name that nobody holds: holds these until what it answers is called. */
  hold?(names: readonly string[]): () => void
  /** How long each of these stays blocked, in **milliseconds**; 0 or less where it is not. */
  remainingMs(culprits: readonly Culprit[]): readonly number[] | Promise<readonly number[]>
  /** Notes a failure of each, and blocks those that have failed as often as they may. */
  noteFailure(culprits: readonly Culprit[]): void | Promise<void>
}

/** The length of a caller's block, by how many it had: never endless, whatever the growth. */
export function blockMs({ firstMs, growth, maxMs }: BlockRule, level: number): number {
  return Math.min(maxMs, firstMs * growth ** (level - 1))
}
