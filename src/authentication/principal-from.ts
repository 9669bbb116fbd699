import type { IncomingMessage } from 'node:http'
import { defineGuard, type Guard, type Verdict } from '../core/guard.js'
import type { WritableContext } from '../core/context.js'
import {
  callback,
  checkOptions,
  enforceOnly,
  flag,
  misuse,
  required as mandatory,
  ruleName,
  type OptionRule,
} from '../core/options.js'
import { createPrincipal, type Principal } from '../core/principal.js'
import { SecurityProblem } from '../core/problem.js'
import { isThenable } from '../core/thenable.js'

/** What another library knows of the caller. */
export interface ExternalPrincipal {
  /** Who it is, unique under `issuer`. */
  readonly subject: string
  /** Who says so. @default `external:` and the option `name` */
  readonly issuer?: string | undefined
  readonly clientId?: string | undefined
  /** A list, or text separated by spaces. */
  readonly scopes?: Iterable<string> | undefined
  /** As `scopes`. */
  readonly roles?: Iterable<string> | undefined
  /** Plain data; it is copied and frozen. */
  readonly claims?: object | undefined
  readonly credentialId?: string | undefined
  /** In **seconds** since the epoch. */
  readonly expiresAt?: number | undefined
}

export interface PrincipalFromOptions {
  /** What authenticated the caller: `passport-session`. It stands in audit and in `principal.authenticatedBy`. */
  readonly name: string
  /** Whether a request of nobody is refused with 401. @default true */
  readonly required?: boolean
  /** The challenge of a 401 (RFC 9110 section 11.6.1). @default 'Bearer' */
  readonly challenge?: string
}

const challengeRule: OptionRule = {
  says: 'a scheme, and parameters after one space, in printable ASCII (RFC 9110 section 11.6.1)',
  holds: (value) => typeof value === 'string' && /^[\w!#$%&'*+.^`|~-]+(?: [\x20-\x7e]{1,200})?$/.test(value),
}

/**
 * Adopts a caller that passport, a session or express-jwt has established, so that every other guard works beside it.
 *
 * `read` gets the request and answers who it is, or `undefined` for nobody. The principal has type `external`.
 *
 * **Not checked:** anything about the credential. How well the caller was authenticated is up to whatever filled
 * `req.user`; the posture report says `external`. What `read` throws refuses the request with 500.
 */
// eslint-disable-next-line @typescript-eslint/no-unnecessary-type-parameters -- lets `read` take Express's Request
export function principalFrom<R extends IncomingMessage = IncomingMessage>(
  read: (req: R) => ExternalPrincipal | null | undefined | Promise<ExternalPrincipal | null | undefined>,
  options: PrincipalFromOptions,
): Guard {
  if (!callback.holds(read)) throw misuse('principalFrom', 'read', callback.says, read)
  checkOptions('principalFrom', options, {
    name: mandatory(ruleName),
    required: flag,
    challenge: challengeRule,
    mode: enforceOnly,
  })
  const { name, required = true, challenge = 'Bearer' } = options

  const guard = defineGuard({
    kind: 'principalFrom',
    layer: 'authentication',
    name,
    facts: { required },
    check(req, context) {
      if (context.authenticator === guard)
        return { reason: context.principal === undefined ? 'anonymous' : 'confirmed' }
      context.addChallenge(challenge)
      // Whatever Express has made of it by now.
      const found = read(req as R)
      if (!isThenable(found)) return adopt(context, found)
      return Promise.resolve(found).then((value) => adopt(context, value))
    },
  })

  function adopt(context: WritableContext, found: ExternalPrincipal | null | undefined): Verdict {
    if (found === null || found === undefined) {
      if (required)
        throw new SecurityProblem('credential_missing', { headers: { 'www-authenticate': challenge } })
      context.markAnonymous(guard)
      return { reason: 'anonymous' }
    }
    context.authenticateAs(principalOfExternal(found, name), guard)
    return { reason: 'adopted' }
  }

  return guard
}

/** Text is iterable too, but its letters are no scopes: it is read as `scope` is, separated by spaces. */
function itemsOf(values: Iterable<string> | undefined): Iterable<string> | undefined {
  return typeof values === 'string' ? values.split(' ').filter((item) => item !== '') : values
}

function principalOfExternal(found: ExternalPrincipal, name: string): Principal {
  return createPrincipal({
    ...found,
    scopes: itemsOf(found.scopes),
    roles: itemsOf(found.roles),
    type: 'external',
    issuer: found.issuer ?? `external:${name}`,
    authenticatedBy: name,
  })
}
