import { wallClockMs } from '../../core/clock.js'
import type { Principal } from '../../core/principal.js'
import { isSecurityProblem, type SecurityProblem } from '../../core/problem.js'
import type { StandardSchema } from '../../core/standard-schema.js'
import type { KeySet } from '../key-set/key-set.js'
import { checkClaims, checkIssuer, checkTimes, checkType, type Breach, type ClaimPolicy } from './claims.js'
import { jsonObject, readCompact } from './compact.js'
import type { PrincipalBuilder } from './principal-mapping.js'
import { refusal } from './refusal.js'
import { verifySignature } from './signature.js'
import { VerifiedTokens, bytesOf, type VerifiedToken, type VerifiedTokensPolicy } from './verified-tokens.js'

export interface JwtPolicy extends ClaimPolicy {
  readonly algorithms: readonly string[]
  readonly keySet: KeySet
  readonly buildPrincipal: PrincipalBuilder
  readonly claimsSchema: StandardSchema | undefined
  readonly memory: VerifiedTokensPolicy | undefined
}

export interface Verification {
  readonly principal: VerifiedToken['principal']
  readonly remembered: boolean
  /** Rules in report mode that the token breaks. */
  readonly reported: readonly SecurityProblem[]
}

type Json = Readonly<Record<string, unknown>>

/** A `kid` is a name; a longer one is an attempt at something else. */
const MAX_KID_LENGTH = 256

/**
 * Verifies JWT access tokens (RFC 9068, RFC 8725): form, type, issuer, key, signature, claims, time.
 *
 * A token that is remembered is answered synchronously. It does not ask the issuer whether the token was revoked.
 */
export class JwtVerifier {
  readonly #policy: JwtPolicy
  readonly #memory: VerifiedTokens | undefined

  constructor(policy: JwtPolicy) {
    this.#policy = policy
    this.#memory = policy.memory === undefined ? undefined : new VerifiedTokens(policy.memory)
  }

  verify(token: string): Verification | Promise<Verification> {
    if (this.#memory === undefined) return this.#verifyNew(token, undefined)
    const name = VerifiedTokens.nameOf(token)
    const known = this.#memory.get(name)
    if (known === undefined) return this.#verifyNew(token, name)
    if (!this.#policy.keySet.stillTrusts(known.thumbprint)) {
      this.#memory.delete(name)
      return this.#verifyNew(token, name)
    }
    const reported = this.#checkTimes(known)
    return { principal: known.principal, remembered: true, reported }
  }

  forget(): void {
    this.#memory?.clear()
  }

  async #verifyNew(token: string, name: string | undefined): Promise<Verification> {
    const { header, payload: text } = readCompact(token)
    const payload = jsonObject(text)
    const broken: SecurityProblem[] = []
    this.#refuseEarly(header, payload, collector(broken))
    const { algorithms, keySet } = this.#policy
    const thumbprint = await verifySignature(token, header, algorithms, (wanted) => keySet.select(wanted))
    const times = checkClaims(payload, this.#policy, collector(broken))
    const principal = await this.#principalOf(payload)
    const verified = { principal, times, thumbprint, reported: broken, bytes: bytesOf(text) }
    const reported = this.#checkTimes(verified)
    // The key may have left the set while the signature was being checked.
    if (name !== undefined && keySet.stillTrusts(thumbprint)) this.#memory?.set(name, verified)
    return { principal, remembered: false, reported }
  }

  /** What can be refused without asking a key server, so that a foreign token costs nobody a request. */
  #refuseEarly(header: Json, payload: Json, breach: Breach): void {
    const { kid } = header
    if (kid !== undefined && (typeof kid !== 'string' || kid.length > MAX_KID_LENGTH))
      throw refusal('token_malformed')
    // RFC 7797 section 7: no JWT has this; one reader would take the payload as it stands, another would decode it.
    if (header['b64'] === false) throw refusal('token_malformed')
    checkType(header, payload, this.#policy, breach)
    checkIssuer(payload, this.#policy)
  }

  #principalOf(payload: Json): Principal | Promise<Principal> {
    const { claimsSchema, buildPrincipal } = this.#policy
    if (claimsSchema === undefined) return principalFromToken(buildPrincipal, payload)
    return typedClaims(claimsSchema, payload).then((claims) => buildPrincipal(payload, claims))
  }

  #checkTimes(token: VerifiedToken): readonly SecurityProblem[] {
    const reported = [...token.reported]
    checkTimes(token.times, this.#policy, wallClockMs(), collector(reported))
    return reported
  }
}

/** Claims as they stand in a token: what cannot be built of them is the token's fault, not ours. */
function principalFromToken(buildPrincipal: PrincipalBuilder, payload: Json): Principal {
  try {
    return buildPrincipal(payload, payload)
  } catch (cause) {
    throw isSecurityProblem(cause) && cause.reason === 'guard_fault'
      ? refusal('claim_invalid', cause.evidence)
      : cause
  }
}

async function typedClaims(schema: StandardSchema, payload: Json): Promise<unknown> {
  const result = await schema['~standard'].validate(payload)
  if (result.issues !== undefined) throw refusal('claim_invalid')
  return result.value
}

function collector(reported: SecurityProblem[]): Breach {
  return (mode, reason, evidence) => {
    const problem = refusal(reason, evidence)
    if (mode === 'enforce') throw problem
    reported.push(problem)
  }
}
