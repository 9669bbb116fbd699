import type { RefusalReason } from '../../core/catalogue.js'
import type { Mode } from '../../core/decision.js'
import type { Evidence } from '../../core/problem.js'
import { ownClaim } from '../../core/principal.js'
import { neutralise } from '../../core/text.js'
import { refusal } from '../refusal.js'

type Json = Readonly<Record<string, unknown>>

/** A rule that tightens what a token may be; in mode `report` it only says whom it would have refused. */
export interface Tightening {
  readonly seconds: number
  readonly mode: Mode
}

export interface ClaimPolicy {
  readonly issuer: string
  readonly audience: { readonly claim: string; readonly values: readonly string[] }
  readonly types: { readonly values: readonly string[]; readonly mode: Mode } | undefined
  readonly clockToleranceSeconds: number
  readonly maxTokenAge: Tightening | undefined
  readonly maxTokenLifetime: Tightening | undefined
  readonly requiredClaims: readonly string[]
}

/** What of a token changes its meaning while time goes by, in **seconds** since the epoch. */
export interface TokenTimes {
  readonly exp: number
  readonly nbf: number | undefined
  readonly iat: number | undefined
}

/** Takes a rule's breach: refuses in mode `enforce`, notes it in mode `report`. */
export type Breach = (mode: Mode, reason: RefusalReason, evidence?: Evidence) => void

const ACCESS_TOKEN = 'at+jwt'

// How a policy says that a token without `typ` is accepted; some issuers send none.
const ABSENT = 'absent'

/** The `typ` of a header without the prefix that RFC 7515 section 4.1.9 lets one leave out, in lower case. */
export function normalisedType(typ: unknown): string {
  return typeof typ === 'string' ? typ.toLowerCase().replace(/^application\//, '') : ABSENT
}

/**
 * Whether the token was made to be an access token (RFC 9068 section 4; RFC 8725 section 3.11).
 *
 * Where a policy admits other types, tokens that were made for something else are told by their shape.
 */
export function checkType(header: Json, payload: Json, policy: ClaimPolicy, breach: Breach): void {
  const type = normalisedType(header['typ'])
  if (policy.types !== undefined && !policy.types.values.includes(type)) {
    breach(policy.types.mode, 'token_type_refused', { expected: policy.types.values, claimed: claimed(type) })
  }
  if (type !== ACCESS_TOKEN && isIdOrLogoutToken(payload)) throw refusal('token_not_for_access')
}

function isIdOrLogoutToken(payload: Json): boolean {
  if (['nonce', 'at_hash', 'c_hash', 'events'].some((claim) => Object.hasOwn(payload, claim))) return true
  const { aud, azp } = payload
  const audience: unknown = Array.isArray(aud) && aud.length === 1 ? aud[0] : aud
  return typeof azp === 'string' && audience === azp
}

/** What a refused token says of itself: a label for whoever reads the record, worth no more than its sender's word. */
function claimed(value: unknown): string {
  if (Array.isArray(value)) return value.slice(0, 5).map(claimedText).join(' ')
  return claimedText(value)
}

function claimedText(value: unknown): string {
  return typeof value === 'string' ? neutralise(value, 128) : typeof value
}

/** Before any key is fetched: a token of another issuer must not make us ask anybody anything. */
export function checkIssuer(payload: Json, policy: ClaimPolicy): void {
  const { iss } = payload
  if (iss !== policy.issuer) throw issuerMismatch([policy.issuer], iss)
}

export function issuerMismatch(expected: readonly string[], iss: unknown): Error {
  return refusal('issuer_mismatch', { expected, claimed: claimed(iss) })
}

/** All that is fixed in a token: audience, claims that must be there, lifetime. Returns what is not fixed. */
export function checkClaims(payload: Json, policy: ClaimPolicy, breach: Breach): TokenTimes {
  checkIssuer(payload, policy)
  if (!namesAudience(payload, policy)) {
    throw refusal('audience_mismatch', {
      expected: policy.audience.values,
      claimed: claimed(ownClaim(payload, policy.audience.claim)),
    })
  }
  const missing = policy.requiredClaims.filter((claim) => isEmpty(ownClaim(payload, claim)))
  if (missing.length > 0) throw refusal('claim_missing', { claims: missing })
  const times = readTimes(payload)
  const { maxTokenLifetime } = policy
  if (maxTokenLifetime !== undefined) {
    if (times.iat === undefined) breach(maxTokenLifetime.mode, 'claim_missing', { claims: ['iat'] })
    else if (times.exp - times.iat > maxTokenLifetime.seconds) {
      breach(maxTokenLifetime.mode, 'token_lifetime_too_long', { lifetimeSeconds: times.exp - times.iat })
    }
  }
  return times
}

/** All that time changes: looked at on every use of a token, remembered or not. */
export function checkTimes(times: TokenTimes, policy: ClaimPolicy, nowMs: number, breach: Breach): void {
  const now = Math.floor(nowMs / 1000)
  const { clockToleranceSeconds: tolerance, maxTokenAge } = policy
  if (times.exp <= now - tolerance) throw refusal('token_expired')
  if (times.nbf !== undefined && times.nbf > now + tolerance) throw refusal('token_not_yet_valid')
  if (maxTokenAge === undefined) return
  if (times.iat === undefined) breach(maxTokenAge.mode, 'claim_missing', { claims: ['iat'] })
  else if (times.iat > now + tolerance) breach(maxTokenAge.mode, 'token_not_yet_valid')
  else if (now - times.iat - tolerance > maxTokenAge.seconds) breach(maxTokenAge.mode, 'token_too_old')
}

function readTimes(payload: Json): TokenTimes {
  const exp = numericDate(payload, 'exp')
  if (exp === undefined) throw refusal('claim_missing', { claims: ['exp'] })
  return { exp, nbf: numericDate(payload, 'nbf'), iat: numericDate(payload, 'iat') }
}

function numericDate(payload: Json, claim: string): number | undefined {
  const value = ownClaim(payload, claim)
  if (value === undefined) return undefined
  if (typeof value !== 'number' || !Number.isFinite(value))
    throw refusal('claim_invalid', { claims: [claim] })
  return value
}

function namesAudience(payload: Json, { audience }: ClaimPolicy): boolean {
  const named = ownClaim(payload, audience.claim)
  if (typeof named === 'string') return audience.values.includes(named)
  return (
    Array.isArray(named) && named.every(isString) && named.some((value) => audience.values.includes(value))
  )
}

function isEmpty(value: unknown): boolean {
  return value === undefined || value === null || value === ''
}

function isString(value: unknown): value is string {
  return typeof value === 'string'
}
