import { challengeWith } from '../core/challenge.js'
import { wallClockMs } from '../core/clock.js'
import { requirePrincipal, type RequestContext } from '../core/context.js'
import type { Mode } from '../core/decision.js'
import { PASSED, defineGuard, type Guard } from '../core/guard.js'
import {
  checkOptions,
  either,
  enforceOrReport,
  integer,
  listOf,
  misuse,
  ruleName,
  type OptionRule,
} from '../core/options.js'
import { ownClaim, type Claims } from '../core/principal.js'
import { SecurityProblem, type Evidence } from '../core/problem.js'
import { isTokenText } from '../core/text.js'

export interface RequireAuthnLevelOptions {
  /**
   * Authentication contexts of which one must stand in the `acr` (Authentication Context Class Reference) claim: one, or
   * several in order of preference. Compared exactly: no context is above another.
   */
  readonly acr?: string | readonly string[]
  /**
   * Longest time since the user last authenticated (`auth_time`), in **seconds**, 1 to a year. A credential that does not
   * say when is refused.
   */
  readonly maxAgeSeconds?: number
  /** How far clocks may differ, in **seconds**, 0 to 60. @default 5 */
  readonly clockToleranceSeconds?: number
  /** The rule's id in audit and metrics. @default 'authn-level' */
  readonly name?: string
  /** @default 'enforce' */
  readonly mode?: Mode
}

const YEAR_SECONDS = 31_536_000

const ALIASES: Readonly<Record<string, string>> = {
  maxAge: 'maxAgeSeconds (seconds)',
  max_age: 'maxAgeSeconds (seconds)',
  acrValues: 'acr',
  acr_values: 'acr',
  clockTolerance: 'clockToleranceSeconds (seconds)',
}

/** `acr_values` is a list with spaces between, inside a quoted string. */
const contextReference: OptionRule = {
  says: 'an authentication context in printable ASCII, without space, quote or backslash',
  holds: (value) => isTokenText(value, 256),
}

/** The words of RFC 9470 section 3: the same for everybody, whatever the credential says. */
const ANOTHER_LEVEL = 'A different authentication level is required'
const MORE_RECENT = 'More recent authentication is required'

/**
 * Refuses callers who did not authenticate strongly or recently enough for this route, and tells the client which
 * authentication to ask for (step-up, RFC 9470): 401 with `insufficient_user_authentication`, `acr_values`, `max_age`.
 *
 * It reads the claims `acr` and `auth_time` (RFC 9068 section 2.2.1) of the principal, whichever verifier found them. A
 * claim that is missing, of another type, or in the future is not good enough. An anonymous caller gets 401 without a
 * reason; where no authentication ran, 500.
 *
 * **Not checked:** how the issuer came to its word: what an `acr` stands for is between it and you.
 *
 * Throws a `TypeError` where neither `acr` nor `maxAgeSeconds` is given, and for impossible values.
 */
export function requireAuthnLevel(options: RequireAuthnLevelOptions): Guard {
  checkOptions(
    'requireAuthnLevel',
    options,
    {
      acr: either(contextReference, listOf(contextReference)),
      maxAgeSeconds: integer(1, YEAR_SECONDS, 'seconds'),
      clockToleranceSeconds: integer(0, 60, 'seconds'),
      name: ruleName,
      mode: enforceOrReport,
    },
    ALIASES,
  )
  const { maxAgeSeconds, clockToleranceSeconds = 5, name = 'authn-level', mode } = options
  const accepted = typeof options.acr === 'string' ? [options.acr] : [...(options.acr ?? [])]
  if (accepted.length === 0 && maxAgeSeconds === undefined)
    throw misuse('requireAuthnLevel', 'options', 'an object with acr, maxAgeSeconds or both', options)
  // Both, whichever was missed: one round to the authorization server is to be enough.
  const wanted: Readonly<Record<string, string>> = {
    ...(accepted.length === 0 ? {} : { acr_values: accepted.join(' ') }),
    ...(maxAgeSeconds === undefined ? {} : { max_age: String(maxAgeSeconds) }),
  }

  function isRecent(claims: Claims): boolean {
    if (maxAgeSeconds === undefined) return true
    const authTime = ownClaim(claims, 'auth_time')
    if (typeof authTime !== 'number' || !Number.isFinite(authTime)) return false
    const ageSeconds = Math.floor(wallClockMs() / 1000) - authTime
    return ageSeconds >= -clockToleranceSeconds && ageSeconds <= maxAgeSeconds + clockToleranceSeconds
  }

  function refuse(
    context: RequestContext,
    reason: 'authn_level_insufficient' | 'authn_too_old',
    evidence: Evidence,
  ): SecurityProblem {
    const error = {
      error: 'insufficient_user_authentication',
      error_description: reason === 'authn_too_old' ? MORE_RECENT : ANOTHER_LEVEL,
    }
    return new SecurityProblem(reason, {
      headers: { 'www-authenticate': challengeWith(context, { ...error, ...wanted }) },
      evidence,
    })
  }

  return defineGuard({
    kind: 'requireAuthnLevel',
    layer: 'authorization',
    name,
    mode,
    facts: {
      ...(accepted.length === 0 ? {} : { acr: accepted }),
      ...(maxAgeSeconds === undefined ? {} : { maxAgeSeconds, clockToleranceSeconds }),
    },
    check(_req, context) {
      const { claims } = requirePrincipal(context)
      if (accepted.length > 0 && !accepted.includes(ownClaim(claims, 'acr') as string))
        return refuse(context, 'authn_level_insufficient', { required: accepted })
      if (!isRecent(claims)) return refuse(context, 'authn_too_old', { maxAgeSeconds: maxAgeSeconds ?? 0 })
      return PASSED
    },
  })
}
