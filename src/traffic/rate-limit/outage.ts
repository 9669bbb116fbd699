import type { LimitRule, RateLimitAnswer, RateLimitCheck, RateLimitPort } from '../../core/ports.js'
import { isSecurityProblem } from '../../core/problem.js'
import { isThenable } from '../../core/thenable.js'
import { MemoryLimiter } from '../../stores/memory/limiter.js'
import type { Settings } from './options.js'

/** An answer, and who gave it: the store, this instance by its share, or nobody. */
export interface Counted extends RateLimitAnswer {
  readonly by: 'store' | 'share' | 'nobody'
}

/** How many requests were decided without the store since the process began. */
export interface OutageTally {
  readonly byShare: number
  readonly uncounted: number
}

/**
 * A limiter's store, and what happens while it is slow or down. A take that timed out may have been charged: it is
 * never tried again, there or here twice.
 */
export class GuardedCounters {
  readonly #port: RateLimitPort
  readonly #onOutage: Settings['onOutage']
  readonly #instances: number
  readonly #local = new MemoryLimiter()
  #byShare = 0
  #uncounted = 0

  constructor(port: RateLimitPort, { onOutage, instances }: Settings) {
    this.#port = port
    this.#onOutage = onOutage
    this.#instances = instances
  }

  get tally(): OutageTally {
    return { byShare: this.#byShare, uncounted: this.#uncounted }
  }

  take(checks: readonly RateLimitCheck[]): Counted | Promise<Counted> {
    try {
      const answer = this.#port.take(checks)
      if (!isThenable(answer)) return { ...answer, by: 'store' }
      return Promise.resolve(answer).then(
        (settled) => ({ ...settled, by: 'store' }),
        (cause: unknown) => this.#withoutStore(checks, cause),
      )
    } catch (cause) {
      return this.#withoutStore(checks, cause)
    }
  }

  clear(): void {
    this.#local.clear()
  }

  #withoutStore(checks: readonly RateLimitCheck[], cause: unknown): Counted {
    if (this.#onOutage === 'deny' || !isSecurityProblem(cause) || cause.reason !== 'store_unavailable')
      throw cause
    if (this.#onOutage === 'allow') {
      this.#uncounted += 1
      return { allowed: true, states: [], by: 'nobody' }
    }
    this.#byShare += 1
    const shares = checks.map((check) => ({ ...check, rule: this.#shareOf(check.rule) }))
    return { ...this.#local.take(shares), by: 'share' }
  }

  /** At least one point: an instance that may admit nobody would be down with the store. */
  #shareOf(rule: LimitRule): LimitRule {
    const share = (points: number): number => Math.max(1, Math.floor(points / this.#instances))
    return rule.algorithm === 'gcra'
      ? { ...rule, limit: share(rule.limit), burst: share(rule.burst) }
      : { ...rule, limit: share(rule.limit) }
  }
}
