import { RateLimiterRedis, type RateLimiterRes } from 'rate-limiter-flexible'
import type { RateLimitCheck, RateLimitPort, RateLimitState, SharedStore } from '../../core/ports.js'

/** Counts in Redis by rate-limiter-flexible: fixed windows by the server's clock, shared by all instances. */
export class RedisCounter implements RateLimitPort {
  readonly #store: SharedStore
  readonly #limiter: RateLimiterRedis

  constructor(
    store: SharedStore,
    policy: { readonly name: string; readonly limit: number; readonly windowSeconds: number },
  ) {
    this.#store = store
    this.#limiter = new RateLimiterRedis({
      storeClient: store.client,
      useRedisPackage: store.dialect === 'node-redis',
      keyPrefix: `${store.prefix}:rate-limit:${policy.name}:${policy.windowSeconds}`,
      points: policy.limit,
      duration: policy.windowSeconds,
    })
  }

  take({ key, cost }: RateLimitCheck): Promise<RateLimitState> {
    return this.#store.run(async () => this.#consume(key, cost))
  }

  async #consume(key: string, cost: number): Promise<RateLimitState> {
    try {
      return stateOf(await this.#limiter.consume(key, cost), true)
    } catch (refusal) {
      // A refusal is not an Error there, and a failure is.
      if (isResult(refusal)) return stateOf(refusal, false)
      throw refusal
    }
  }
}

function stateOf(result: RateLimiterRes, allowed: boolean): RateLimitState {
  return {
    allowed,
    remaining: Math.max(0, result.remainingPoints),
    resetMs: Math.max(0, result.msBeforeNext),
  }
}

function isResult(value: unknown): value is RateLimiterRes {
  if (typeof value !== 'object' || value === null || value instanceof Error) return false
  const { msBeforeNext, consumedPoints } = value as Partial<RateLimiterRes>
  return Number.isFinite(msBeforeNext) && Number.isFinite(consumedPoints)
}
