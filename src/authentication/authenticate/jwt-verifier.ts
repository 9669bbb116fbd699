import type { RefusalReason } from '../../core/catalogue.js'
import { wallClockMs } from '../../core/clock.js'
import type { StandardSchema } from '../../core/standard-schema.js'
import type { KeySet } from '../key-set/key-set.js'
import { checkClaims, checkIssuer, checkTimes, checkType, type Breach, type ClaimPolicy } from './claims.js'
import { jsonObject, peek, isStrictCompact } from './compact.js'
import type { PrincipalBuilder } from './principal-mapping.js'
import { refusal } from './refusal.js'
import { verifySignature } from './signature.js'
import { VerifiedTokens, type VerifiedToken, type VerifiedTokensPolicy } from './verified-tokens.js'

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
  readonly reported: readonly RefusalReason[]
}

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
    const known = this.#memory.get(name, token.length)
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
    if (!isStrictCompact(token)) throw refusal('token_malformed')
    this.#refuseEarly(token)
    const { algorithms, keySet } = this.#policy
    const signed = await verifySignature(token, algorithms, (header) => keySet.select(header))
    const verified = await this.#accept(signed)
    const reported = this.#checkTimes(verified)
    // The key may have left the set while the signature was being checked.
    if (name !== undefined && keySet.stillTrusts(verified.thumbprint))
      this.#memory?.set(name, verified, token.length)
    return { principal: verified.principal, remembered: false, reported }
  }

  /** What can be refused without asking a key server, so that a foreign token costs nobody a request. */
  #refuseEarly(token: string): void {
    const { header, payload } = peek(token)
    const { kid } = header
    if (kid !== undefined && (typeof kid !== 'string' || kid.length > MAX_KID_LENGTH))
      throw refusal('token_malformed')
    // RFC 7797 section 7: no JWT has this; one reader would take the payload as it stands, another would decode it.
    if (header['b64'] === false) throw refusal('token_malformed')
    checkType(header, payload, this.#policy, collector([]))
    checkIssuer(payload, this.#policy)
  }

  async #accept(signed: Awaited<ReturnType<typeof verifySignature>>): Promise<VerifiedToken> {
    const payload = jsonObject(Buffer.from(signed.payload).toString('base64url'))
    const reported: RefusalReason[] = []
    const breach = collector(reported)
    checkType(signed.header, payload, this.#policy, breach)
    const times = checkClaims(payload, this.#policy, breach)
    const claims = await this.#typedClaims(payload)
    const principal = this.#policy.buildPrincipal(payload, claims)
    return { principal, times, thumbprint: signed.thumbprint, reported }
  }

  async #typedClaims(payload: Readonly<Record<string, unknown>>): Promise<unknown> {
    const { claimsSchema } = this.#policy
    if (claimsSchema === undefined) return payload
    const result = await claimsSchema['~standard'].validate(payload)
    if (result.issues !== undefined) throw refusal('claim_invalid')
    return result.value
  }

  #checkTimes(token: VerifiedToken): readonly RefusalReason[] {
    const reported = [...token.reported]
    checkTimes(token.times, this.#policy, wallClockMs(), collector(reported))
    return reported
  }
}

function collector(reported: RefusalReason[]): Breach {
  return (mode, reason, evidence) => {
    if (mode === 'enforce') throw refusal(reason, evidence)
    reported.push(reason)
  }
}
