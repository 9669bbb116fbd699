import type {
  LimitRule,
  LimitStore,
  RateLimitAnswer,
  RateLimitCheck,
  RateLimitPort,
  RateLimitState,
} from '../../core/ports.js'
import type { Health } from '../../core/lifecycle.js'
import { isSecurityProblem } from '../../core/problem.js'
import { isThenable } from '../../core/thenable.js'
import type { MemoryLimiter } from '../../stores/memory/limiter.js'
import { isMistakeOfSetUp } from '../../stores/store-guard.js'
import type { CounterLease } from './counters.js'
import type { Settings } from '../rate-limit/options.js'

/** An answer, and who gave it: the store, this instance by its share, or nobody. */
export interface Counted extends RateLimitAnswer {
  readonly by: 'store' | 'share' | 'nobody'
  /** What was counted: with a share, by the rules of the share. */
  readonly checks: readonly RateLimitCheck[]
}

/**
 * A limiter's store, and what happens while it is slow or down. A take that timed out may have been charged: it is
 * never tried again, there or here twice.
 */
export class GuardedCounters {
  readonly #port: RateLimitPort
  readonly #onOutage: Settings['onOutage']
  readonly #instances: number
  readonly #local: MemoryLimiter
  #byShare = 0
  #uncounted = 0

  constructor({ port, local }: CounterLease, { onOutage, instances }: Settings) {
    this.#port = port
    this.#local = local
    this.#onOutage = onOutage
    this.#instances = instances
  }

  /** Where this goes on without the store, it is not down with it: no probe is to take the instance away. */
  healthBy(store: LimitStore | undefined, name: string): Health {
    const health: Health = { ...(store?.health() ?? { status: 'ok' }), name }
    const goesOn = health.status === 'down' && this.#onOutage !== 'deny'
    const status = goesOn ? 'degraded' : health.status
    if (this.#byShare + this.#uncounted === 0) return { ...health, status }
    const without = `without the store: ${this.#byShare} by share, ${this.#uncounted} uncounted`
    return {
      ...health,
      status,
      detail: health.detail === undefined ? without : `${health.detail}; ${without}`,
    }
  }

  take(checks: readonly RateLimitCheck[]): Counted | Promise<Counted> {
    try {
      const answer = this.#port.take(checks)
      if (!isThenable(answer)) return { allowed: answer.allowed, states: answer.states, by: 'store', checks }
      return Promise.resolve(answer).then(
        (settled) => ({ ...settled, by: 'store', checks }),
        (cause: unknown) => this.#withoutStore(checks, cause),
      )
    } catch (cause) {
      return this.#withoutStore(checks, cause)
    }
  }

  #withoutStore(checks: readonly RateLimitCheck[], cause: unknown): Counted {
    if (this.#onOutage === 'deny' || !isSecurityProblem(cause) || cause.reason !== 'store_unavailable')
      throw cause
    if (this.#onOutage === 'allow') {
      if (isMistakeOfSetUp(cause)) throw cause
      this.#uncounted += 1
      return { allowed: true, states: [], by: 'nobody', checks }
    }
    this.#byShare += 1
    const shares = checks.map((check) => ({ ...check, rule: this.#shareOf(check.rule) }))
    const { allowed, states } = this.#local.take(shares)
    return {
      allowed,
      states: states.map((state, index) => hopeful(state, checks[index])),
      by: 'share',
      checks: shares,
    }
  }

  #shareOf(rule: LimitRule): LimitRule {
    const limit = shareOf(rule.limit, this.#instances)
    return rule.algorithm === 'gcra'
      ? { ...rule, limit, burst: shareOf(rule.burst, this.#instances) }
      : { ...rule, limit }
  }
}

/** What one of several instances may admit: at least one point, or it would be down with the store. */
export function shareOf(points: number, instances: number): number {
  return Math.max(1, Math.floor(points / instances))
}

/** What does not fit into a share for good may fit when the store is back. */
function hopeful(state: RateLimitState, check: RateLimitCheck | undefined): RateLimitState {
  if (Number.isFinite(state.retryMs) || check === undefined) return state
  const { rule, cost } = check
  const most = rule.algorithm === 'gcra' ? rule.burst : rule.limit
  return cost > most ? state : { ...state, retryMs: state.resetMs }
}
