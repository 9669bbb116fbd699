import { requirePrincipal } from '../core/context.js'
import type { Mode } from '../core/decision.js'
import { PASSED, defineGuard, type Guard } from '../core/guard.js'
import { SecurityProblem } from '../core/problem.js'
import { challengeWith } from '../core/challenge.js'
import { meets, readDemand, scope } from './shared-powers.js'

export interface RequireScopesOptions {
  /** Scopes that the caller must hold, every one of them. Exactly one of `all` and `any` is given. */
  readonly all?: readonly string[]
  /** Scopes of which the caller must hold at least one. */
  readonly any?: readonly string[]
  /** The rule's id in audit and metrics. @default the scopes, joined */
  readonly name?: string
  /** @default 'enforce' */
  readonly mode?: Mode
}

/**
 * Refuses callers that do not hold the scopes: `requireScopes('orders:write')`, all of several, or
 * `requireScopes({ any: ['orders:read', 'orders:admin'] })`.
 *
 * Scopes are compared whole and with their case. A caller without them gets 403 `insufficient_scope` (RFC 6750
 * section 3.1) with the scopes that are needed; an anonymous one gets 401; and where no authentication ran before, 500.
 *
 * **Not checked:** whether this caller may touch this very object; a scope says what a client may do, not to whose data.
 *
 * Throws a `TypeError` for an empty, padded or impossible scope.
 */
export function requireScopes(...scopes: readonly string[]): Guard
export function requireScopes(options: RequireScopesOptions): Guard
export function requireScopes(...given: readonly (string | RequireScopesOptions)[]): Guard {
  const demand = readDemand('requireScopes', scope, given)
  const { every, powers: scopes, name, mode } = demand
  const parameters = { error: 'insufficient_scope', scope: scopes.join(' ') }

  return defineGuard({
    kind: 'requireScopes',
    layer: 'authorization',
    name,
    mode,
    facts: { [every ? 'all' : 'any']: scopes },
    check(_req, context) {
      const held = requirePrincipal(context).scopes
      if (meets(demand, held)) return PASSED
      return new SecurityProblem('scope_missing', {
        headers: { 'www-authenticate': challengeWith(context, parameters) },
        evidence: { required: scopes, held: [...held] },
      })
    },
  })
}
