import { compactVerify, errors } from 'jose'
import { neutralise } from '../../core/text.js'
import type { UsableKey } from '../key-set/usable-keys.js'
import { isStrictCompact, jsonObject } from './compact.js'
import { refusal } from './refusal.js'

type Header = Readonly<Record<string, unknown>>

export interface SignedToken {
  readonly header: Header
  /** The bytes that were signed. */
  readonly payload: Uint8Array
  /** RFC 7638 thumbprint of the key that verified them. */
  readonly thumbprint: string
}

/** Finds the keys that a header may mean. */
export type KeySelector = (header: Header) => readonly UsableKey[] | Promise<readonly UsableKey[]>

// A token without `kid` may have been made by any key of the set; each try costs a verification.
const MAX_TRIES = 4

/**
 * Verifies one compact JWS: strict form, algorithm from the allow-list, a key of ours, the signature.
 *
 * Keys named by the token itself (`jwk`, `jku`, `x5c`, `x5u`) are never looked at. It does not look at the payload.
 */
export async function verifySignature(
  token: string,
  algorithms: readonly string[],
  selectKeys: KeySelector,
): Promise<SignedToken> {
  if (!isStrictCompact(token)) throw refusal('token_malformed')
  const header = jsonObject(token.slice(0, token.indexOf('.')))
  if (typeof header['alg'] !== 'string' || !algorithms.includes(header['alg']))
    throw refusal('algorithm_refused')
  const keys = await selectKeys(header)
  if (keys.length === 0) throw refusal('key_unknown', { claimed: claimedKid(header) })
  if (keys.length > 1 && header['kid'] !== undefined) throw refusal('key_ambiguous')
  for (const key of keys.slice(0, MAX_TRIES)) {
    const payload = await tryKey(token, key, header['alg'])
    if (payload !== undefined) return { header, payload, thumbprint: key.thumbprint }
  }
  throw refusal('signature_invalid', { keys: keys.length, tried: Math.min(keys.length, MAX_TRIES) })
}

/** For the record: which key the token asked for. */
function claimedKid({ kid }: Header): string {
  return typeof kid === 'string' ? neutralise(kid, 64) : 'none'
}

async function tryKey(token: string, key: UsableKey, alg: string): Promise<Uint8Array | undefined> {
  try {
    return (await compactVerify(token, key.jwk, { algorithms: [alg] })).payload
  } catch (cause) {
    if (cause instanceof errors.JWSSignatureVerificationFailed) return undefined
    // jose's own names for a token that cannot be right; anything else is a fault of ours and must not read "401".
    if (cause instanceof errors.JWSInvalid || cause instanceof errors.JOSENotSupported) {
      throw refusal('token_malformed', undefined, cause)
    }
    throw cause
  }
}
