import { hash } from 'node:crypto'
import { wallClockMs } from '../core/clock.js'
import { isSecurityProblem } from '../core/problem.js'
import { Answers } from './introspection-verifier/answers.js'
import { IntrospectionEndpoint } from './introspection-verifier/endpoint.js'
import type { IntrospectionVerifierOptions } from './introspection-verifier/options.js'
import { settingsOf, type IntrospectionSettings } from './introspection-verifier/policy.js'
import { readAnswer, refuse, type Described } from './introspection-verifier/read-answer.js'
import { SharedAnswers } from './introspection-verifier/shared-answers.js'
import { checkTimes } from './jwt-verifier/claims.js'
import { isJwtShaped } from './jwt-verifier/compact.js'
import type { Credential, Verified, Verifier } from './verifier.js'

export type {
  IntrospectionCacheOptions,
  IntrospectionClient,
  IntrospectionVerifierOptions,
  KeyClient,
  Rotating,
  SecretClient,
} from './introspection-verifier/options.js'

type Json = Readonly<Record<string, unknown>>

/**
 * Verifies access tokens by asking the authorization server (RFC 7662): opaque ones, and, unless `tokens` is `opaque`,
 * any others.
 *
 * Always checked of an answer: `active` is `true`; `iss`, where it is there; audience; expiry and not-before; that the
 * token is for access; what it is bound to (`cnf`). One request at a time asks about one token; good answers are
 * believed for `cache.maxSeconds` and never past `exp`. An endpoint that is slow, down, or does not know this service is
 * 503 `introspection_unavailable`.
 *
 * **Not checked:** that the server tells this service only of tokens that were made for it: `audience` does that.
 * Whether a token was revoked within the last `cache.maxSeconds`.
 *
 * Throws a `TypeError` for missing, impossible or unknown options.
 */
export function introspectionVerifier(options: IntrospectionVerifierOptions): Verifier {
  const settings = settingsOf(options)
  const endpoint = new IntrospectionEndpoint(settings.endpoint)
  const memory = settings.cache === undefined ? undefined : new Answers(settings.cache)
  const shared = settings.store === undefined ? undefined : new SharedAnswers(settings.store, settings.id)
  const asking = new Map<string, Promise<Described>>()

  function verify({ value: token }: Credential): Verified | Promise<Verified> {
    const name = hash('sha256', token, 'base64url')
    const known = memory?.recall(name)
    if (known !== undefined) return verified(known, 'remembered')
    return describe(name, token).then((described) => verified(described, 'verified'))
  }

  /** What time changes is looked at on every use. */
  function verified(
    { principal, times, confirmation, sessionId }: Described,
    reason: Verified['reason'],
  ): Verified {
    checkTimes(times, settings.answer, wallClockMs(), refuse)
    return { principal, reason: reason ?? 'verified', confirmation, issuedAt: times.iat, sessionId }
  }

  /** However many requests come with a token, one asks. */
  function describe(name: string, token: string): Promise<Described> {
    const known = asking.get(name)
    if (known !== undefined) return known
    const answer = describeNew(name, token).finally(() => asking.delete(name))
    asking.set(name, answer)
    return answer
  }

  async function describeNew(name: string, token: string): Promise<Described> {
    const kept = await shared?.find(name)
    if (kept === undefined) return describeByServer(name, token)
    const described = judgeKept(kept.answer, settings)
    if (described === undefined || memory?.accept(name, described, kept.answer, kept.ageMs) !== true)
      return describeByServer(name, token)
    return described
  }

  async function describeByServer(name: string, token: string): Promise<Described> {
    const askedMs = wallClockMs()
    try {
      const answer = await endpoint.ask(name, token)
      const described = readAnswer(answer, settings.answer)
      // Not of not-before: that a token is over stays so.
      checkTimes({ ...described.times, nbf: undefined }, settings.answer, wallClockMs(), refuse)
      if (memory?.accept(name, described, answer) === true)
        shared?.keep(name, answer, askedMs, memory.lifeMs(described))
      return described
    } catch (cause) {
      if (isSecurityProblem(cause) && cause.status === 401) memory?.refuse(name, cause)
      throw cause
    }
  }

  return Object.freeze({
    kind: 'introspection',
    challenge: 'Bearer',
    facts: factsOf(settings),
    recognises: ({ scheme, value }: Credential) =>
      (scheme === 'bearer' || scheme === 'dpop') && (settings.tokens === 'any' || !isJwtShaped(value)),
    verify,
    warmUp: () => endpoint.warmUp(),
    health: () => endpoint.health(),
    close: async () => {
      memory?.clear()
      await Promise.resolve()
    },
  })
}

/** Another instance's answer that is refused here may be old: the server says how it is now. */
function judgeKept(answer: Json, settings: IntrospectionSettings): Described | undefined {
  try {
    return readAnswer(answer, settings.answer)
  } catch {
    return undefined
  }
}

function factsOf({ endpoint, answer, cache, store, tokens }: IntrospectionSettings): Verifier['facts'] {
  return {
    issuer: answer.issuer,
    audience: answer.audience.values,
    endpoint: endpoint.endpoint ?? 'from metadata',
    clockToleranceSeconds: answer.clockToleranceSeconds,
    cacheSeconds: cache?.maxSeconds ?? 0,
    cacheStore: cache === undefined ? 'none' : (store?.kind ?? 'memory'),
    timeoutMs: endpoint.timeoutMs,
    tokens,
  }
}
