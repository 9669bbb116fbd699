import { requirePrincipal } from '../core/context.js'
import type { Mode } from '../core/decision.js'
import { PASSED, defineGuard, type Guard } from '../core/guard.js'
import { checkOptions, enforceOrReport, listOf, misuse, ruleName } from '../core/options.js'
import { SecurityProblem } from '../core/problem.js'
import { role, scope } from './shared-powers.js'

export interface ForbidTogetherOptions {
  /** Scopes that nobody may hold together, and together with `roles`. Two powers at least are named in all. */
  readonly scopes?: readonly string[]
  /** Roles that nobody may hold together, and together with `scopes`. */
  readonly roles?: readonly string[]
  /** The rule's id in audit and metrics. @default the scopes and roles, joined with "+" */
  readonly name?: string
  /** @default 'enforce' */
  readonly mode?: Mode
}

/**
 * Separation of duties: refuses a caller that holds all of these powers at once, as
 * `forbidTogether({ scopes: ['orders:create', 'orders:approve'] })`, with 403 `duties_conflict`.
 *
 * Nobody gets 401, and where no authentication ran before, 500. Powers that exclude each other in pairs take one guard
 * for each pair.
 *
 * **Not checked:** whether one person acts under two accounts; and who did what to this very object before
 * (`requireResource` sees that).
 *
 * Throws a `TypeError` for an impossible scope or role, for one that stands twice, and for fewer than two in all.
 */
export function forbidTogether(options: ForbidTogetherOptions): Guard {
  checkOptions('forbidTogether', options, {
    scopes: listOf(scope),
    roles: listOf(role),
    name: ruleName,
    mode: enforceOrReport,
  })
  const scopes = [...(options.scopes ?? [])]
  const roles = [...(options.roles ?? [])]
  // One that stands twice is one: it would keep out everybody who holds it.
  const powers = new Set(scopes).size + new Set(roles).size
  if (powers < 2 || powers < scopes.length + roles.length)
    throw misuse('forbidTogether', 'options', 'at least two different scopes and roles', options)

  return defineGuard({
    kind: 'forbidTogether',
    layer: 'authorization',
    name: options.name ?? [...scopes, ...roles].join('+'),
    mode: options.mode,
    facts: { scopes, roles },
    check(_req, context) {
      const held = requirePrincipal(context)
      const isConflict =
        scopes.every((power) => held.scopes.has(power)) && roles.every((power) => held.roles.has(power))
      return isConflict ? new SecurityProblem('duties_conflict', { evidence: { scopes, roles } }) : PASSED
    },
  })
}
