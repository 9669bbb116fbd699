import type { IncomingMessage } from 'node:http'
import { clientKey } from '../core/client.js'
import { openContext, principalOf, writableContextOf, type WritableContext } from '../core/context.js'
import { defineGuard, recordDecision, runOutsideExpress, type Guard, type Verdict } from '../core/guard.js'
import type { Health, Stateful } from '../core/lifecycle.js'
import type { Principal } from '../core/principal.js'
import { SecurityProblem } from '../core/problem.js'
import type { StandardSchema } from '../core/standard-schema.js'
import { chain } from '../core/thenable.js'
import { Challenges } from './authenticate/challenges.js'
import { credentialReader, type Hand } from './authenticate/credentials.js'
import { FailureLimit } from './authenticate/failure-limit.js'
import { factsOf, healthOf, settingsOf } from './authenticate/settings.js'
import type { AuthenticateOptions, AuthenticateWithVerifiers, ClaimsOf } from './authenticate/options.js'
import { possessionChecker } from './binding/possession.js'
import { refusal } from './refusal.js'
import type { Credential, Verified } from './verifier.js'

export type { AuthenticateOptions, AuthenticateWithVerifiers, CommonOptions } from './authenticate/options.js'
export type { DpopNonceOptions, DpopOptions } from './binding/dpop.js'
export type { TighteningOption } from './jwt-verifier/options.js'
export type { PrincipalMapping } from './jwt-verifier/principal-mapping.js'
export type { Credential, Verified, Verifier } from './verifier.js'

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
 * Verifies the credential of each request and writes the principal. Short form: JWT access tokens of one issuer (RFC
 * 6750, RFC 9068). With `verifiers`: any kinds of credential, of which the first that recognises one decides.
 *
 * Always checked of a JWT: one Authorization line; strict compact form; algorithm from the allow-list; type; issuer;
 * audience; a signature by a key of the issuer; expiry; not-before. A token that is bound (`cnf`) needs its proof:
 * the certificate it names (RFC 8705), or, with `dpop`, a proof of its key (RFC 9449). A request without a credential
 * gets 401 without a reason, a malformed one 400, a refused credential 401 `invalid_token`, and while keys or servers
 * that must be asked cannot be had 503.
 *
 * **Not checked:** whether a token was revoked, unless `revocation` is given; and what the caller may do: that is
 * `requireScopes` and its kin.
 *
 * Throws a `TypeError` for missing, impossible or unknown options. It asks the network nothing until the first
 * request or `warmUp()`.
 */
