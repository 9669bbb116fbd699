import type { IncomingMessage } from 'node:http'
import { clientKey } from '../core/client.js'
import { openContext, principalOf, writableContextOf, type WritableContext } from '../core/context.js'
import { defineGuard, recordDecision, runOutsideExpress, type Guard, type Verdict } from '../core/guard.js'
import type { Health, Stateful } from '../core/lifecycle.js'
import type { Principal } from '../core/principal.js'
import { SecurityProblem } from '../core/problem.js'
import type { StandardSchema } from '../core/standard-schema.js'
import { isThenable } from '../core/thenable.js'
import { readBearer } from './authenticate/bearer.js'
import { FailureLimit } from './authenticate/failure-limit.js'
import { JwtVerifier, type Verification } from './authenticate/jwt-verifier.js'
import type { AuthenticateOptions, ClaimsOf } from './authenticate/options.js'
import { policyOf } from './authenticate/policy.js'
import { BEARER, refusal } from './authenticate/refusal.js'

export type { AuthenticateOptions, TighteningOption } from './authenticate/options.js'
export type { PrincipalMapping } from './authenticate/principal-mapping.js'

/** The middleware that `authenticate` makes, and what else can be done with it. */
export interface Authenticator<C = Principal['claims']> extends Guard, Stateful {
  /**
   * Verifies a request that never reaches Express, as a WebSocket upgrade, and writes its principal.
   *
   * Rejects with a `SecurityProblem`, also where there is no credential and `required` is `false`.
   */
  verifyRequest(req: IncomingMessage): Promise<Principal<C>>
  /** As the exported `principalOf`, with claims typed by `claims`. Throws where another middleware authenticated. */
  principalOf(req: object): Principal<C>
}

/**
 * Verifies the bearer token of each request, a JWT access token (RFC 6750, RFC 9068), and writes the principal.
 *
 * Always checked: one Authorization line; strict compact form; algorithm from the allow-list; type; issuer; audience;
 * a signature by a key of the issuer; expiry; not-before. A request without a credential gets 401 without a reason, a
 * malformed one 400, a refused token 401 `invalid_token`, and while the issuer's keys cannot be had 503.
 *
 * **Not checked:** whether the token was revoked, whether the caller owns it (a token bound by `cnf` is refused), and
 * what the caller may do: that is `requireScopes` and its kin.
 *
 * Throws a `TypeError` for missing, impossible or unknown options. It asks the network nothing until the first
 * request or `warmUp()`.
 */
export function authenticate<const S extends StandardSchema | undefined = undefined>(
  options: AuthenticateOptions<S>,
): Authenticator<ClaimsOf<S>> {
  const policy = policyOf(options as AuthenticateOptions<StandardSchema>)
  const { required = true, maxTokenLength = 8192, name = 'authenticate' } = options
  const expose = options.expose?.bind(options)
  const verifier = new JwtVerifier(policy)
  const failures =
    options.failureLimit === undefined ? undefined : new FailureLimit(name, options.failureLimit)

  const guard = defineGuard({
    kind: 'authenticate',
    layer: 'authentication',
    name,
    facts: {
      issuer: policy.issuer,
      audience: policy.audience.values,
      algorithms: policy.algorithms,
      types: policy.types?.values,
      typesMode: policy.types?.mode,
      clockToleranceSeconds: policy.clockToleranceSeconds,
      maxTokenAgeSeconds: policy.maxTokenAge?.seconds,
      maxTokenAgeMode: policy.maxTokenAge?.mode,
      maxTokenLifetimeSeconds: policy.maxTokenLifetime?.seconds,
      maxTokenLifetimeMode: policy.maxTokenLifetime?.mode,
      keys: options.jwks === undefined ? 'remote' : 'inline',
      failureLimit: options.failureLimit?.limit,
      failureLimitWindowSeconds: options.failureLimit?.windowSeconds,
      required,
    },
    check: checkRequest,
  })

  function checkRequest(req: IncomingMessage, context: WritableContext): Verdict | Promise<Verdict> {
    if (context.authenticator === guard) return alreadyRun(context)
    context.addChallenge(BEARER)
    if (failures === undefined) return verify(req, context)
    return failures.around(clientKey(req, context.client), () => verify(req, context))
  }

  function verify(req: IncomingMessage, context: WritableContext): Verdict | Promise<Verdict> {
    const token = readBearer(req, maxTokenLength)
    if (token === undefined) return anonymous(context)
    const verification = verifier.verify(token)
    if (isThenable(verification))
      return Promise.resolve(verification).then((verified) => accept(req, context, verified))
    return accept(req, context, verification)
  }

  function anonymous(context: WritableContext): Verdict {
    if (required) throw refusal('credential_missing')
    context.markAnonymous(guard)
    return { reason: 'anonymous' }
  }

  function accept(
    req: IncomingMessage,
    context: WritableContext,
    verified: Verification,
  ): Verdict | Promise<Verdict> {
    const confirms = context.principal !== undefined
    context.authenticateAs(verified.principal, guard)
    for (const problem of verified.reported) {
      recordDecision(context, {
        layer: 'authentication',
        guard: 'authenticate',
        rule: name,
        mode: 'report',
        problem,
      })
    }
    const reason = confirms ? 'confirmed' : verified.remembered ? 'remembered' : 'verified'
    // The first one where this one confirms it: there is one principal.
    const exposed: unknown = expose?.(req, context.principal ?? verified.principal)
    // An asynchronous one is waited for: its rejection, if nobody took it, would end the process.
    return isThenable(exposed) ? Promise.resolve(exposed).then(() => ({ reason })) : { reason }
  }

  /** The claims are typed by this middleware's schema, which says nothing about a principal that another one wrote. */
  function ownPrincipalOf(req: object): Principal<ClaimsOf<S>> {
    const principal = principalOf(req)
    if (writableContextOf(req).authenticator === guard) return principal as Principal<ClaimsOf<S>>
    throw new SecurityProblem('guard_order', {
      evidence: { problem: `principalOf() of "${name}", but another middleware authenticated this request` },
    })
  }

  return Object.assign(guard, {
    verifyRequest: async (req: IncomingMessage) => {
      await runOutsideExpress(guard, req)
      const { principal } = openContext(req)
      if (principal === undefined) throw refusal('credential_missing')
      return principal as Principal<ClaimsOf<S>>
    },
    principalOf: ownPrincipalOf,
    warmUp: () => policy.keySet.warmUp(),
    health: (): Health => ({
      name,
      status: policy.keySet.status(),
      detail: `keys of ${policy.issuer}: ${policy.keySet.detail()}`,
    }),
    close: async () => {
      verifier.forget()
      failures?.clear()
      await Promise.resolve()
    },
  })
}

/** The same middleware twice on one request's way: nothing is verified again. */
function alreadyRun(context: WritableContext): Verdict {
  return { reason: context.principal === undefined ? 'anonymous' : 'confirmed' }
}
