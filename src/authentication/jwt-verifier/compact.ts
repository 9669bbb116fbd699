import { refusal } from '../refusal.js'

const COMPACT = /^[\w-]+\.[\w-]*\.[\w-]+$/

// The last character of a segment whose length is 2 or 3 modulo 4 has 4 or 2 bits that carry nothing: they must be zero.
const CANONICAL_END: Readonly<Record<number, string>> = { 2: 'AQgw', 3: 'AEIMQUYcgkosw048' }

/** A compact JWS taken apart, and **not verified**. */
export interface CompactToken {
  readonly header: Readonly<Record<string, unknown>>
  /** The payload as text, decoded. */
  readonly payload: string
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

/**
 * Takes a token apart **without verifying anything**. Strict form has one reading: what is read here is what the
 * signature will be found to cover, or the token is refused.
 */
export function readCompact(token: string): CompactToken {
  if (!isStrictCompact(token)) throw refusal('token_malformed')
  const [header = '', payload = ''] = token.split('.')
  return { header: jsonObject(decoded(header)), payload: decoded(payload) }
}

/** The JSON object in a text. */
export function jsonObject(text: string): Readonly<Record<string, unknown>> {
  let value: unknown
  try {
    value = JSON.parse(text)
  } catch (cause) {
    throw refusal('token_malformed', undefined, cause)
  }
  if (typeof value !== 'object' || value === null || Array.isArray(value)) throw refusal('token_malformed')
  return value as Readonly<Record<string, unknown>>
}

function decoded(segment: string): string {
  return Buffer.from(segment, 'base64url').toString('utf8')
}