export function authenticate(options: AuthenticateWithVerifiers): Authenticator
export function authenticate<const S extends StandardSchema | undefined = undefined>(
  options: AuthenticateOptions<S>,
): Authenticator<ClaimsOf<S>>
export function authenticate<const S extends StandardSchema | undefined = undefined>(
  options: AuthenticateOptions<S> | AuthenticateWithVerifiers,
): Authenticator<ClaimsOf<S>> {
  const settings = settingsOf(options as AuthenticateOptions | AuthenticateWithVerifiers)
  const { name, required, combine, expose, verifiers, dpop, revocation } = settings
  const read = credentialReader(settings)
  const challenges = new Challenges(settings)
  const provePossession = possessionChecker(settings)
  const failures =
    options.failureLimit === undefined ? undefined : new FailureLimit(name, options.failureLimit)

  const guard = defineGuard({
    kind: 'authenticate',
    layer: 'authentication',
    name,
    facts: factsOf(settings, options.failureLimit),
    check: checkRequest,
  })

  function checkRequest(req: IncomingMessage, context: WritableContext): Verdict | Promise<Verdict> {
    if (context.authenticator === guard) return alreadyRun(context)
    challenges.announce(context)
    if (failures === undefined) return attempt(req, context)
    return failures.around(clientKey(req, context.client), () => attempt(req, context))
  }

  /** One place adds the challenge to whatever refuses: that of the credential which was in hand. */
  function attempt(req: IncomingMessage, context: WritableContext): Verdict | Promise<Verdict> {
    const hand: Hand = { scheme: undefined }
    try {
      const credentials = read(req, context, hand)
      if (credentials.length === 0) return anonymous(context)
      const verdict = verifyAll(credentials, req, context, hand)
      return verdict instanceof Promise
        ? verdict.catch((cause: unknown) => challenges.refuse(cause, hand.scheme))
        : verdict
    } catch (cause) {
      return challenges.refuse(cause, hand.scheme)
    }
  }

  function anonymous(context: WritableContext): Verdict {
    if (required) throw refusal('credential_missing')
    context.markAnonymous(guard)
    return { reason: 'anonymous' }
  }

  /**
   * The first credential makes the principal; a second one, where `combine` lets it come, must pass too. Only an API key
   * beside a token is such a pair: one key in two places is not two credentials.
   */
  function verifyAll(
    credentials: readonly Credential[],
    req: IncomingMessage,
    context: WritableContext,
    hand: Hand,
  ): Verdict | Promise<Verdict> {
    const [first, second] = credentials as [Credential, Credential?]
    if (second === undefined) {
      if (combine === 'required') throw refusal('credential_missing')
      return chain(verify(first, req, context, hand), (verified) => accept(first, req, context, verified))
    }
    if (combine === 'refused' || !isToken(first)) throw refusal('credentials_conflict')
    return chain(verify(second, req, context, hand), (beside) => {
      if (!isByKey(beside)) throw refusal('credentials_conflict')
      return chain(verify(first, req, context, hand), (verified) => {
        if (isByKey(verified)) throw refusal('credentials_conflict')
        return accept(first, req, context, verified, beside)
      })
    })
  }

  /** Verified, not revoked, in the hands of whom it was issued to; the proof of a key is used up last. */
  function verify(
    credential: Credential,
    req: IncomingMessage,
    context: WritableContext,
    hand: Hand,
  ): Verified | Promise<Verified> {
    hand.scheme = credential.scheme
    const verifier = verifiers.find((each) => each.recognises(credential))
    if (verifier === undefined) throw refusal(isToken(credential) ? 'token_malformed' : 'scheme_unsupported')
    return chain(verifier.verify(credential, req, context), (verified) =>
      chain(revocation?.check(verified), () =>
        chain(provePossession(credential, verified, req, context), () => verified),
      ),
    )
  }

  function accept(
    credential: Credential,
    req: IncomingMessage,
    context: WritableContext,
    verified: Verified,
    beside?: Verified,
  ): Verdict | Promise<Verdict> {
    const confirms = context.principal !== undefined
    context.authenticateAs(verified.principal, guard, {
      scheme: challenges.schemeOf(credential.scheme),
      apiKeyId: apiKeyIdOf(verified) ?? apiKeyIdOf(beside),
    })
    for (const problem of verified.reported ?? []) {
      recordDecision(context, {
        layer: 'authentication',
        guard: 'authenticate',
        rule: name,
        mode: 'report',
        problem,
      })
    }
    const reason = confirms ? 'confirmed' : (verified.reason ?? 'verified')
    // The first one where this one confirms it: there is one principal.
    const exposed: unknown = expose?.(req, context.principal ?? verified.principal)
    // An asynchronous one is waited for: its rejection, if nobody took it, would end the process.
    return chain(exposed, () => ({ reason }))
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
      if (principal === undefined) return challenges.refuse(refusal('credential_missing'), undefined)
      return principal as Principal<ClaimsOf<S>>
    },
    principalOf: ownPrincipalOf,
    warmUp: async () => {
      await Promise.all([...verifiers, dpop].map(async (part) => part?.warmUp?.()))
    },
    health: (): Health => healthOf(name, verifiers),
    close: async () => {
      failures?.clear()
      await Promise.all([...verifiers, dpop].map(async (part) => part?.close?.()))
    },
  })
}

/** The same middleware twice on one request's way: nothing is verified again. */
function alreadyRun(context: WritableContext): Verdict {
  return { reason: context.principal === undefined ? 'anonymous' : 'confirmed' }
}

/** In the Authorization field: no header may be called so. */
function isToken({ scheme }: Credential): boolean {
  return scheme === 'bearer' || scheme === 'dpop'
}

function isByKey({ principal }: Verified): boolean {
  return principal.authenticatedBy === 'api-key'
}

function apiKeyIdOf(verified: Verified | undefined): string | undefined {
  return verified !== undefined && isByKey(verified) ? verified.principal.credentialId : undefined
}
