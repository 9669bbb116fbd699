import { requirePrincipal } from '../core/context.js'
import type { Mode } from '../core/decision.js'
import { PASSED, defineGuard, type Guard } from '../core/guard.js'
import { SecurityProblem } from '../core/problem.js'
import { meets, readDemand, role } from './shared-powers.js'

export interface RequireRolesOptions {
  /** Roles that the caller must hold, every one of them. Exactly one of `all` and `any` is given. */
  readonly all?: readonly string[]
  /** Roles of which the caller must hold at least one. */
  readonly any?: readonly string[]
  /** The rule's id in audit and metrics. @default the roles, joined */
  readonly name?: string
  /** @default 'enforce' */
  readonly mode?: Mode
}

/**
 * Refuses callers that do not hold the roles: `requireRoles('admin')`, all of several, or
 * `requireRoles({ any: ['admin', 'support'] })`.
 *
 * Roles are compared whole and with their case, and no role contains another. A caller without them gets 403
 * `role_missing`; nobody gets 401; and where no authentication ran before, 500.
 *
 * **Not checked:** whether this caller may touch this very object; and whether the role was taken away since the
 * credential was issued.
 *
 * Throws a `TypeError` for an empty, padded or unprintable role.
 */
export function requireRoles(...roles: readonly string[]): Guard
export function requireRoles(options: RequireRolesOptions): Guard
export function requireRoles(...given: readonly (string | RequireRolesOptions)[]): Guard {
  const demand = readDemand('requireRoles', role, given)
  const { every, powers: roles, name, mode } = demand

  return defineGuard({
    kind: 'requireRoles',
    layer: 'authorization',
    name,
    mode,
    facts: { [every ? 'all' : 'any']: roles },
    check(_req, context) {
      const held = requirePrincipal(context).roles
      if (meets(demand, held)) return PASSED
      return new SecurityProblem('role_missing', { evidence: { required: roles, held: [...held] } })
    },
  })
}
