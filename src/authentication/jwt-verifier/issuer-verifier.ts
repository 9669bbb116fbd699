import { wallClockMs } from '../../core/clock.js'
import type { Principal } from '../../core/principal.js'
import type { SecurityProblem } from '../../core/problem.js'
import type { StandardSchema } from '../../core/standard-schema.js'
import type { KeySet } from '../key-set/key-set.js'
import { readConfirmation } from '../binding/confirmation.js'
import type { Verified } from '../verifier.js'
import { checkClaims, checkIssuer, checkTimes, checkType, type Breach, type ClaimPolicy } from './claims.js'
import type { CompactToken } from './compact.js'
import { principalAsItCame, sessionOf, type PrincipalBuilder } from './principal-mapping.js'
import { refusal } from '../refusal.js'
import { verifySignature } from './signature.js'
import { VerifiedTokens, bytesOf, type VerifiedToken, type VerifiedTokensPolicy } from './verified-tokens.js'

export interface JwtPolicy extends ClaimPolicy {
  readonly algorithms: readonly string[]
  readonly keySet: KeySet
  readonly buildPrincipal: PrincipalBuilder
  readonly claimsSchema: StandardSchema | undefined
  readonly memory: VerifiedTokensPolicy | undefined
}

type Json = Readonly<Record<string, unknown>>

/** A `kid` is a name; a longer one is an attempt at something else. */
const MAX_KID_LENGTH = 256

/**
 * Verifies the JWT access tokens of one issuer (RFC 9068, RFC 8725): form, type, issuer, key, signature, claims, time.
 *
 * A token that is remembered is answered synchronously. It does not ask the issuer whether the token was revoked.
 */
export class IssuerVerifier {
  readonly #policy: JwtPolicy
  readonly #memory: VerifiedTokens | undefined

  constructor(policy: JwtPolicy) {
    this.#policy = policy
    this.#memory = policy.memory === undefined ? undefined : new VerifiedTokens(policy.memory)
  }

  get issuer(): string {
    return this.#policy.issuer
  }

  get keySet(): KeySet {
    return this.#policy.keySet
  }

  /** The token of that name (`VerifiedTokens.nameOf`), if it was verified before and still may be used. */
  recall(name: string): Verified | undefined {
    const known = this.#memory?.get(name)
    if (known === undefined) return undefined
    if (this.#policy.keySet.stillTrusts(known.thumbprint)) return this.#verified(known, 'remembered')
    this.#memory?.delete(name)
    return undefined
  }

  forget(): void {
    this.#memory?.clear()
  }

  /** `token` taken apart by `readCompact`, and its payload as JSON. */
  async verify(
    token: string,
    name: string,
    { header, payload: text }: CompactToken,
    payload: Json,
  ): Promise<Verified> {
    const broken: SecurityProblem[] = []
    this.#refuseEarly(header, payload, collector(broken))
    const { algorithms, keySet } = this.#policy
    const thumbprint = await verifySignature(token, header, algorithms, (wanted) => keySet.select(wanted))
    const times = checkClaims(payload, this.#policy, collector(broken))
    const confirmation = readConfirmation(payload)
    const principal = await this.#principalOf(payload)
    const accepted = {
      principal,
      times,
      confirmation,
      sessionId: sessionOf(payload),
      thumbprint,
      reported: broken,
      bytes: bytesOf(text),
    }
    const verified = this.#verified(accepted, 'verified')
    // The key may have left the set while the signature was being checked.
    if (keySet.stillTrusts(thumbprint)) this.#memory?.set(name, accepted)
    return verified
  }

  #verified(known: VerifiedToken, reason: 'verified' | 'remembered'): Verified {
    const { principal, confirmation, sessionId, times } = known
    const reported = this.#checkTimes(known)
    return { principal, reason, confirmation, sessionId, issuedAt: times.iat, reported }
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
    if (claimsSchema === undefined) return principalAsItCame(buildPrincipal, payload)
    return typedClaims(claimsSchema, payload).then((claims) => buildPrincipal(payload, claims))
  }

  #checkTimes(token: VerifiedToken): readonly SecurityProblem[] {
    const reported = [...token.reported]
    checkTimes(token.times, this.#policy, wallClockMs(), collector(reported))
    return reported
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
