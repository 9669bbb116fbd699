import type { Health } from './lifecycle.js'

/** One limit to charge for one request. */
export interface RateLimitCheck {
  /** Whom to charge. Never empty. */
  readonly key: string
  /** Points to charge: an integer of 1 or more. */
  readonly cost: number
}

export interface RateLimitState {
  readonly allowed: boolean
  /** Points left in the window, 0 or more. */
  readonly remaining: number
  /** Time until the window starts anew, in **milliseconds**. */
  readonly resetMs: number
}

/**
 * Counts. An implementation answers at once where it can, and throws a `SecurityProblem` (503, `store_unavailable`)
 * where it cannot count: slow, down and full are all refusals.
 */
export interface RateLimitPort {
  take(check: RateLimitCheck): RateLimitState | Promise<RateLimitState>
}

/** Where state is kept. Without one, it is in the memory of the process. */
export type Store = MemoryStore | SharedStore

/** State in this process, apart from the state of everything that was not given this very value. */
export interface MemoryStore {
  readonly kind: 'memory'
  health(): Health
}

/** Shared state behind every port of this library: what `redisStore(client)` makes. */
export interface SharedStore {
  readonly kind: 'redis'
  /** The client as it was given: an ioredis or node-redis client. */
  readonly client: object
  /** Which of the two command styles the client speaks. */
  readonly dialect: 'ioredis' | 'node-redis'
  /** Begins every key. */
  readonly prefix: string
  /**
   * Runs one operation under the store's time-out and circuit breaker. Rejects with a `SecurityProblem` (503,
   * `store_unavailable`) where the operation failed, took too long, or was not even tried. An operation that timed
   * out may still be carried out by the server: it must never be tried again.
   */
  run<T>(operation: () => Promise<T>): Promise<T>
  health(): Health
}
