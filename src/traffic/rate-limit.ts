import type { IncomingMessage, ServerResponse } from 'node:http'
import type { WritableContext } from '../core/context.js'
import { PASSED, defineGuard, recordDecision, type Guard, type Verdict } from '../core/guard.js'
import type { Stateful } from '../core/lifecycle.js'
import type { RateLimitCheck, RateLimitState } from '../core/ports.js'
import { SecurityProblem, isSecurityProblem } from '../core/problem.js'
import { retryAfter } from '../core/retry-after.js'
import { chain, isThenable } from '../core/thenable.js'
import { leaseCounters } from './counting/counters.js'
import { writeFields, type Told } from './rate-limit/fields.js'
import {
  settingsOf,
  type Policy,
  type RateLimitOptions,
  type RateLimitPolicies,
} from './rate-limit/options.js'
import { GuardedCounters, type Counted } from './counting/outage.js'
import { together } from './counting/together.js'

export type { FieldFormat } from './rate-limit/fields.js'
export type { AddressPrefix } from '../core/address.js'
export type { KeyFunction, LimitBy, LimitFact } from './counting/keys.js'
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
 * request that one of them refuses is charged to none. A request is counted once, however often it passes.
 *
 * Limiters of one name share their counts; with different options the second throws. With a store that is slow or
 * down each instance counts its share by itself, unless `onOutage` says otherwise.
 *
 * **Not checked:** that the address is the caller's own; that is what a proven `gateway()` or the application's `trust
 * proxy` setting says.
 *
 * Throws a `TypeError` for missing, impossible or unknown options.
 */
export function rateLimit(options: RateLimitOptions | RateLimitPolicies): RateLimiter {
  const settings = settingsOf(options)
  const { name, policies, store, formats } = settings
  const lease = leaseCounters('rateLimit', policies, store)
  const counters = new GuardedCounters(lease, settings)
  const isTrial = policies.every(({ mode }) => mode === 'report')
  const hasTrials = policies.some(({ mode }) => mode === 'report')

  const guard = defineGuard({
    kind: 'rateLimit',
    layer: 'traffic',
    name,
    mode: isTrial ? 'report' : 'enforce',
    facts: {
      ...(policies.length === 1
        ? policies[0]?.facts
        : {
            policies: policies.map((policy) => ({ name: policy.name, mode: policy.mode, ...policy.facts })),
          }),
      store: store?.kind ?? 'memory',
      onOutage: settings.onOutage,
    },
    check(req, context, res) {
      if (context.hasCounted(counters)) return PASSED
      return chain(askedOf(policies, req, context), (asked) =>
        chain(counters.take(asked), (answer) => {
          if (answer.allowed) context.noteCounted(counters)
          return conclude(answer, context, res)
        }),
      )
    },
  })

  function conclude(answer: Counted, context: WritableContext, res: ServerResponse): Verdict {
    const { checks } = answer
    const told = checks.map(({ name, rule }, index) => ({
      name,
      rule,
      state: answer.states[index] ?? UNTOLD,
    }))
    const binding = hasTrials ? told.filter((_, index) => checks[index]?.isTrial === false) : told
    if (answer.by !== 'nobody') writeFields(res, formats, binding)
    const full = told.filter(({ state }) => !state.allowed)
    if (full.length === 0) return answer.allowed ? passed(answer) : exhausted(full, answer)
    if (isTrial && policies.length === 1) return exhausted(full, answer)
    for (const each of full)
      if (!binding.includes(each)) report(context, each.name, exhausted([each], answer))
    return answer.allowed
      ? passed(answer)
      : exhausted(
          full.filter((each) => binding.includes(each)),
          answer,
        )
  }

  return Object.assign(guard, {
    warmUp: () => Promise.resolve(),
    health: () => counters.healthBy(store, name),
    close: () => {
      lease.release()
      return Promise.resolve()
    },
  })
}

type Checks = readonly RateLimitCheck[]
type Asked = RateLimitCheck | undefined | Promise<RateLimitCheck | undefined>

/** Whom to charge, and how much. At once, unless a key function asks somebody. */
function askedOf(
  policies: readonly Policy[],
  req: IncomingMessage,
  context: WritableContext,
): Checks | Promise<Checks> {
  const isOneOfSeveral = policies.length > 1
  return chain(
    together(policies, (policy) => checkOf(policy, isOneOfSeveral, req, context)),
    present,
  )
}

function present(asked: readonly (RateLimitCheck | undefined)[]): Checks {
  return asked.filter((each) => each !== undefined)
}

/** Nothing for a limit that is being tried out beside others and cannot say whom it counts: that is told, no more. */
function checkOf(
  policy: Policy,
  isOneOfSeveral: boolean,
  req: IncomingMessage,
  context: WritableContext,
): Asked {
  const { name, mode, keyOf, ruleOf, costOf } = policy
  const isTrial = mode === 'report'
  const made = (key: string): RateLimitCheck => ({
    name,
    rule: ruleOf(req, context),
    key,
    cost: costOf(req, context),
    isTrial,
  })
  if (!isTrial || !isOneOfSeveral) return chain(keyOf(req, context), made)
  const untold = (cause: unknown): void => {
    const problem = isSecurityProblem(cause) ? cause : new SecurityProblem('guard_fault', { cause })
    if (problem.reason === 'guard_order') throw problem
    report(context, name, problem)
  }
  try {
    const asked = chain(keyOf(req, context), made)
    if (!isThenable(asked)) return asked
    return asked.catch((cause: unknown) => {
      untold(cause)
      return undefined
    })
  } catch (cause) {
    untold(cause)
    return undefined
  }
}

const UNTOLD: RateLimitState = { allowed: true, remaining: 0, resetMs: 0, retryMs: 0 }

function passed({ by }: Counted): Verdict {
  if (by === 'store') return PASSED
  return {
    reason: 'passed',
    evidence: { store: 'unavailable', counted: by === 'share' ? 'by share' : 'not' },
  }
}

/** A limit that is being tried out says whom it would have refused. */
function report(context: WritableContext, rule: string, problem: SecurityProblem): void {
  recordDecision(context, { layer: 'traffic', guard: 'rateLimit', rule, mode: 'report', problem })
}

function exhausted(full: readonly Told[], { by }: Counted): SecurityProblem {
  const headers = retryAfter(Math.max(...full.map(({ state }) => state.retryMs)))
  return new SecurityProblem('limit_exceeded', {
    headers,
    // There is no later at which it would fit.
    ...(Object.keys(headers).length === 0
      ? { detail: 'This request costs more than its limit allows.' }
      : {}),
    members: { 'violated-policies': full.map(({ name }) => name) },
    evidence: {
      policies: full.map(({ name }) => name),
      limits: full.map(({ rule }) => String(rule.limit)),
      ...(by === 'share' ? { counted: 'by share' } : {}),
    },
  })
}
