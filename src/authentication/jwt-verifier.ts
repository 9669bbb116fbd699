import { statusOfAny, type Health } from '../core/lifecycle.js'
import { checkOptions, misuse } from '../core/options.js'
import type { StandardSchema } from '../core/standard-schema.js'
import { issuerMismatch } from './jwt-verifier/claims.js'
import { isJwtShaped, jsonObject, readCompact } from './jwt-verifier/compact.js'
import { IssuerVerifier, type JwtPolicy } from './jwt-verifier/issuer-verifier.js'
import type { JwtVerifierOptions } from './jwt-verifier/options.js'
import { JWT_ALIASES, JWT_RULES, policyOf } from './jwt-verifier/policy.js'
import { VerifiedTokens } from './jwt-verifier/verified-tokens.js'
import { refusal } from './refusal.js'
import type { Credential, Verified, Verifier } from './verifier.js'

export type { JwtVerifierOptions, TighteningOption } from './jwt-verifier/options.js'
export type { PrincipalMapping } from './jwt-verifier/principal-mapping.js'

const ME = 'jwtVerifier'

/**
 * Verifies JWT access tokens (RFC 9068, RFC 8725) of one issuer, or of several: each has options of its own, and a
 * token is judged by those of the issuer that its `iss` names, byte for byte, before any key is fetched. Issuers never
 * share keys, also where they publish them at one address.
 *
 * Every bearer token in three or five parts is its affair, and every one in more than two that begins as a JWT does: one
 * that it refuses is asked of no other verifier.
 *
 * **Not checked:** whether the token was revoked, and whether the caller owns it: `authenticate` does both.
 *
 * Throws a `TypeError` for missing, impossible or unknown options, and for an issuer that stands twice.
 */
export function jwtVerifier(
  options:
    | JwtVerifierOptions<StandardSchema | undefined>
    | readonly JwtVerifierOptions<StandardSchema | undefined>[],
  ...others: readonly never[]
): Verifier {
  if (others.length > 0)
    throw new TypeError(`${ME}: several issuers are given as a list: jwtVerifier([first, second])`)
  const all = Array.isArray(options)
    ? (options as readonly JwtVerifierOptions[])
    : [options as JwtVerifierOptions]
  if (all.length === 0) throw misuse(ME, 'options', 'the options of at least one issuer', options)
  for (const each of all) checkOptions(ME, each, JWT_RULES, JWT_ALIASES)
  return verifierOf(ME, all)
}

/** As `jwtVerifier`, of options whose names were checked, told as `me`. */
export function verifierOf(
  me: string,
  all: readonly JwtVerifierOptions<StandardSchema | undefined>[],
): Verifier {
  const policies = all.map((each) => policyOf(me, each as JwtVerifierOptions<StandardSchema>))
  const issuers = new Map(policies.map((policy) => [policy.issuer, new IssuerVerifier(policy)]))
  if (issuers.size < policies.length)
    throw new TypeError(`${me}: issuer must be given once, got the same issuer twice`)
  const verifiers = [...issuers.values()]
  const only = verifiers.length === 1 ? verifiers[0] : undefined

  function verify({ value: token }: Credential): Verified | Promise<Verified> {
    const name = VerifiedTokens.nameOf(token)
    for (const verifier of verifiers) {
      const known = verifier.recall(name)
      if (known !== undefined) return known
    }
    return verifyNew(token, name).catch(asTokenFault)
  }

  async function verifyNew(token: string, name: string): Promise<Verified> {
    const parts = readCompact(token)
    const payload = jsonObject(parts.payload)
    const { iss } = payload
    const verifier = only ?? (typeof iss === 'string' ? issuers.get(iss) : undefined)
    if (verifier === undefined) throw issuerMismatch([...issuers.keys()], iss)
    return verifier.verify(token, name, parts, payload)
  }

  return Object.freeze({
    kind: 'jwt',
    challenge: 'Bearer',
    facts:
      policies.length === 1 && policies[0] !== undefined
        ? factsOf(policies[0], all[0]?.jwks !== undefined)
        : { issuers: policies.map((policy, index) => factsOf(policy, all[index]?.jwks !== undefined)) },
    recognises: ({ scheme, value }: Credential) =>
      (scheme === 'bearer' || scheme === 'dpop') && isJwtShaped(value),
    verify,
    warmUp: async () => {
      await Promise.all(verifiers.map(({ keySet }) => keySet.warmUp()))
    },
    health: (): Health => ({
      name: 'jwt',
      status: statusOfAny(verifiers.map(({ keySet }) => keySet.status())),
      detail: verifiers.map(({ issuer, keySet }) => `keys of ${issuer}: ${keySet.detail()}`).join('; '),
    }),
    close: async () => {
      for (const verifier of verifiers) verifier.forget()
      await Promise.resolve()
    },
  })
}

/** A stack or a number that ends while a token is judged: nobody but the token's sender brought that about. */
function asTokenFault(cause: unknown): never {
  throw cause instanceof RangeError ? refusal('token_malformed', undefined, cause) : cause
}

function factsOf(policy: JwtPolicy, areKeysInline: boolean): Readonly<Record<string, unknown>> {
  return {
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
    keys: areKeysInline ? 'inline' : 'remote',
  }
}
