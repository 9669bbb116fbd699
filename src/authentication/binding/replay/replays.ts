import { createHash } from 'node:crypto'
import { processRegistry } from '../../../core/process-registry.js'
import type { MemoryStore, Store } from '../../../core/ports.js'
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

interface ReplayPolicy {
  readonly store: Store | undefined
  readonly proofMaxAgeSeconds: number
  readonly clockToleranceSeconds: number
  readonly maxProofs: number
  readonly maxProofsPerKey: number
}

const byStore = new WeakMap<MemoryStore, MemoryReplays>()

/** Without a store all of this process share one memory: a proof that was used with one middleware is used with all. */
export function replaysOf({ store, maxProofs, maxProofsPerKey, ...policy }: ReplayPolicy): ReplayPort {
  // A proof from as far in the future as the tolerance allows is good for this long from now.
  const keepSeconds = policy.proofMaxAgeSeconds + 2 * policy.clockToleranceSeconds + 1
  if (store?.kind === 'redis') return new RedisReplays(store, keepSeconds)
  const memory = store === undefined ? memoryOfProcess() : memoryOf(store)
  const bounds = { keepSeconds, maxProofs, maxProofsPerKey }
  return { use: (use) => memory.use(use, bounds) }
}

/**
 * What a proof is remembered by: SHA-256 over the thumbprint of its key, which holds no dot, and its `jti`. Never the
 * proof's text: one proof can be signed again and again.
 */
export function proofName(jkt: string, jti: string): string {
  return createHash('sha256').update(`${jkt}.${jti}`).digest('base64url')
}

function memoryOfProcess(): MemoryReplays {
  const registry = processRegistry<MemoryReplays>('dpop-proofs')
  const memory = registry.get('') ?? new MemoryReplays()
  registry.set('', memory)
  return memory
}

function memoryOf(store: MemoryStore): MemoryReplays {
  const memory = byStore.get(store) ?? new MemoryReplays()
  byStore.set(store, memory)
  return memory
}
