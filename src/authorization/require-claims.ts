import { requirePrincipal } from '../core/context.js'
import type { Mode } from '../core/decision.js'
import { PASSED, defineGuard, type Guard } from '../core/guard.js'
import { checkOptions, enforceOrReport, misuse, record, ruleName } from '../core/options.js'
import { SecurityProblem } from '../core/problem.js'
import {
  claimMatcher,
  expectation,
  shownExpectation,
  type ClaimExpectation,
} from './require-claims/matcher.js'
import { claimAt, claimName } from './shared-claims.js'

export type { ClaimExpectation } from './require-claims/matcher.js'

export interface RequireClaimsOptions {
  /** The rule's id in audit and metrics. @default the claims' names, joined */
  readonly name?: string
  /** @default 'enforce' */
  readonly mode?: Mode
}

/**
 * Refuses callers whose claims are not as expected: `requireClaims({ department: 'sales', region: ['eu', 'us'] })`.
 *
 * Each claim, by its name or a path (`org.unit`), must be there as the principal's own. A value is compared with `===`;
 * of a list, the claim must be one item, or hold one where it is an array itself; a function must answer `true`, and is
 * not asked about a claim that is missing. A caller whose claims differ gets 403 `claim_refused`; nobody gets 401; a
 * function that throws or answers with a promise, or no authentication before, is 500.
 *
 * **Not checked:** whether the claim is still true since the credential was issued.
 *
 * Throws a `TypeError` where no claim is named, and for an expectation that is no value, list or function.
 */
export function requireClaims(
  claims: Readonly<Record<string, ClaimExpectation>>,
  options: RequireClaimsOptions = {},
): Guard {
  checkOptions('requireClaims', options, { name: ruleName, mode: enforceOrReport })
  const expected = readClaims(claims)
  const names = expected.map(([name]) => name)
  const matchers = expected.map(([name, value]) => ({ name, matches: claimMatcher(value, name) }))

  return defineGuard({
    kind: 'requireClaims',
    layer: 'authorization',
    name: options.name ?? names.join(' '),
    mode: options.mode,
    facts: { claims: expected.map(([name, value]) => `${name} ${shownExpectation(value)}`) },
    check(_req, context) {
      const held = requirePrincipal(context).claims
      const refused = matchers.filter(({ name, matches }) => !matches(claimAt(held, name)))
      if (refused.length === 0) return PASSED
      // Their names: what they hold is the caller's own affair.
      return new SecurityProblem('claim_refused', {
        evidence: { required: names, refused: refused.map(({ name }) => name) },
      })
    },
  })
}

function readClaims(claims: unknown): readonly (readonly [string, ClaimExpectation])[] {
  if (!record.holds(claims) || Object.keys(claims as object).length === 0)
    throw misuse('requireClaims', 'claims', 'an object that names at least one claim', claims)
  const entries = Object.entries(claims as Readonly<Record<string, unknown>>)
  for (const [name, value] of entries) {
    if (!claimName.holds(name)) throw misuse('requireClaims', 'each key of claims', claimName.says, name)
    if (!expectation.holds(value)) throw misuse('requireClaims', `claims.${name}`, expectation.says, value)
  }
  return entries as [string, ClaimExpectation][]
}
