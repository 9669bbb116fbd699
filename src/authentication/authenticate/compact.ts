import { refusal } from './refusal.js'

const COMPACT = /^[\w-]+\.[\w-]*\.[\w-]+$/

// The last character of a segment whose length is 2 or 3 modulo 4 has 4 or 2 bits that carry nothing: they must be zero.
const CANONICAL_END: Readonly<Record<number, string>> = { 2: 'AQgw', 3: 'AEIMQUYcgkosw048' }

export interface CompactToken {
  readonly header: Readonly<Record<string, unknown>>
  readonly payload: Readonly<Record<string, unknown>>
}

/**
 * Whether a text is a JWS in compact form (RFC 7515 section 7.1), character by character: three segments, base64url
 * without padding, white space or stray bits. The payload may be empty, as in any JWS; no JWT's is.
 *
 * Decoders accept more than one text for the same bytes. A token that has several spellings has several names in a
 * memory, a revocation list and a log.
 */
export function isStrictCompact(token: string): boolean {
  return COMPACT.test(token) && token.split('.').every(isCanonicalBase64url)
}

/** Whether base64url text is the one spelling of its bytes. */
export function isCanonicalBase64url(segment: string): boolean {
  const rest = segment.length % 4
  if (rest === 0) return true
  return CANONICAL_END[rest]?.includes(segment.charAt(segment.length - 1)) ?? false
}

/** Reads header and payload **without verifying anything**: only to refuse early, and to choose a key. */
export function peek(token: string): CompactToken {
  const [header = '', payload = ''] = token.split('.')
  return { header: jsonObject(header), payload: jsonObject(payload) }
}

/** The JSON object in a segment. */
export function jsonObject(segment: string): Readonly<Record<string, unknown>> {
  let value: unknown
  try {
    value = JSON.parse(Buffer.from(segment, 'base64url').toString('utf8'))
  } catch (cause) {
    throw refusal('token_malformed', undefined, cause)
  }
  if (typeof value !== 'object' || value === null || Array.isArray(value)) throw refusal('token_malformed')
  return value as Readonly<Record<string, unknown>>
}
