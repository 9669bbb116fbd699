import { isSecurityProblem, type SecurityProblem } from '../../../core/problem.js'
import { jsonObject, readCompact } from '../../jwt-verifier/compact.js'
import { verifySignature } from '../../jwt-verifier/signature.js'
import { readKeySet, selectKeys, type KeyRing } from '../../key-set/usable-keys.js'
import { refusal } from '../../refusal.js'

type Json = Readonly<Record<string, unknown>>

/** The claims of a proof whose signature is good, with the types that RFC 9449 section 4.2 says. */
export interface ProofClaims {
  readonly jti: string
  readonly htm: string
  readonly htu: string
  /** In **seconds** since the epoch. */
  readonly iat: number
  readonly ath: string
  readonly nonce: string | undefined
  readonly exp: number | undefined
  readonly nbf: number | undefined
}

// With the largest RSA key that is accepted, in the header and as a signature, and a long URL, a proof has some 4000.
const MAX_PROOF_LENGTH = 8192
const MAX_JTI_BYTES = 256

/**
 * Reads a proof: strict compact form, `typ`, `alg` from the list, a public key worth the name in `jwk` that is the one
 * of the token, the signature by it, and all claims. It says nothing about whether the proof is for this request.
 */
export async function readProof(
  text: string,
  algorithms: readonly string[],
  jkt: string,
): Promise<ProofClaims> {
  if (text.length > MAX_PROOF_LENGTH) throw malformed('length')
  try {
    const { header, payload } = readCompact(text)
    const ring = await keyOf(header, algorithms)
    if (ring.keys[0]?.thumbprint !== jkt) throw refusal('dpop_proof_mismatch', { mismatch: 'key' })
    const { alg } = header
    await verifySignature(text, { alg }, algorithms, (wanted) => selectKeys(ring, wanted))
    return claimsOf(jsonObject(payload))
  } catch (cause) {
    throw asProofRefusal(cause)
  }
}

/** The key in the header, vetted as an issuer's are: public, asymmetric, neither weak nor absurdly large. */
async function keyOf(header: Json, algorithms: readonly string[]): Promise<KeyRing> {
  const { typ, alg, jwk } = header
  if (typ !== 'dpop+jwt') throw malformed('typ')
  // Nothing that may stand there (RFC 7515 section 4.1.11) is understood here.
  if (Object.hasOwn(header, 'crit')) throw malformed('crit')
  if (typeof alg !== 'string' || !algorithms.includes(alg)) throw malformed('alg')
  if (typeof jwk !== 'object' || jwk === null || Array.isArray(jwk)) throw malformed('jwk')
  // The name that a caller gives its key means nothing.
  const ring = await readKeySet({ keys: [{ ...jwk, kid: undefined }] })
  if (selectKeys(ring, { alg }).length === 0) throw malformed('jwk')
  return ring
}

function claimsOf(claims: Json): ProofClaims {
  const { jti, htm, htu, iat, ath, nonce, exp, nbf } = claims
  if (typeof jti !== 'string' || jti === '' || Buffer.byteLength(jti) > MAX_JTI_BYTES) throw malformed('jti')
  if (typeof htm !== 'string') throw malformed('htm')
  if (typeof htu !== 'string') throw malformed('htu')
  if (!isNumber(iat)) throw malformed('iat')
  if (typeof ath !== 'string') throw malformed('ath')
  if (nonce !== undefined && typeof nonce !== 'string') throw malformed('nonce')
  if (exp !== undefined && !isNumber(exp)) throw malformed('exp')
  if (nbf !== undefined && !isNumber(nbf)) throw malformed('nbf')
  return { jti, htm, htu, iat, ath, nonce, exp, nbf }
}

function isNumber(value: unknown): value is number {
  return typeof value === 'number' && Number.isFinite(value)
}

/** What reads tokens says "token"; here it is the proof that is at fault. A fault of ours stays one. */
function asProofRefusal(cause: unknown): unknown {
  if (!isSecurityProblem(cause) || cause.status !== 401 || cause.code === 'invalid_dpop_proof') return cause
  if (cause.reason === 'signature_invalid') return refusal('dpop_proof_invalid', undefined, cause)
  return refusal('dpop_proof_malformed', { problem: cause.reason }, cause)
}

/** `problem` names a part of a proof, never what stood there. */
function malformed(problem: string): SecurityProblem {
  return refusal('dpop_proof_malformed', { problem })
}
