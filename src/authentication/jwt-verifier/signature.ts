import { compactVerify, errors } from 'jose'
import { neutralise } from '../../core/text.js'
import { isThenable } from '../../core/thenable.js'
import type { UsableKey } from '../key-set/usable-keys.js'
import { refusal } from '../refusal.js'

type Header = Readonly<Record<string, unknown>>

/** Finds the keys that a header may mean. */
export type KeySelector = (header: Header) => readonly UsableKey[] | Promise<readonly UsableKey[]>

// A token without `kid` may have been made by any key of the set; each try costs a verification.
const MAX_TRIES = 4

/**
 * Verifies the signature of a token that `readCompact` has taken apart: algorithm from the allow-list, a key of ours.
 * Answers with the RFC 7638 thumbprint of the key.
 *
 * Keys named by the token itself (`jwk`, `jku`, `x5c`, `x5u`) are never looked at. It does not look at the payload.
 */
export async function verifySignature(
  token: string,
  header: Header,
  algorithms: readonly string[],
  selectKeys: KeySelector,
): Promise<string> {
  const { alg, kid } = header
  if (typeof alg !== 'string' || !algorithms.includes(alg)) throw refusal('algorithm_refused')
  const selected = selectKeys(header)
  const keys = isThenable(selected) ? await selected : selected
  if (keys.length === 0) throw refusal('key_unknown', { claimed: claimedKid(header) })
  if (keys.length > 1 && kid !== undefined) throw refusal('key_ambiguous')
  for (const key of keys.slice(0, MAX_TRIES)) {
    if (await isSignedBy(key, token, alg)) return key.thumbprint
  }
  throw refusal('signature_invalid', { keys: keys.length, tried: Math.min(keys.length, MAX_TRIES) })
}

/** For the record: which key the token asked for. */
function claimedKid({ kid }: Header): string {
  return typeof kid === 'string' ? neutralise(kid, 64) : 'none'
}

async function isSignedBy(key: UsableKey, token: string, alg: string): Promise<boolean> {
  try {
    await compactVerify(token, key.jwk, { algorithms: [alg] })
    return true
  } catch (cause) {
    if (cause instanceof errors.JWSSignatureVerificationFailed) return false
    // jose's own names for a token that cannot be right; anything else is a fault of ours and must not read "401".
    if (cause instanceof errors.JWSInvalid || cause instanceof errors.JOSENotSupported) {
      throw refusal('token_malformed', undefined, cause)
    }
    throw cause
  }
}
