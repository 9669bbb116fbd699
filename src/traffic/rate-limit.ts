import type { ServerResponse } from 'node:http'
import type { Mode } from '../core/decision.js'
import { PASSED, defineGuard, type Guard, type Verdict } from '../core/guard.js'
import type { Health, Stateful } from '../core/lifecycle.js'
import {
  callback,
  checkOptions,
  either,
  enforceOrReport,
  integer,
  oneOf,
  required,
  ruleName,
  type OptionRule,
} from '../core/options.js'
import type { RateLimitState, Store } from '../core/ports.js'
import { SecurityProblem } from '../core/problem.js'
import { isThenable } from '../core/thenable.js'
import { leaseCounter } from './rate-limit/counters.js'
import { policyField, retryAfter, writeFields } from './rate-limit/fields.js'
import { keyReader, type LimitBy } from './rate-limit/keys.js'

export type { KeyFunction, LimitBy } from './rate-limit/keys.js'

export interface RateLimitOptions {
  /** The policy's name: in the answer's fields, in audit and in metrics, and the name its counts are kept under. */
  readonly name: string
  /** Requests in a window, 1 to 1000000000. */
  readonly limit: number
  /** Length of a window, in **seconds**, 1 to 2592000 (30 days). It begins with the first request that is counted. */
  readonly windowSeconds: number
  /**
   * Whom to count: `address` (IPv6 by its /64), `principal`, `api-key`, or what a function answers. A missing or empty
   * answer refuses the request with 500; it is never one bucket for everybody.
   */
  readonly by: LimitBy
  /** Where counts are kept: `redisStore(client)`, or `memoryStore()`. @default the memory of this process */
  readonly store?: Store
  /** `report` counts and records, refuses nobody and sends no fields. @default 'enforce' */
  readonly mode?: Mode
}

export type RateLimiter = Guard & Stateful

const storeRule: OptionRule = {
  says: 'redisStore(client) or memoryStore()',
  holds: (value) => ['redis', 'memory'].includes((value as Partial<Store> | null)?.kind ?? ''),
}

// What express-rate-limit and rate-limiter-flexible call the same things.
const ALIASES: Readonly<Record<string, string>> = {
  windowMs: 'windowSeconds (seconds)',
  duration: 'windowSeconds',
  max: 'limit',
  points: 'limit',
  keyGenerator: 'by',
  identifier: 'name',
  keyPrefix: 'name',
  storeClient: 'store (redisStore(client))',
}

/**
 * Refuses a caller after `limit` requests in a window with 429, `Retry-After`, and the fields `RateLimit` and
 * `RateLimit-Policy` (draft-ietf-httpapi-ratelimit-headers-10).
 *
 * Two limiters of one name share their counts; with different options the second throws. With a store that is slow
 * or down every request is refused with 503.
 *
 * **Not checked:** that the address is the caller's own; that is what the application's `trust proxy` setting says. A
 * fixed window lets up to twice the limit pass around the moment where one window ends and the next begins.
 *
 * Throws a `TypeError` for missing, impossible or unknown options.
 */
export function rateLimit(options: RateLimitOptions): RateLimiter {
  checkOptions(
    'rateLimit',
    options,
    {
      name: required(ruleName),
      limit: required(integer(1, 1_000_000_000)),
      windowSeconds: required(integer(1, 2_592_000, 'seconds')),
      by: required(either(oneOf('address', 'principal', 'api-key'), callback)),
      store: storeRule,
      mode: enforceOrReport,
    },
    ALIASES,
  )
  const { name, limit, windowSeconds, by, store, mode = 'enforce' } = options
  const keyOf = keyReader(by)
  const counter = leaseCounter({ name, limit, windowSeconds, by }, store)
  const policy = policyField(name, limit, windowSeconds)

  const guard = defineGuard({
    kind: 'rateLimit',
    layer: 'traffic',
    name,
    mode,
    facts: {
      limit,
      windowSeconds,
      by: typeof by === 'function' ? 'function' : by,
      store: store?.kind ?? 'memory',
    },
    check(req, context, res) {
      const key = keyOf(req, context)
      return typeof key === 'string' ? charge(key, res) : key.then((text) => charge(text, res))
    },
  })

  function charge(key: string, res: ServerResponse): Verdict | Promise<Verdict> {
    const state = counter.port.take({ key, cost: 1 })
    return isThenable(state)
      ? Promise.resolve(state).then((settled) => conclude(settled, res))
      : conclude(state, res)
  }

  function conclude(state: RateLimitState, res: ServerResponse): Verdict {
    if (mode === 'enforce') writeFields(res, name, policy, state)
    if (state.allowed) return PASSED
    return new SecurityProblem('limit_exceeded', {
      headers: { 'retry-after': retryAfter(state.resetMs) },
      members: { 'violated-policies': [name] },
      evidence: { limit, windowSeconds },
    })
  }

  return Object.assign(guard, {
    warmUp: () => Promise.resolve(),
    health: (): Health => ({ ...(store?.health() ?? { status: 'ok' }), name }),
    close: () => {
      counter.release()
      return Promise.resolve()
    },
  })
}
