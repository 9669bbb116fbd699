import type { MemoryStore } from '../../core/ports.js'
import { processValue } from '../../core/process-registry.js'
import { MemoryAnswers } from './memory-answers.js'
import type { IdempotencySettings } from './options.js'
import { RedisAnswers } from './redis-answers.js'

/** One request that wants to do what its key stands for. */
export interface Attempt {
  /** What the answer is kept under: a digest. */
  readonly name: string
  /** Whose it is, for bounds. */
  readonly caller: string
  readonly fingerprint: string
  /** Random: tells this request from all that have the same name. */
  readonly owner: string
}

/** The answer of a request that was done. */
export interface KeptAnswer {
  readonly status: number
  /** Lower-case names, each with its lines. */
  readonly headers: readonly (readonly [name: string, values: readonly string[]])[]
  readonly body: Uint8Array
}

/** What is known of a name. `answer` is `undefined` where it was too large to keep. */
export type Found =
  | { readonly state: 'begun' }
  | { readonly state: 'under-way'; readonly fingerprint: string }
  | { readonly state: 'answered'; readonly fingerprint: string; readonly answer: KeptAnswer | undefined }

/**
 * Remembers what was done. `begin` puts a lease in unless something is there, as one step: of two requests at the same
 * time one begins. Throws a `SecurityProblem` (503) where that cannot be told: slow, down and full are all refusals.
 */
export interface AnswerPort {
  begin(attempt: Attempt): Found | Promise<Found>
  /** Keeps the answer in the lease's place. `false` where the lease had ended and another request has the name. */
  finish(attempt: Attempt, answer: KeptAnswer | undefined): boolean | Promise<boolean>
  /** Gives the lease up: the next request with this name begins. */
  release(attempt: Attempt): void | Promise<void>
}

const byStore = new WeakMap<MemoryStore, MemoryAnswers>()

/** Without a store all of this process share one memory. */
export function answersOf(settings: IdempotencySettings): AnswerPort {
  const { store } = settings
  if (store?.kind === 'redis') return new RedisAnswers(store, settings)
  const memory =
    store === undefined ? processValue('idempotency', 'memory', () => new MemoryAnswers()) : memoryOf(store)
  return {
    begin: (attempt) => memory.begin(attempt, settings),
    finish: (attempt, answer) => memory.finish(attempt, answer, settings),
    release: (attempt) => {
      memory.release(attempt)
    },
  }
}

function memoryOf(store: MemoryStore): MemoryAnswers {
  const memory = byStore.get(store) ?? new MemoryAnswers()
  byStore.set(store, memory)
  return memory
}
