import { requirePrincipal } from '../core/context.js'
import type { Mode } from '../core/decision.js'
import { PASSED, defineGuard, type Guard } from '../core/guard.js'
import { checkOptions, enforceOrReport, listOf, misuse, ruleName, type OptionRule } from '../core/options.js'
import { SecurityProblem } from '../core/problem.js'
import { quotedString } from '../core/text.js'

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

// RFC 6749 section 3.3: printable ASCII without space, quote and backslash. A padded scope would never match.
const scope: OptionRule = {
  says: 'a scope without spaces, quotes or backslashes (RFC 6749 section 3.3)',
  holds: (value) => typeof value === 'string' && /^[\x21\x23-\x5b\x5d-\x7e]+$/.test(value),
}

/**
 * Refuses callers that do not hold the scopes: `requireScopes('orders:write')`, all of several, or
 * `requireScopes({ any: ['orders:read', 'orders:admin'] })`.
 *
 * Scopes are compared whole and with their case. A caller without them gets 403 `insufficient_scope` (RFC 6750
 * section 3.1) with the scopes that are needed; nobody gets 401; and where no authentication ran before, 500.
 *
 * **Not checked:** whether this caller may touch this very object; a scope says what a client may do, not to whose data.
 *
 * Throws a `TypeError` for an empty, padded or impossible scope.
 */
export function requireScopes(...scopes: readonly string[]): Guard
export function requireScopes(options: RequireScopesOptions): Guard
export function requireScopes(...given: readonly (string | RequireScopesOptions)[]): Guard {
  const { every, scopes, name, mode } = readOptions(given)
  const challenge = `error="insufficient_scope", scope=${quotedString(scopes.join(' '))}`

  return defineGuard({
    kind: 'requireScopes',
    layer: 'authorization',
    name,
    mode,
    facts: { [every ? 'all' : 'any']: scopes },
    check(_req, context) {
      const held = requirePrincipal(context).scopes
      const holds = every
        ? scopes.every((needed) => held.has(needed))
        : scopes.some((needed) => held.has(needed))
      if (holds) return PASSED
      const scheme = context.challenges[0]?.split(' ', 1)[0] ?? 'Bearer'
      return new SecurityProblem('scope_missing', {
        headers: { 'www-authenticate': `${scheme} ${challenge}` },
        evidence: { required: scopes, held: [...held] },
      })
    },
  })
}

function readOptions(given: readonly (string | RequireScopesOptions)[]): {
  readonly every: boolean
  readonly scopes: readonly string[]
  readonly name: string
  readonly mode: Mode
} {
  const options =
    typeof given[0] === 'object' && given.length === 1 ? given[0] : { all: given as readonly string[] }
  const lists = { all: listOf(scope), any: listOf(scope) }
  checkOptions('requireScopes', options, { ...lists, name: ruleName, mode: enforceOrReport })
  const scopes = options.all ?? options.any
  if (scopes === undefined || (options.all !== undefined && options.any !== undefined)) {
    throw misuse('requireScopes', 'options', 'an object with exactly one of all and any', options)
  }
  const every = options.all !== undefined
  const name = options.name ?? scopes.join(every ? ' ' : '|')
  return { every, scopes: [...scopes], name, mode: options.mode ?? 'enforce' }
}
