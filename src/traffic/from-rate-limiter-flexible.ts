import { checkOptions, misuse } from '../core/options.js'
import type { LimiterStore } from '../core/ports.js'
import { GUARD_RULES, storeGuard } from '../stores/store-guard.js'
import { FlexiblePort } from './from-rate-limiter-flexible/flexible-port.js'
import { suitable, type FlexibleLimiter, type FlexiblePolicy } from './from-rate-limiter-flexible/limiters.js'
import type { AdaptedStore } from './counting/adapted.js'

export type { FlexibleLimiter, FlexiblePolicy } from './from-rate-limiter-flexible/limiters.js'

export interface FlexibleOptions {
  /** Longest wait for all limits of one request, in **milliseconds**, 5 to 5000. @default 100 */
  readonly timeoutMs?: number
  /** Failures in a row after which the store is left alone, 1 to 100. @default 3 */
  readonly breakerFailures?: number
  /** How long it is left alone before one probe, in **milliseconds**, 100 to 60000. @default 1000 */
  readonly breakerCoolDownMs?: number
}

/**
 * Counts in any store of rate-limiter-flexible: Postgres, MySQL, MongoDB, DynamoDB, Memcached, SQLite and others.
 *
 * Give a function that makes a limiter for each policy, or one limiter that fits the only policy. A policy in such a store
 * says `algorithm: 'fixed'`: with `windowSeconds` a window begins with a caller's first request, with `period` it is the
 * calendar's, by this process's clock.
 *
 * **Not checked:** what the limiter's own client does. Several policies are asked one after the other, and what was charged
 * is given back where one refuses: for a moment others may see those points taken. Put the policy that refuses most first.
 *
 * Throws a `TypeError` for what is no limiter, and for settings that would count wrongly: wrappers and unions, blocking,
 * delaying, an insurance limiter, a script of one's own.
 */
export function fromRateLimiterFlexible(
  limiter: FlexibleLimiter | ((policy: FlexiblePolicy) => FlexibleLimiter),
  options: FlexibleOptions = {},
): LimiterStore {
  checkOptions('fromRateLimiterFlexible', options, GUARD_RULES)
  const { timeoutMs = 100, breakerFailures = 3, breakerCoolDownMs = 1000 } = options
  if (typeof limiter !== 'function' && (typeof limiter !== 'object' || (limiter as unknown) === null))
    throw misuse('fromRateLimiterFlexible', 'limiter', 'a limiter, or a function that makes one', limiter)
  if (typeof limiter !== 'function') suitable(limiter)
  const guard = storeGuard('rate-limiter-flexible', 'fromRateLimiterFlexible', {
    timeoutMs,
    breakerFailures,
    breakerCoolDownMs,
  })
  const port = new FlexiblePort(limiter, guard, timeoutMs)
  const store: AdaptedStore = {
    kind: 'limiter',
    port,
    health: () => guard.health(),
    accept: (policy) => {
      port.accept(policy)
    },
  }
  return Object.freeze(store)
}
