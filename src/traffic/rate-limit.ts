import type { IncomingMessage, ServerResponse } from 'node:http'
import type { WritableContext } from '../core/context.js'
import { PASSED, defineGuard, recordDecision, type Guard, type Verdict } from '../core/guard.js'
import type { Health, Stateful } from '../core/lifecycle.js'
import type { RateLimitCheck, RateLimitState } from '../core/ports.js'
import { SecurityProblem } from '../core/problem.js'
import { chain, isThenable } from '../core/thenable.js'
import { leaseCounters } from './rate-limit/counters.js'
import { retryAfter, writeFields, type Told } from './rate-limit/fields.js'
import {
  settingsOf,
  type Policy,
  type RateLimitOptions,
  type RateLimitPolicies,
} from './rate-limit/options.js'
import { GuardedCounters, type Counted } from './rate-limit/outage.js'

export type { FieldFormat } from './rate-limit/fields.js'
export type { AddressPrefix, KeyFunction, LimitBy, LimitFact } from './rate-limit/keys.js'
export type {
  LimitPolicy,
  LimitSettings,
  PointsOf,
  RateLimitOptions,
  RateLimitPolicies,
} from './rate-limit/options.js'

export type RateLimiter = Guard & Stateful

/**
 * Refuses a caller whose points are used up with 429, `Retry-After`, and the fields `RateLimit` and `RateLimit-Policy`
 * (draft-ietf-httpapi-ratelimit-headers-10). One limit, or with `policies` several: all are asked in one step, and a
 * request that one of them refuses is charged to none.
 *
 * Limiters of one name share their counts; with different options the second throws. With a store that is slow or
 * down each instance counts its share by itself, unless `onOutage` says otherwise.
 *
 * **Not checked:** that the address is the caller's own; that is what a proven `gateway()` or the application's `trust
 * proxy` setting says.
 *
 * Throws a `TypeError` for missing, impossible or unknown options.
 */
export function rateLimit(options: RateLimitOptions): RateLimiter
export function rateLimit(options: RateLimitPolicies): RateLimiter
export function rateLimit(options: RateLimitOptions | RateLimitPolicies): RateLimiter {
  const settings = settingsOf(options)
  const { policies, store, formats } = settings
  const lease = leaseCounters(policies, store)
  const counters = new GuardedCounters(lease.port, settings)
  const [first] = policies as readonly [Policy]
  const isTrial = policies.every(({ mode }) => mode === 'report')
  const name = policies.map((policy) => policy.name).join(' ')

  const guard = defineGuard({
    kind: 'rateLimit',
    layer: 'traffic',
    name: policies.length === 1 ? first.name : 'policies',
    mode: isTrial ? 'report' : 'enforce',
    facts: {
      ...(policies.length === 1
        ? first.facts
        : {
            policies: policies.map((policy) => ({ name: policy.name, mode: policy.mode, ...policy.facts })),
          }),
      store: store?.kind ?? 'memory',
      onOutage: settings.onOutage,
    },
    check(req, context, res) {
      return chain(checksOf(policies, req, context), (checks) =>
        chain(counters.take(checks), (counted) => conclude(checks, counted, context, res)),
      )
    },
  })

  function conclude(
    checks: readonly RateLimitCheck[],
    counted: Counted,
    context: WritableContext,
    res: ServerResponse,
  ): Verdict {
    const told = checks.map(({ rule }, index) => tell(policies[index] as Policy, rule, counted, index))
    const binding = told.filter((_, index) => policies[index]?.mode === 'enforce')
    if (counted.by !== 'nobody') writeFields(res, formats, binding)
    const full = told.filter(({ state }) => !state.allowed)
    if (isTrial) return full.length === 0 ? PASSED : exhausted(full, counted)
    for (const each of full) if (!binding.includes(each)) report(context, each, counted)
    return counted.allowed
      ? passed(counted)
      : exhausted(
          full.filter((each) => binding.includes(each)),
          counted,
        )
  }

  return Object.assign(guard, {
    warmUp: () => Promise.resolve(),
    health: (): Health => {
      const { byShare, uncounted } = counters.tally
      const health: Health = { ...(store?.health() ?? { status: 'ok' }), name }
      if (byShare + uncounted === 0) return health
      return {
        ...health,
        detail: [health.detail, `without the store: ${byShare} by share, ${uncounted} uncounted`].join('; '),
      }
    },
    close: () => {
      lease.release()
      counters.clear()
      return Promise.resolve()
    },
  })
}

/** Whom to charge, and how much. At once, unless a key function asks somebody. */
function checksOf(
  policies: readonly Policy[],
  req: IncomingMessage,
  context: WritableContext,
): readonly RateLimitCheck[] | Promise<readonly RateLimitCheck[]> {
  const keys = policies.map(({ keyOf }) => keyOf(req, context))
  const made = (texts: readonly string[]): readonly RateLimitCheck[] =>
    policies.map(({ name, mode, ruleOf, costOf }, index) => ({
      name,
      rule: ruleOf(req, context),
      key: texts[index] as string,
      cost: costOf(req, context),
      isTrial: mode === 'report',
    }))
  return keys.some((key) => isThenable(key)) ? Promise.all(keys).then(made) : made(keys as readonly string[])
}

const UNTOLD: RateLimitState = { allowed: true, remaining: 0, resetMs: 0, retryMs: 0 }

function tell({ name }: Policy, rule: RateLimitCheck['rule'], { states }: Counted, index: number): Told {
  return { name, rule, state: states[index] ?? UNTOLD }
}

function passed({ by }: Counted): Verdict {
  if (by === 'store') return PASSED
  return {
    reason: 'passed',
    evidence: { store: 'unavailable', counted: by === 'share' ? 'by share' : 'not' },
  }
}

/** A limit that is being tried out says whom it would have refused. */
function report(context: WritableContext, told: Told, counted: Counted): void {
  recordDecision(context, {
    layer: 'traffic',
    guard: 'rateLimit',
    rule: told.name,
    mode: 'report',
    problem: exhausted([told], counted),
  })
}

function exhausted(full: readonly Told[], { by }: Counted): SecurityProblem {
  const retry = retryAfter(Math.max(...full.map(({ state }) => state.retryMs)))
  return new SecurityProblem('limit_exceeded', {
    headers: retry === undefined ? {} : { 'retry-after': retry },
    members: { 'violated-policies': full.map(({ name }) => name) },
    evidence: {
      policies: full.map(({ name }) => name),
      limits: full.map(({ rule }) => String(rule.limit)),
      ...(by === 'share' ? { counted: 'by share' } : {}),
    },
  })
}
