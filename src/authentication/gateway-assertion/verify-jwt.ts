import { createHmac, timingSafeEqual } from 'node:crypto'
import { wallClockMs } from '../../core/clock.js'
import type { KeySet } from '../key-set/key-set.js'
import {
  checkClaims,
  checkIssuer,
  checkTimes,
  normalisedType,
  type Breach,
  type ClaimPolicy,
} from '../jwt-verifier/claims.js'
import { jsonObject, readCompact } from '../jwt-verifier/compact.js'
import { verifySignature } from '../jwt-verifier/signature.js'
import { refusal } from '../refusal.js'

type Json = Readonly<Record<string, unknown>>

/** Keys of which only the gateway has the private half, or secrets that it shares with this service. */
export type AssertionSigner =
  | { readonly keySet: KeySet; readonly algorithms: readonly string[] }
  | { readonly secrets: () => readonly Buffer[] }

export interface AssertionClaims {
  readonly issuer: string
  /** `undefined`: the assertion may be for any service that trusts this issuer. */
  readonly audience: readonly string[] | undefined
  readonly typ: string | undefined
  readonly clockToleranceSeconds: number
  /** Longest time from `iat` to `exp`; `undefined`: only `exp` counts. */
  readonly maxLifetimeSeconds: number | undefined
}

const MAX_KID_LENGTH = 256
const SHARED_SECRET_ALGORITHM = 'HS256'

/** Nothing in an assertion is there to be reported only. */
const enforce: Breach = (_mode, reason, evidence) => {
  throw refusal(reason, evidence)
}

/** Makes the function that verifies an assertion in compact form and answers with its claims; at once with secrets. */
export function jwtAssertion(
  expected: AssertionClaims,
  signer: AssertionSigner,
): (assertion: string) => Json | Promise<Json> {
  const policy = policyOf(expected)

  function accepted(payload: Json): Json {
    checkTimes(checkClaims(payload, policy, enforce), policy, wallClockMs(), enforce)
    return payload
  }

  return function verifyAssertion(assertion) {
    const { header, payload: text } = readCompact(assertion)
    checkHeader(header, expected.typ)
    const payload = jsonObject(text)
    checkIssuer(payload, policy)
    if ('secrets' in signer) {
      checkSharedSecret(assertion, header, signer.secrets())
      return accepted(payload)
    }
    const { algorithms, keySet } = signer
    return verifySignature(assertion, header, algorithms, (wanted) => keySet.select(wanted)).then(() =>
      accepted(payload),
    )
  }
}

function policyOf({
  issuer,
  audience,
  clockToleranceSeconds,
  maxLifetimeSeconds,
}: AssertionClaims): ClaimPolicy {
  const lifetime =
    maxLifetimeSeconds === undefined ? undefined : ({ seconds: maxLifetimeSeconds, mode: 'enforce' } as const)
  return {
    issuer,
    // Without an audience the issuer must be named where the audience would be looked for: it always is.
    audience:
      audience === undefined ? { claim: 'iss', values: [issuer] } : { claim: 'aud', values: audience },
    types: undefined,
    clockToleranceSeconds,
    maxTokenAge: lifetime,
    maxTokenLifetime: lifetime,
    requiredClaims: [],
  }
}

function checkHeader(header: Json, typ: string | undefined): void {
  const { kid } = header
  if (kid !== undefined && (typeof kid !== 'string' || kid.length > MAX_KID_LENGTH))
    throw refusal('token_malformed')
  // RFC 7515 section 4.1.11: no extension is understood here, and one reader of two would take another payload.
  if (Object.hasOwn(header, 'crit') || header['b64'] === false) throw refusal('token_malformed')
  if (typ !== undefined && normalisedType(header['typ']) !== typ) throw refusal('token_type_refused')
}

function checkSharedSecret(assertion: string, { alg }: Json, secrets: readonly Buffer[]): void {
  if (alg !== SHARED_SECRET_ALGORITHM) throw refusal('algorithm_refused')
  const end = assertion.lastIndexOf('.')
  const given = Buffer.from(assertion.slice(end + 1), 'base64url')
  const isSigned = secrets.some((secret) => {
    const right = createHmac('sha256', secret).update(assertion.slice(0, end)).digest()
    return right.length === given.length && timingSafeEqual(right, given)
  })
  if (!isSigned) throw refusal('signature_invalid')
}
