import { calculateJwkThumbprint, importJWK, type JWK } from 'jose'
import { publishEvent } from '../../core/events.js'
import { neutralise } from '../../core/text.js'
import { hasRocaFingerprint } from './roca.js'

/** A public key that may verify signatures, vetted once when its set was loaded. */
export interface UsableKey {
  readonly jwk: JWK
  readonly kid: string | undefined
  /** RFC 7638 thumbprint: what the key is, whatever it is called. */
  readonly thumbprint: string
}

/** The keys of one set, as of one load. */
export interface KeyRing {
  readonly keys: readonly UsableKey[]
  readonly thumbprints: ReadonlySet<string>
}

// Issuers publish a handful. Each is checked, and each that is skipped is an event.
const MAX_KEYS = 100
const MIN_RSA_BITS = 2048
// Beyond these a single verification takes long enough to be an attack by the key server.
const MAX_RSA_BITS = 8192
const MAX_RSA_EXPONENT_BYTES = 4
const PRIVATE_MEMBERS = ['d', 'p', 'q', 'dp', 'dq', 'qi', 'oth', 'k']
const EC_ALGORITHMS: Readonly<Record<string, string>> = {
  'P-256': 'ES256',
  'P-384': 'ES384',
  'P-521': 'ES512',
}

/**
 * Reads a JWK Set (RFC 7517 section 5). A key that is private, symmetric, weak or broken is skipped with an event;
 * the rest of the set stays usable. Throws where it is no set at all.
 */
export async function readKeySet(document: unknown): Promise<KeyRing> {
  const keys = (document as { keys?: unknown } | null | undefined)?.keys
  if (!Array.isArray(keys)) throw new TypeError('a key set must be an object with an array "keys"')
  if (keys.length > MAX_KEYS) throw new RangeError(`a key set of ${keys.length} keys, more than ${MAX_KEYS}`)
  const usable = new Map<string, UsableKey>()
  for (const entry of keys as unknown[]) {
    if (isForEncryption(entry)) continue
    const outcome = await vet(entry)
    if (typeof outcome === 'string') {
      publishEvent('warn', 'key_skipped', { reason: outcome, kid: shownKid(entry) })
      continue
    }
    usable.set(`${outcome.thumbprint} ${outcome.kid ?? ''} ${outcome.jwk.alg ?? ''}`, outcome)
  }
  const ring = [...usable.values()]
  return { keys: ring, thumbprints: new Set(ring.map(({ thumbprint }) => thumbprint)) }
}

/** The keys that a token's header may mean: those of its `kid`, or all where it names none, that fit its `alg`. */
export function selectKeys(ring: KeyRing, header: Readonly<Record<string, unknown>>): readonly UsableKey[] {
  const { alg, kid } = header
  const fitting = ring.keys.filter((key) => (kid === undefined || key.kid === kid) && fits(key.jwk, alg))
  // One key may be listed twice, with and without its `alg`.
  return fitting.filter(
    (key, index) => fitting.findIndex(({ thumbprint }) => thumbprint === key.thumbprint) === index,
  )
}

function fits(jwk: JWK, alg: unknown): boolean {
  if (typeof alg !== 'string' || (jwk.alg !== undefined && jwk.alg !== alg)) return false
  if (jwk.kty === 'RSA') return /^[RP]S(256|384|512)$/.test(alg)
  if (jwk.kty === 'EC') return EC_ALGORITHMS[jwk.crv ?? ''] === alg
  return jwk.kty === 'OKP' && (alg === 'EdDSA' || alg === 'Ed25519')
}

/** Returns the key, or why it must not be used, also where looking at it throws. */
async function vet(entry: unknown): Promise<UsableKey | string> {
  try {
    return await judge(entry)
  } catch {
    return 'not importable'
  }
}

async function judge(entry: unknown): Promise<UsableKey | string> {
  if (typeof entry !== 'object' || entry === null) return 'not a key'
  const jwk = entry as JWK
  if (jwk.kty === 'oct') return 'symmetric'
  if (PRIVATE_MEMBERS.some((member) => Object.hasOwn(jwk, member))) return 'private'
  if (jwk.kid !== undefined && typeof jwk.kid !== 'string') return 'kid is no string'
  if (jwk.use !== undefined && jwk.use !== 'sig') return 'use'
  if (jwk.key_ops !== undefined && (!Array.isArray(jwk.key_ops) || !jwk.key_ops.includes('verify')))
    return 'key_ops'
  const weakness = jwk.kty === 'RSA' ? rsaWeakness(jwk) : undefined
  if (weakness !== undefined) return weakness
  const alg = jwk.alg ?? defaultAlgorithm(jwk)
  if (alg === undefined || !fits(jwk, alg)) return 'unsupported'
  await importJWK(jwk, alg)
  return { jwk, kid: jwk.kid, thumbprint: await calculateJwkThumbprint(jwk) }
}

function isForEncryption(entry: unknown): boolean {
  return (entry as Partial<JWK> | null | undefined)?.use === 'enc'
}

function defaultAlgorithm(jwk: JWK): string | undefined {
  if (jwk.kty === 'RSA') return 'RS256'
  if (jwk.kty === 'OKP' && jwk.crv === 'Ed25519') return 'EdDSA'
  return jwk.kty === 'EC' ? EC_ALGORITHMS[jwk.crv ?? ''] : undefined
}

function rsaWeakness({ n, e }: JWK): string | undefined {
  if (typeof n !== 'string' || typeof e !== 'string') return 'not importable'
  if (n.length > MAX_RSA_BITS) return 'modulus too long'
  const modulus = integerOf(n)
  const bits = modulus.toString(2).length
  if (bits < MIN_RSA_BITS) return 'modulus too short'
  if (bits > MAX_RSA_BITS) return 'modulus too long'
  const exponent = Buffer.from(e, 'base64url')
  if (exponent.length > MAX_RSA_EXPONENT_BYTES) return 'exponent too long'
  const value = integerOf(e)
  if (value <= 1n || value % 2n === 0n) return 'exponent is even or one'
  return hasRocaFingerprint(modulus) ? 'modulus of a known weak generator (ROCA)' : undefined
}

function integerOf(base64url: string): bigint {
  return BigInt(`0x0${Buffer.from(base64url, 'base64url').toString('hex')}`)
}

function shownKid(entry: unknown): string {
  const kid = (entry as { kid?: unknown } | null | undefined)?.kid
  return typeof kid === 'string' ? neutralise(kid, 64) : ''
}
