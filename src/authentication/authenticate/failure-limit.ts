import type { Verdict } from '../../core/guard.js'
import { checkOptions, integer, required } from '../../core/options.js'
import { SecurityProblem, isSecurityProblem } from '../../core/problem.js'
import { isThenable } from '../../core/thenable.js'
import type { RateLimitCheck } from '../../core/ports.js'
import { MemoryLimiter } from '../../stores/memory/limiter.js'

/**
 * Refuses an address that has been answered 401 too often, before its next credential is looked at. That a nonce is
 * demanded is no such answer.
 *
 * Attempts that run at the same time are all looked at: the count is taken when an attempt has failed, so that many
 * good callers behind one address never hold each other up.
 */
export class FailureLimit {
  readonly #limiter = new MemoryLimiter()
  readonly #checkOf: (key: string) => readonly RateLimitCheck[]

  constructor(name: string, options: { readonly limit: number; readonly windowSeconds: number }) {
    checkOptions('authenticate: failureLimit', options, {
      limit: required(integer(1, 1_000_000)),
      windowSeconds: required(integer(1, 86_400, 'seconds')),
    })
    const rule = {
      algorithm: 'sliding',
      limit: options.limit,
      windowMs: options.windowSeconds * 1000,
    } as const
    this.#checkOf = (key) => [{ name, rule, key, cost: 1 }]
  }

  /** Runs an attempt of a client, if it may have one, and counts it if it ends in 401. */
  around(key: string, attempt: () => Verdict | Promise<Verdict>): Verdict | Promise<Verdict> {
    const { allowed, states } = this.#limiter.peek(this.#checkOf(key))
    if (!allowed) throw exhausted(states[0]?.retryMs ?? 0)
    try {
      const verdict = attempt()
      if (!isThenable(verdict)) return verdict
      return Promise.resolve(verdict).catch((cause: unknown) => this.#counted(key, cause))
    } catch (cause) {
      return this.#counted(key, cause)
    }
  }

  clear(): void {
    this.#limiter.clear()
  }

  #counted(key: string, cause: unknown): never {
    if (isFailure(cause)) this.#limiter.take(this.#checkOf(key))
    throw cause
  }
}

/** A demand for a nonce is a step of every good client's way (RFC 9449 section 8), and comes after token and proof were good. */
function isFailure(cause: unknown): boolean {
  return isSecurityProblem(cause) && cause.status === 401 && cause.code !== 'use_dpop_nonce'
}

function exhausted(retryMs: number): SecurityProblem {
  return new SecurityProblem('limit_exceeded', {
    headers: { 'retry-after': String(Math.max(1, Math.ceil(retryMs / 1000))) },
    evidence: { limited: 'failed authentications' },
  })
}
