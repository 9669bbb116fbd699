import type { Health } from './lifecycle.js'

/** How a limit is counted, and how much it allows. */
export type LimitRule =
  /** At most `limit` points in any stretch of `windowMs`, wherever it begins. */
  | { readonly algorithm: 'sliding'; readonly limit: number; readonly windowMs: number }
  /** One point each `windowMs / limit`, and `burst` of them at once after a pause (GCRA, ITU-T I.371). */
  | {
      readonly algorithm: 'gcra'
      readonly limit: number
      readonly windowMs: number
      readonly burst: number
    }
  /** `limit` points in each minute, hour, day or month of the UTC calendar. */
  | { readonly algorithm: 'fixed'; readonly limit: number; readonly period: Period }

export type Period = 'minute' | 'hour' | 'day' | 'month'

/** One limit to charge for one request. */
export interface RateLimitCheck {
  /** The policy's name. One name has one algorithm and one window. */
  readonly name: string
  readonly rule: LimitRule
  /** Whom to charge. Never empty. */
  readonly key: string
  /** Points to charge: an integer of 1 or more. */
  readonly cost: number
  /** Counted and answered like the others, but it refuses nobody: a limit that is being tried out. */
  readonly isTrial?: boolean
}

export interface RateLimitState {
  /** Whether this limit has room for the cost; whatever the others of the same request say. */
  readonly allowed: boolean
  /** Points left, 0 or more. */
  readonly remaining: number
  /** Time until there are more points left than now, in **milliseconds**. */
  readonly resetMs: number
  /** Time until the cost would fit, in **milliseconds**; 0 where it fits, `Infinity` where it never does. */
  readonly retryMs: number
}

export interface RateLimitAnswer {
  /** Whether every limit that is no trial had room. Where one had none, nothing was charged. */
  readonly allowed: boolean
  /** One for each check, in their order. */
  readonly states: readonly RateLimitState[]
}

/**
 * Counts. All limits of one request are one call, each of another name, and it is all or nothing: a refused request is charged nowhere. An
 * implementation answers at once where it can, and throws a `SecurityProblem` (503, `store_unavailable`) where it
 * cannot count: slow, down and full are all refusals. A call that timed out may have been charged; nobody repeats it.
 */
export interface RateLimitPort {
  take(checks: readonly RateLimitCheck[]): RateLimitAnswer | Promise<RateLimitAnswer>
  /** What `take` would find. Charges nothing. */
  peek(checks: readonly RateLimitCheck[]): RateLimitAnswer | Promise<RateLimitAnswer>
  /** Gives points back that a `take` of this moment charged. Never more than is charged. */
  refund(checks: readonly RateLimitCheck[]): void | Promise<void>
  /** Forgets what was charged. */
  reset(checks: readonly RateLimitCheck[]): void | Promise<void>
}

/** Whether every limit that is no trial has room. */
export function hasRoom(checks: readonly RateLimitCheck[], states: readonly RateLimitState[]): boolean {
  return states.every(({ allowed }, index) => allowed || checks[index]?.isTrial === true)
}

/** Where state is kept. Without one, it is in the memory of the process. */
export type Store = MemoryStore | SharedStore

/** Where rate limits are counted. */
export type LimitStore = Store | LimiterStore

/** State in this process, apart from the state of everything that was not given this very value. */
export interface MemoryStore {
  readonly kind: 'memory'
  health(): Health
}

/** Counts that something else keeps: what an adapter makes. For rate limits only. */
export interface LimiterStore {
  readonly kind: 'limiter'
  readonly port: RateLimitPort
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
   *
   * `isMereRead` for what is read before something is written: a server that is full, or a replica, answers that well
   * and takes nothing in, and would never be told from one that works.
   */
  run<T>(operation: () => Promise<T>, isMereRead?: boolean): Promise<T>
  health(): Health
}
