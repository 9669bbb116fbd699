import { createHash } from 'node:crypto'
import { processValue } from '../../../core/process-registry.js'
import type { MemoryStore, Store } from '../../../core/ports.js'
import { LongestWindow, type ProofWindow } from './longest-window.js'
import { MemoryReplays } from './memory-replays.js'
import { RedisReplays } from './redis-replays.js'

/** One use of a proof. */
export interface ProofUse {
  /** What the proof is remembered by: `proofName`. */
  readonly name: string
  /** Thumbprint of the key that made it. */
  readonly key: string
  /** The request that brought it. A second middleware on its way is no second use. */
  readonly request: object
}

/**
 * Remembers proofs. `use` puts a proof in unless it is there already, as one step: of two uses at the same time one is
 * the first. Throws a `SecurityProblem` (503) where that cannot be told: slow, down and full are all refusals.
 */
export interface ReplayPort {
  /** Whether this is the first use, or the same request once more. */
  use(use: ProofUse): boolean | Promise<boolean>
}

interface ReplayPolicy extends ProofWindow {
  readonly store: Store | undefined
  readonly maxProofs: number
  readonly maxProofsPerKey: number
}

const byStore = new WeakMap<MemoryStore, MemoryReplays>()

/**
 * What is used is kept for the longest window of all that remember proofs in the same place.
 *
 * Without a store all of this process share one memory: a proof that was used with one middleware is used with all.
 */
export function replaysOf({ store, maxProofs, maxProofsPerKey, ...policy }: ReplayPolicy): ReplayPort {
  if (store?.kind === 'redis') {
    const window = windowOf(store.prefix)
    window.widen(policy)
    return new RedisReplays(store, window)
  }
  const memory =
    store === undefined ? processValue('dpop-proofs', 'memory', () => new MemoryReplays()) : memoryOf(store)
  memory.window.widen(policy)
  return {
    use: (use) => memory.use(use, { keepSeconds: memory.window.keepSeconds, maxProofs, maxProofsPerKey }),
  }
}

/**
 * What a proof is remembered by: SHA-256 over the thumbprint of its key, which holds no dot, and its `jti`. Never the
 * proof's text: one proof can be signed again and again.
 */
export function proofName(jkt: string, jti: string): string {
  return createHash('sha256').update(`${jkt}.${jti}`).digest('base64url')
}

/** Whichever clients they ask through: keys of one prefix. */
function windowOf(prefix: string): LongestWindow {
  return processValue('dpop-windows', prefix, () => new LongestWindow())
}

function memoryOf(store: MemoryStore): MemoryReplays {
  const memory = byStore.get(store) ?? new MemoryReplays()
  byStore.set(store, memory)
  return memory
}
