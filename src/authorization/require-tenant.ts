import type { IncomingMessage } from 'node:http'
import { requirePrincipal } from '../core/context.js'
import type { Mode } from '../core/decision.js'
import { PASSED, defineGuard, type Guard } from '../core/guard.js'
import { callback, checkOptions, enforceOrReport, required, ruleName } from '../core/options.js'
import { SecurityProblem } from '../core/problem.js'
import { disarm } from '../core/thenable.js'
import { fault } from './shared-answers.js'
import { claimAt, claimName } from './shared-claims.js'

export interface RequireTenantOptions<R extends IncomingMessage = IncomingMessage> {
  /** Where the request names its tenant: `(req) => req.params.tenant`. Only a non-empty string is a tenant. */
  readonly from: (req: R) => string | readonly string[] | undefined
  /** The claim, or path, that holds the caller's tenant as text, or its tenants as a list. @default 'tenant' */
  readonly claim?: string
  /** The rule's id in audit and metrics. @default 'tenant' */
  readonly name?: string
  /** @default 'enforce' */
  readonly mode?: Mode
}

/**
 * Refuses callers of another tenant than the request is about with 403 `tenant_mismatch`.
 *
 * Both sides must be there and the same, character for character: no case is folded, nothing is trimmed, and a missing
 * tenant is equal to nothing. Nobody gets 401; where no authentication ran before, or `from` throws or answers with a
 * promise, 500.
 *
 * **Not checked:** whether the object that the request names belongs to that tenant: `requireResource`, or the query.
 *
 * Throws a `TypeError` for impossible options.
 */
export function requireTenant<R extends IncomingMessage = IncomingMessage>(
  options: RequireTenantOptions<R>,
): Guard {
  checkOptions('requireTenant', options, {
    from: required(callback),
    claim: claimName,
    name: ruleName,
    mode: enforceOrReport,
  })
  const { from, claim = 'tenant', name = 'tenant', mode } = options

  return defineGuard({
    kind: 'requireTenant',
    layer: 'authorization',
    name,
    mode,
    facts: { claim },
    check(req, context) {
      const held = tenantsIn(claimAt(requirePrincipal(context).claims, claim))
      const wanted: unknown = from(req as R)
      if (disarm(wanted)) throw fault('from answered with a promise: it must answer at once')
      if (held.length === 0) return mismatch(claim, 'the caller has none')
      if (!isTenant(wanted)) return mismatch(claim, 'the request names none')
      return held.includes(wanted) ? PASSED : mismatch(claim, 'another one')
    },
  })
}

function tenantsIn(value: unknown): readonly unknown[] {
  return (Array.isArray(value) ? (value as unknown[]) : [value]).filter(isTenant)
}

function isTenant(value: unknown): value is string {
  return typeof value === 'string' && value !== ''
}

function mismatch(claim: string, problem: string): SecurityProblem {
  return new SecurityProblem('tenant_mismatch', { evidence: { claim, problem } })
}
